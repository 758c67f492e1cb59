"""Contract kits. Subclass one in your tests and give its fixtures: every check is a test of yours.

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
    """What orders relies on. ``counts_stock = False`` for a source that never says how much there is.

    ``rolls_back = False`` is for one that keeps no stock in the database, as the in-memory source of tests. A shop
    must not sell from it: an order that fails after its reservation would leave the stock taken.

    Fixtures to give: ``source``, and ``make_product(price=Decimal, available=int) -> ref``.
    """

    counts_stock: ClassVar[bool] = True
    rolls_back: ClassVar[bool] = True

    @pytest.fixture
    def source(self) -> ProductSource:
        """Your product source, made as its OPTIONS make it."""
        raise NotImplementedError("Give a fixture `source` that returns your product source.")

    @pytest.fixture
    def make_product(self) -> MakeProduct:
        """A callable ``(price=Decimal, available=int) -> ref`` that puts a new product on sale in KES."""
        raise NotImplementedError("Give a fixture `make_product(price=..., available=...) -> ref`.")

    def test_fetch_answers_plain_values_by_ref(self, source: ProductSource, make_product: MakeProduct) -> None:
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

    def test_fetch_leaves_out_what_is_not_on_sale(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        odd = ["no-such-product", "", "0", "-1", "9" * 30, "a/b", "ü", "' OR 1=1 --"]
        assert set(source.fetch([ref, *odd])) == {ref}

    def test_fetch_takes_a_ref_as_it_is(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        others = [f" {ref}", f"{ref} ", f"0{ref}", *({ref.lower(), ref.upper()} - {ref})]
        assert set(source.fetch(others)) == set()

    def test_fetch_reads_its_refs_once(self, source: ProductSource, make_product: MakeProduct) -> None:
        refs = [make_product(price=Decimal("1.00"), available=1) for _number in range(2)]
        assert set(source.fetch(iter(refs))) == set(refs)
        assert set(source.fetch([])) == set()

    def test_fetch_costs_the_same_for_many(self, source: ProductSource, make_product: MakeProduct) -> None:
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

    def test_reserve_names_an_unknown_product_as_short(self, source: ProductSource) -> None:
        with transaction.atomic():
            assert dict(source.reserve({"no-such-product": 1}, reference="ORDER-1")) == {"no-such-product": 0}

    def test_a_product_that_is_gone_stops_no_order(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            source.reserve({ref: 3}, reference="ORDER-1")
            source.release({ref: 3, "no-such-product": 1}, reference="ORDER-1")
        self._assert_available(source, {ref: 5})

    def test_what_one_order_took_another_cannot(self, source: ProductSource, make_product: MakeProduct) -> None:
        if not self.counts_stock:
            return
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            assert dict(source.reserve({ref: 3}, reference="ORDER-1")) == {}
            assert dict(source.reserve({ref: 3}, reference="ORDER-2")) == {ref: 2}
        self._assert_available(source, {ref: 2})

    def test_reserve_goes_with_the_transaction(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            source.reserve({ref: 2}, reference="ORDER-1")
            transaction.set_rollback(True)
        self._assert_available(source, {ref: 5 if self.rolls_back else 3})

    def test_shipped_goods_are_gone_until_restocked(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic():
            source.reserve({ref: 3}, reference="ORDER-1")
            source.ship({ref: 3}, reference="ORDER-1-1")
        self._assert_available(source, {ref: 2})
        with transaction.atomic():
            source.restock({ref: 1}, reference="RETURN-1")
        self._assert_available(source, {ref: 3})

    def test_reserve_costs_the_same_for_many(self, source: ProductSource, make_product: MakeProduct) -> None:
        refs = [make_product(price=Decimal("1.00"), available=5) for _number in range(12)]
        with CaptureQueriesContext(connection) as few, transaction.atomic():
            source.reserve(dict.fromkeys(refs[:2], 1), reference="ORDER-1")
        with CaptureQueriesContext(connection) as many, transaction.atomic():
            source.reserve(dict.fromkeys(refs, 1), reference="ORDER-2")
        assert len(many) == len(few)

    def _assert_available(self, source: ProductSource, expected: dict[str, int]) -> None:
        """A product that is sold out may be missing from what can be bought."""
        products = source.fetch(expected)
        if self.counts_stock:
            found = {ref: products[ref].available if ref in products else 0 for ref in expected}
            assert found == expected
        else:
            assert all(products[ref].available is None for ref in expected)


class PaymentProviderContract:
    """What orders relies on. A provider that nobody calls back has ``has_webhooks = False``, one whose calls are not
    signed ``signs_webhooks = False`` (its events are not confirmed, or it asks before it believes); one whose service
    cannot recognise a repeated start has ``start_is_idempotent = False``.

    Fixtures to give: ``provider``; for webhooks ``make_webhook(kind=..., reference=..., amount=..., event_id=...)``, a
    request as the provider sends it; ``break_network()``, after which nothing answers (None without a network).
    """

    has_webhooks: ClassVar[bool] = True
    signs_webhooks: ClassVar[bool] = True
    start_is_idempotent: ClassVar[bool] = True
    amount: ClassVar[Decimal] = Decimal("12.50")

    @pytest.fixture
    def provider(self) -> PaymentProvider:
        """Your provider, speaking to a local server in place of the real one."""
        raise NotImplementedError("Give a fixture `provider` that returns your payment provider.")

    @pytest.fixture
    def make_webhook(self) -> MakeWebhook | None:
        """A callable ``(kind=, reference=, amount=, event_id=) -> HttpRequest``: the call as the provider sends it."""
        return None

    @pytest.fixture
    def break_network(self) -> Callable[[], None] | None:
        """A callable after which the provider answers nothing; None where there is no network."""
        return None

    @pytest.fixture
    def request_to_pay(self) -> PaymentRequest:
        """What the kit asks to be paid, of ``amount``."""
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

    def test_start_answers_what_happens_next(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        answer = provider.start(request_to_pay)
        assert isinstance(answer, PaymentStart)
        assert answer.reference
        assert answer.status in get_args(PaymentStatus)
        assert answer.redirect_url or answer.instructions or answer.status == "captured"
        assert answer.expires_at is None or answer.expires_at.tzinfo is not None
        json.dumps(dict(answer.data))  # it is kept with the payment

    def test_start_twice_is_one_payment(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        if not self.start_is_idempotent:
            return
        first, second = provider.start(request_to_pay), provider.start(request_to_pay)
        assert first.reference == second.reference

    def test_fetch_says_that_nothing_was_paid(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        answer = provider.start(request_to_pay)
        state = provider.fetch(dict(answer.data), reference=answer.reference)
        assert state is None or (isinstance(state, PaymentState) and state.status != "captured")

    def test_fetch_before_the_start_was_answered_is_no_fault(self, provider: PaymentProvider) -> None:
        """After a crash the expiry job asks about a payment of which only our own row is known."""
        try:
            state = provider.fetch({}, reference="")
        except (PaymentDeclined, ProviderUnavailable):
            return
        assert state is None or state.status != "captured"

    def test_refund_of_one_id_is_made_once(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        answer = provider.start(request_to_pay)
        request = RefundRequest(refund_id="refund-1", amount=Decimal("2.50"), currency="KES", reason="test")
        try:
            first = provider.refund(dict(answer.data), reference=answer.reference, request=request)
            second = provider.refund(dict(answer.data), reference=answer.reference, request=request)
        except PaymentDeclined:
            return
        assert isinstance(first, RefundResult)
        assert first.status in ("pending", "succeeded", "failed")
        assert first.reference == second.reference

    def test_a_refund_can_be_asked_about(self, provider: PaymentProvider, request_to_pay: PaymentRequest) -> None:
        """``fetch_refund`` is optional; where it answers, it speaks of the refund that it was asked about."""
        answer = provider.start(request_to_pay)
        request = RefundRequest(refund_id="refund-1", amount=Decimal("2.50"), currency="KES", reason="test")
        try:
            made = provider.refund(dict(answer.data), reference=answer.reference, request=request)
        except PaymentDeclined:
            return
        said = provider.fetch_refund(dict(answer.data), reference=answer.reference, refund_reference=made.reference)
        if said is None:
            return
        assert isinstance(said, RefundResult)
        assert said.status in ("pending", "succeeded", "failed")
        assert said.reference in ("", made.reference)

    def test_network_trouble_is_told_as_such(
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

    def test_a_changed_call_is_refused(self, provider: PaymentProvider, make_webhook: MakeWebhook | None) -> None:
        if not self.has_webhooks or not self.signs_webhooks or make_webhook is None:
            return
        request = make_webhook(kind="captured", reference="ref-1", amount=self.amount, event_id="evt-1")
        request._body = request.body + b" "  # noqa: SLF001 - as on its way
        with pytest.raises(InvalidWebhook):
            list(provider.read_webhook(request))

    def test_calls_of_strangers_are_refused(self, provider: PaymentProvider) -> None:
        request = HttpRequest()
        request.method = "POST"
        request._body = b'{"kind": "captured", "reference": "ref-1", "amount": "12.50"}'  # noqa: SLF001 - a request without a server
        with pytest.raises(InvalidWebhook):
            list(provider.read_webhook(request))

    def test_secrets_do_not_show(self, provider: PaymentProvider) -> None:
        assert not any(secret in repr(provider) for secret in self._secrets(provider))

    def _secrets(self, provider: PaymentProvider) -> list[str]:
        """Texts in attributes that sound secret, alone or in a list."""
        values = [
            value
            for name, value in vars(provider).items()
            if any(word in name for word in ("secret", "key", "passkey", "token"))
        ]
        texts = [one for value in values for one in (value if isinstance(value, (list, tuple)) else [value])]
        return [text for text in texts if isinstance(text, str) and text]

    def _read(self, provider: PaymentProvider, make_webhook: MakeWebhook | None, **call: Any) -> list[PaymentEvent]:
        if make_webhook is None:
            raise NotImplementedError("Give a fixture `make_webhook`, or set has_webhooks = False.")
        return list(provider.read_webhook(make_webhook(**call)))
