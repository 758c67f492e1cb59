"""The contract kits find faults: each class here has one, and the kit's named check must fail for it."""

import inspect
import json
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest
from django.test import RequestFactory
from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers import PaymentEvent, PaymentState, RefundResult
from shop_orders.testing import (
    MemoryPaymentProvider,
    MemoryProduct,
    MemoryProductSource,
    PaymentProviderContract,
    ProductSourceContract,
)

pytestmark = pytest.mark.django_db

numbers = count(1)


class Source(MemoryProductSource):
    """A correct source, the base of the broken ones."""

    def changed(self, refs, **changes):
        return {ref: replace(product, **changes) for ref, product in MemoryProductSource().fetch(refs).items()}


class FloatPrices(Source):
    def fetch(self, refs, *, customer=None):
        return self.changed(refs, unit_price=12.5)


class ForeignPrices(Source):
    def fetch(self, refs, *, customer=None):
        return self.changed(refs, currency="USD")


class NamelessProducts(Source):
    def fetch(self, refs, *, customer=None):
        return self.changed(refs, name="")


class ForgivingRefs(Source):
    def fetch(self, refs, *, customer=None):
        return super().fetch([ref.strip() for ref in refs])


class ReadsRefsTwice(Source):
    def fetch(self, refs, *, customer=None):
        return super().fetch(refs) if any(True for _ref in refs) else {}


class ReservesInPart(Source):
    def reserve(self, quantities, *, reference):
        short = {}
        for ref, quantity in quantities.items():
            short |= super().reserve({ref: quantity}, reference=reference)
        return short


class NeverShort(Source):
    def reserve(self, quantities, *, reference):
        self._move("reserve", quantities, reference, sign=-1)
        return {}


class IgnoresUnknownProducts(Source):
    def reserve(self, quantities, *, reference):
        return super().reserve({ref: n for ref, n in quantities.items() if ref in self.products}, reference=reference)


class NeverChangesStock(Source):
    def _move(self, call, quantities, reference, *, sign):
        pass


class ReleasesShippedStock(Source):
    def ship(self, quantities, *, reference):
        self.release(quantities, reference=reference)


class FailsOnDeletedProducts(Source):
    def release(self, quantities, *, reference):
        for ref in quantities:
            self.products[ref]
        super().release(quantities, reference=reference)


class SourceKit(ProductSourceContract):
    rolls_back = False


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (FloatPrices, "test_fetch_returns_plain_values_by_ref"),
        (ForeignPrices, "test_fetch_returns_plain_values_by_ref"),
        (NamelessProducts, "test_fetch_returns_plain_values_by_ref"),
        (ForgivingRefs, "test_fetch_matches_refs_exactly"),
        (ReadsRefsTwice, "test_fetch_reads_its_refs_once"),
        (ReservesInPart, "test_reserve_takes_all_or_nothing"),
        (NeverShort, "test_reserve_takes_all_or_nothing"),
        (NeverShort, "test_reserved_stock_cannot_be_reserved_again"),
        (IgnoresUnknownProducts, "test_reserve_reports_an_unknown_product_as_short"),
        (NeverChangesStock, "test_reserve_takes_and_release_gives_back"),
        (NeverChangesStock, "test_reserved_stock_cannot_be_reserved_again"),
        (ReleasesShippedStock, "test_shipped_goods_are_not_available_until_restocked"),
        (FailsOnDeletedProducts, "test_release_ignores_a_deleted_product"),
    ],
)
def test_source_kit_finds_the_fault(broken, check):
    assert check in failures(SourceKit(), source=broken(), make_product=make_product)


def test_correct_source_passes_the_kit():
    assert failures(SourceKit(), source=Source(), make_product=make_product) == []


def make_product(*, price, available):
    ref = f"Ref-{next(numbers)}"
    MemoryProductSource.products[ref] = MemoryProduct(ref=ref, unit_price=price, available=available)
    return ref


class Provider(MemoryPaymentProvider):
    """A correct provider. Its signature header holds the secret and the length of the body."""

    def __init__(self):
        super().__init__(alias="memory")
        self.secret_key = "canary-secret"

    def read_webhook(self, request):
        if request.headers.get("X-Signature") != f"{self.secret_key}:{len(request.body)}":
            raise InvalidWebhook
        return [self.event(json.loads(request.body))]

    def event(self, fields):
        return PaymentEvent(**{**fields, "amount": Decimal(fields["amount"])})


class SkipsTheSignature(Provider):
    def read_webhook(self, request):
        return [self.event({"event_id": "1", "currency": "KES", **json.loads(request.body)})]


class SignsTheHeaderOnly(Provider):
    def read_webhook(self, request):
        if not request.headers.get("X-Signature", "").startswith(self.secret_key):
            raise InvalidWebhook
        return [self.event(json.loads(request.body))]


class NewIdEachTime(Provider):
    def event(self, fields):
        return super().event({**fields, "event_id": str(next(numbers))})


