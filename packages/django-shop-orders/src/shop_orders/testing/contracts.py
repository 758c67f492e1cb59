"""Contract kits. Subclass one in your tests and define its fixtures: every check becomes one of your tests.

class TestShelf(ProductSourceContract):
    @pytest.fixture
    def source(self): return ShelfSource()

    @pytest.fixture
    def make_product(self): return lambda **fields: Shelf.objects.create(...).code
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, get_args

import pytest
from django.db import connection, transaction
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from shop_core.money import quantise

from shop_orders.conf import app_settings
from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers import (
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
)
from shop_orders.payment_providers.base import PaymentStatus
from shop_orders.product_sources import ProductSource

MakeProduct = Callable[..., str]
MakeWebhook = Callable[..., HttpRequest]


@pytest.mark.django_db
class ProductSourceContract:
    """The behaviour of product sources. ``counts_stock = False`` is for a source that does not track stock.

    ``rolls_back = False`` is for a source whose stock is not in the database, as the in-memory source of tests. A shop
    must not sell from it: an order that fails after its reservation would leave the stock reserved.

    Fixtures to define: ``source``, and ``make_product(price=Decimal, available=int) -> ref``.
    """

    counts_stock: ClassVar[bool] = True
    rolls_back: ClassVar[bool] = True

    @pytest.fixture
    def source(self) -> ProductSource:
        """Your product source, constructed as with its OPTIONS."""
        raise NotImplementedError("Define a fixture `source` that returns your product source.")

    @pytest.fixture
    def make_product(self) -> MakeProduct:
        """A callable ``(price=Decimal, available=int) -> ref`` that puts a new product on sale in KES."""
        raise NotImplementedError("Define a fixture `make_product(price=..., available=...) -> ref`.")

    def test_fetch_returns_plain_values_by_ref(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("12.50"), available=3)
        product = source.fetch([ref])[ref]
        assert product.ref == ref
        assert product.unit_price == Decimal("12.50")
        assert product.unit_price == quantise(product.unit_price, product.currency)
        assert product.available == (3 if self.counts_stock else None)
        assert isinstance(product.unit_price, Decimal)
        assert product.currency == app_settings.CURRENCY
        assert product.name
        texts = (product.sku, product.name, product.tax_class, product.url, product.image)
        assert all(isinstance(text, str) for text in texts)
        assert isinstance(product.price_includes_tax, bool)
        assert product.weight is None or isinstance(product.weight, Decimal)

    def test_fetch_omits_unknown_products(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        odd = ["no-such-product", "", "0", "-1", "9" * 30, "a/b", "ü", "' OR 1=1 --"]
        assert set(source.fetch([ref, *odd])) == {ref}

    def test_fetch_matches_refs_exactly(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        others = [f" {ref}", f"{ref} ", f"0{ref}", *({ref.lower(), ref.upper()} - {ref})]
        assert set(source.fetch(others)) == set()

    def test_fetch_reads_its_refs_once(self, source: ProductSource, make_product: MakeProduct) -> None:
        refs = [make_product(price=Decimal("1.00"), available=1) for _number in range(2)]
        assert set(source.fetch(iter(refs))) == set(refs)
        assert set(source.fetch([])) == set()

    def test_fetch_takes_the_same_number_of_queries_for_many(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        refs = [make_product(price=Decimal("1.00"), available=1) for _number in range(12)]
        with CaptureQueriesContext(connection) as few:
            source.fetch(refs[:2])
        with CaptureQueriesContext(connection) as many:
            assert set(source.fetch(refs)) == set(refs)
        assert len(many) == len(few)

    def test_reserve_takes_and_release_gives_back(self, source: ProductSource, make_product: MakeProduct) -> None:
        refs = [make_product(price=Decimal("1.00"), available=5) for _number in range(2)]
        with transaction.atomic():
            assert dict(source.reserve({refs[0]: 2, refs[1]: 5}, reference="ORDER-1")) == {}
        self._assert_available(source, {refs[0]: 3, refs[1]: 0})
        with transaction.atomic():
            source.release({refs[0]: 2, refs[1]: 5}, reference="ORDER-1")
        self._assert_available(source, {refs[0]: 5, refs[1]: 5})

    def test_reserve_takes_all_or_nothing(self, source: ProductSource, make_product: MakeProduct) -> None:
        if not self.counts_stock:
            return
        refs = [make_product(price=Decimal("1.00"), available=available) for available in (5, 1, 2)]
        with transaction.atomic():
            short = source.reserve({refs[0]: 5, refs[1]: 2, refs[2]: 3}, reference="ORDER-1")
        assert dict(short) == {refs[1]: 1, refs[2]: 2}
        self._assert_available(source, {refs[0]: 5, refs[1]: 1, refs[2]: 2})

    def test_reserve_reports_an_unknown_product_as_short(self, source: ProductSource) -> None:
        with transaction.atomic():
            assert dict(source.reserve({"no-such-product": 1}, reference="ORDER-1")) == {"no-such-product": 0}

    def test_release_ignores_a_deleted_product(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            source.reserve({ref: 3}, reference="ORDER-1")
            source.release({ref: 3, "no-such-product": 1}, reference="ORDER-1")
        self._assert_available(source, {ref: 5})

    def test_reserved_stock_cannot_be_reserved_again(self, source: ProductSource, make_product: MakeProduct) -> None:
        if not self.counts_stock:
            return
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            assert dict(source.reserve({ref: 3}, reference="ORDER-1")) == {}
            assert dict(source.reserve({ref: 3}, reference="ORDER-2")) == {ref: 2}
        self._assert_available(source, {ref: 2})

    def test_reserve_is_rolled_back_with_the_transaction(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            source.reserve({ref: 2}, reference="ORDER-1")
            transaction.set_rollback(True)
        self._assert_available(source, {ref: 5 if self.rolls_back else 3})

    def test_shipped_goods_are_not_available_until_restocked(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            source.reserve({ref: 3}, reference="ORDER-1")
            source.ship({ref: 3}, reference="ORDER-1-1")
        self._assert_available(source, {ref: 2})
        with transaction.atomic():
            source.restock({ref: 1}, reference="RETURN-1")
        self._assert_available(source, {ref: 3})

    def test_reserve_takes_the_same_number_of_queries_for_many(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        refs = [make_product(price=Decimal("1.00"), available=5) for _number in range(12)]
        with CaptureQueriesContext(connection) as few, transaction.atomic():
            source.reserve(dict.fromkeys(refs[:2], 1), reference="ORDER-1")
        with CaptureQueriesContext(connection) as many, transaction.atomic():
            source.reserve(dict.fromkeys(refs, 1), reference="ORDER-2")
        assert len(many) == len(few)

    def _assert_available(self, source: ProductSource, expected: dict[str, int]) -> None:
        """A source may omit a product that is sold out."""
        products = source.fetch(expected)
        if self.counts_stock:
            found = {ref: products[ref].available if ref in products else 0 for ref in expected}
            assert found == expected
        else:
            assert all(products[ref].available is None for ref in expected)


class PaymentProviderContract:
    """The behaviour of payment providers. A provider without webhooks has ``has_webhooks = False``, one whose calls
    are not signed ``signs_webhooks = False`` (its events are unconfirmed, or it fetches the state first); one whose
    service does not recognise a repeated start has ``start_is_idempotent = False``.

    Fixtures to define: ``provider``; for webhooks ``make_webhook(kind=..., reference=..., amount=..., event_id=...)``,
    a request as the provider sends it; ``break_network()``, after which the service cannot be reached;
    ``refuse_questions()``, after which it refuses every question, as with an expired token.
    """

    has_webhooks: ClassVar[bool] = True
    signs_webhooks: ClassVar[bool] = True
    start_is_idempotent: ClassVar[bool] = True
    amount: ClassVar[Decimal] = Decimal("12.50")

    @pytest.fixture
    def provider(self) -> PaymentProvider:
        """Your provider, which calls a local server in place of the real one."""
        raise NotImplementedError("Define a fixture `provider` that returns your payment provider.")

    @pytest.fixture
    def make_webhook(self) -> MakeWebhook | None:
        """A callable ``(kind=, reference=, amount=, event_id=) -> HttpRequest``: the call as the provider sends it."""
        return None

    @pytest.fixture
    def break_network(self) -> Callable[[], None] | None:
        """A callable after which the service cannot be reached; None where there is no network."""
        return None

    @pytest.fixture
    def refuse_questions(self) -> Callable[[], None] | None:
        """A callable after which the service refuses to answer questions; None where there is no network."""
        return None

    @pytest.fixture
    def request_to_pay(self) -> PaymentRequest:
        """The payment that the kit starts, of ``amount``."""
        return PaymentRequest(
            payment_id="6f2c5f0e-6a0f-4d0e-9d55-0a3c5f3a7b11",
            order_number="K7MXQ-4T29P",
            amount=self.amount,
            currency="KES",
            description="Order K7MXQ-4T29P",
            email="customer@example.org",
            phone="+254712345678",
            return_url="https://shop.example.org/done/",
            base_url="https://shop.example.org",
            webhook_url="https://shop.example.org/payments/webhooks/contract/",
        )

    def test_start_returns_the_next_step(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        started = provider.start(request_to_pay)
        assert isinstance(started, PaymentStart)
        assert started.reference
        assert started.status in get_args(PaymentStatus)
        assert started.redirect_url or started.instructions or started.status == "captured"
        assert started.expires_at is None or started.expires_at.tzinfo is not None
        json.dumps(dict(started.data))  # it is stored with the payment

    def test_second_start_returns_the_same_payment(
        self, provider: PaymentProvider, request_to_pay: PaymentRequest
    ) -> None:
        if not self.start_is_idempotent:
            return
        first, second = provider.start(request_to_pay), provider.start(request_to_pay)
        assert first.reference == second.reference

    def test_fetch_of_an_unpaid_payment_is_not_captured(
        self, provider: PaymentProvider, request_to_pay: PaymentRequest
    ) -> None:
        started = provider.start(request_to_pay)
        state = provider.fetch(dict(started.data), reference=started.reference)
        assert state is None or (isinstance(state, PaymentState) and state.status != "captured")

    def test_fetch_without_a_reference_does_not_fail(self, provider: PaymentProvider) -> None:
        """After a crash the expiry job fetches a payment that has no reference yet."""
        try:
            state = provider.fetch({}, reference="")
        except ProviderUnavailable:
            return
        assert state is None or state.status == "pending"

    def test_refused_question_says_nothing_about_the_payment(
        self,
        provider: PaymentProvider,
        request_to_pay: PaymentRequest,
        refuse_questions: Callable[[], None] | None,
    ) -> None:
        """``fetch`` and ``fetch_refund`` raise ProviderUnavailable: a final state might end a paid payment."""
        if refuse_questions is None:
            return
        started = provider.start(request_to_pay)
        refuse_questions()
        with pytest.raises(ProviderUnavailable):
            provider.fetch(dict(started.data), reference=started.reference)
        try:
            state = provider.fetch_refund(dict(started.data), reference=started.reference, refund_reference="refund-1")
        except ProviderUnavailable:
            return
        assert state is None

    def test_refund_of_one_id_is_made_once(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        started = provider.start(request_to_pay)
        request = RefundRequest(refund_id="refund-1", amount=Decimal("2.50"), currency="KES", reason="test")
        try:
            first = provider.refund(dict(started.data), reference=started.reference, request=request)
            second = provider.refund(dict(started.data), reference=started.reference, request=request)
        except PaymentDeclined:
            return
        assert isinstance(first, RefundResult)
        assert first.status in ("pending", "succeeded", "failed")
        assert first.reference == second.reference

    def test_state_of_a_refund_can_be_fetched(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        """``fetch_refund`` is optional; where it returns a state, that is the state of the given refund."""
        started = provider.start(request_to_pay)
        request = RefundRequest(refund_id="refund-1", amount=Decimal("2.50"), currency="KES", reason="test")
        try:
            made = provider.refund(dict(started.data), reference=started.reference, request=request)
        except PaymentDeclined:
            return
        fetched = provider.fetch_refund(
            dict(started.data), reference=started.reference, refund_reference=made.reference
        )
        if fetched is None:
            return
        assert isinstance(fetched, RefundResult)
        assert fetched.status in ("pending", "succeeded", "failed")
        assert fetched.reference in ("", made.reference)

    def test_network_error_is_provider_unavailable(
        self,
        provider: PaymentProvider,
        request_to_pay: PaymentRequest,
        break_network: Callable[[], None] | None,
    ) -> None:
        if break_network is None:
            return
        break_network()
        with pytest.raises(ProviderUnavailable) as caught:
            provider.start(request_to_pay)
        assert not any(secret in str(caught.value) for secret in self._secrets(provider))

    def test_webhook_becomes_an_event(self, provider: PaymentProvider, make_webhook: MakeWebhook | None) -> None:
        if not self.has_webhooks:
            return
        first = self._read(provider, make_webhook, kind="captured", reference="ref-1", amount=self.amount)
        assert [(event.kind, event.reference, event.amount) for event in first] == [("captured", "ref-1", self.amount)]
        assert {event.currency for event in first} <= {"", "KES"}
        assert all(event.event_id and isinstance(event, PaymentEvent) for event in first)

    def test_webhook_sent_again_has_the_same_event_id(
        self, provider: PaymentProvider, make_webhook: MakeWebhook | None
    ) -> None:
        if not self.has_webhooks:
            return
        call: dict[str, Any] = {
            "kind": "captured",
            "reference": "ref-1",
            "amount": self.amount,
            "event_id": "evt-1",
        }
        first, second = self._read(provider, make_webhook, **call), self._read(provider, make_webhook, **call)
        assert [event.event_id for event in first] == [event.event_id for event in second]

    def test_changed_call_is_refused(self, provider: PaymentProvider, make_webhook: MakeWebhook | None) -> None:
        if not self.has_webhooks or not self.signs_webhooks or make_webhook is None:
            return
        request = make_webhook(kind="captured", reference="ref-1", amount=self.amount, event_id="evt-1")
        request._body = request.body + b" "  # noqa: SLF001 - as if changed in transit
        with pytest.raises(InvalidWebhook):
            list(provider.read_webhook(request))

    def test_unsigned_call_is_refused(self, provider: PaymentProvider) -> None:
        request = HttpRequest()
        request.method = "POST"
        request._body = b'{"kind": "captured", "reference": "ref-1", "amount": "12.50"}'  # noqa: SLF001 - a request without a server
        with pytest.raises(InvalidWebhook):
            list(provider.read_webhook(request))

    def test_repr_has_no_secrets(self, provider: PaymentProvider) -> None:
        assert not any(secret in repr(provider) for secret in self._secrets(provider))

    def _secrets(self, provider: PaymentProvider) -> list[str]:
        """The strings in attributes whose name sounds like that of a secret, also those in lists."""
        values = [
            value
            for name, value in vars(provider).items()
            if any(word in name for word in ("secret", "key", "passkey", "token"))
        ]
        texts = [one for value in values for one in (value if isinstance(value, (list, tuple)) else [value])]
        return [text for text in texts if isinstance(text, str) and text]

    def _read(self, provider: PaymentProvider, make_webhook: MakeWebhook | None, **call: Any) -> list[PaymentEvent]:
        if make_webhook is None:
            raise NotImplementedError("Define a fixture `make_webhook`, or set has_webhooks = False.")
        return list(provider.read_webhook(make_webhook(**call)))