class CountsCents(Provider):
    def event(self, fields):
        return super().event({**fields, "amount": str(Decimal(fields["amount"]) * 100)})


class ChargesTwice(Provider):
    def start(self, request):
        return replace(super().start(request), reference=f"ref-{next(numbers)}")


class RefundsTwice(Provider):
    def refund(self, state, *, reference, request):
        return RefundResult(reference=f"refund-{next(numbers)}")


class ReturnsAnotherRefund(Provider):
    def fetch_refund(self, state, *, reference, refund_reference):
        return RefundResult(reference="the-last-one")


class ReturnsThePaymentState(Provider):
    def fetch_refund(self, state, *, reference, refund_reference):
        return self.fetch(state, reference=reference)


class ReportsUnpaidAsCaptured(Provider):
    def fetch(self, state, *, reference):
        return PaymentState(status="captured", reference=reference)


class FetchFailsBeforeStart(Provider):
    def fetch(self, state, *, reference):
        return PaymentState(status="pending", reference=reference or state["reference"])


class ReportsARefusalAsFailed(Provider):
    def fetch(self, state, *, reference):
        try:
            return super().fetch(state, reference=reference)
        except ProviderUnavailable:
            return PaymentState(status="failed", reference=reference)


class RaisesDeclinedForARefusedFetch(Provider):
    def fetch(self, state, *, reference):
        try:
            return super().fetch(state, reference=reference)
        except ProviderUnavailable:
            raise PaymentDeclined


class ShowsItsSecretInRepr(Provider):
    def __repr__(self):
        return f"<Provider {self.secret_key}>"


class RaisesItsOwnNetworkError(Provider):
    def start(self, request):
        if self.is_down:
            raise ConnectionError
        return super().start(request)


class ReturnsNoNextStep(Provider):
    def start(self, request):
        return replace(super().start(request), redirect_url="")


class ReturnsDataThatIsNotJson(Provider):
    def start(self, request):
        return replace(super().start(request), data={"amount": request.amount})


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (SkipsTheSignature, "test_unsigned_call_is_refused"),
        (SignsTheHeaderOnly, "test_changed_call_is_refused"),
        (NewIdEachTime, "test_webhook_sent_again_has_the_same_event_id"),
        (CountsCents, "test_webhook_becomes_an_event"),
        (ChargesTwice, "test_second_start_returns_the_same_payment"),
        (RefundsTwice, "test_refund_of_one_id_is_made_once"),
        (ReturnsAnotherRefund, "test_state_of_a_refund_can_be_fetched"),
        (ReturnsThePaymentState, "test_state_of_a_refund_can_be_fetched"),
        (ReportsUnpaidAsCaptured, "test_fetch_of_an_unpaid_payment_is_not_captured"),
        (FetchFailsBeforeStart, "test_fetch_without_a_reference_does_not_fail"),
        (ReportsARefusalAsFailed, "test_refused_question_says_nothing_about_the_payment"),
        (RaisesDeclinedForARefusedFetch, "test_refused_question_says_nothing_about_the_payment"),
        (ShowsItsSecretInRepr, "test_repr_has_no_secrets"),
        (RaisesItsOwnNetworkError, "test_network_error_is_provider_unavailable"),
        (ReturnsNoNextStep, "test_start_returns_the_next_step"),
        (ReturnsDataThatIsNotJson, "test_start_returns_the_next_step"),
    ],
)
def test_provider_kit_finds_the_fault(broken, check):
    assert check in failures_of_provider(broken())


def test_correct_provider_passes_the_kit():
    assert failures_of_provider(Provider()) == []


def failures_of_provider(provider):
    def make_webhook(*, kind, reference, amount, event_id="evt-1"):
        fields = {"kind": kind, "reference": reference, "amount": str(amount), "event_id": event_id, "currency": "KES"}
        body = json.dumps(fields)
        headers = {"X-Signature": f"canary-secret:{len(body)}"}
        return RequestFactory().post("/", body, content_type="application/json", headers=headers)

    kit = PaymentProviderContract()
    MemoryPaymentProvider.reset()
    request_to_pay = inspect.unwrap(PaymentProviderContract.request_to_pay)(kit)
    return failures(
        kit,
        provider=provider,
        make_webhook=make_webhook,
        break_network=lambda: setattr(MemoryPaymentProvider, "is_down", True),
        refuse_questions=lambda: setattr(MemoryPaymentProvider, "is_down", True),
        request_to_pay=request_to_pay,
    )


def failures(kit, **fixtures):
    """Run each check of the kit with the fixtures it takes. Returns the names of those that fail."""
    failed = []
    for name, check in inspect.getmembers(kit, inspect.ismethod):
        if not name.startswith("test_"):
            continue
        MemoryProductSource.reset()
        MemoryPaymentProvider.reset()
        try:
            check(**{wanted: fixtures[wanted] for wanted in inspect.signature(check).parameters})
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a fault may raise anything
            failed.append(name)
    MemoryPaymentProvider.reset()
    return failed
