"""The kits find what is broken: each class here has one fault, and the check that is named must fail."""

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
    """Right in all that the kit looks at."""

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


class TakesWhatThereIs(Source):
    def reserve(self, quantities, *, reference):
        short = {}
        for ref, quantity in quantities.items():
            short |= super().reserve({ref: quantity}, reference=reference)
        return short


class NeverShort(Source):
    def reserve(self, quantities, *, reference):
        self._move("reserve", quantities, reference, sign=-1)
        return {}


class SilentAboutUnknown(Source):
    def reserve(self, quantities, *, reference):
        return super().reserve({ref: n for ref, n in quantities.items() if ref in self.products}, reference=reference)


class ChecksOnly(Source):
    def _move(self, call, quantities, reference, *, sign):
        pass


class GivesShippedBack(Source):
    def ship(self, quantities, *, reference):
        self.release(quantities, reference=reference)


class StumblesOverGone(Source):
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
        (TakesWhatThereIs, "test_reserve_takes_all_or_nothing"),
        (NeverShort, "test_reserve_takes_all_or_nothing"),
        (NeverShort, "test_reserved_stock_cannot_be_reserved_again"),
        (SilentAboutUnknown, "test_reserve_reports_an_unknown_product_as_short"),
        (ChecksOnly, "test_reserve_takes_and_release_gives_back"),
        (ChecksOnly, "test_reserved_stock_cannot_be_reserved_again"),
        (GivesShippedBack, "test_shipped_goods_are_not_available_until_restocked"),
        (StumblesOverGone, "test_release_ignores_a_deleted_product"),
    ],
)
def test_kit_of_sources_finds_the_fault(broken, check):
    assert check in failures(SourceKit(), source=broken(), make_product=make_product)


def test_right_source_passes_the_kit():
    assert failures(SourceKit(), source=Source(), make_product=make_product) == []


def make_product(*, price, available):
    ref = f"Ref-{next(numbers)}"
    MemoryProductSource.products[ref] = MemoryProduct(ref=ref, unit_price=price, available=available)
    return ref


class Provider(MemoryPaymentProvider):
    """Signs with a word in a header that covers the length."""

    def __init__(self):
        super().__init__(alias="memory")
        self.secret_key = "canary-secret"

    def read_webhook(self, request):
        if request.headers.get("X-Signature") != f"{self.secret_key}:{len(request.body)}":
            raise InvalidWebhook
        return [self.event(json.loads(request.body))]

    def event(self, said):
        return PaymentEvent(**{**said, "amount": Decimal(said["amount"])})


class BelievesAnybody(Provider):
    def read_webhook(self, request):
        return [self.event({"event_id": "1", "currency": "KES", **json.loads(request.body)})]


class SignsTheHeaderOnly(Provider):
    def read_webhook(self, request):
        if not request.headers.get("X-Signature", "").startswith(self.secret_key):
            raise InvalidWebhook
        return [self.event(json.loads(request.body))]


class NewIdEachTime(Provider):
    def event(self, said):
        return super().event({**said, "event_id": str(next(numbers))})


class CountsCents(Provider):
    def event(self, said):
        return super().event({**said, "amount": str(Decimal(said["amount"]) * 100)})


class ChargesTwice(Provider):
    def start(self, request):
        return replace(super().start(request), reference=f"ref-{next(numbers)}")


class RefundsTwice(Provider):
    def refund(self, state, *, reference, request):
        return RefundResult(reference=f"refund-{next(numbers)}")


class TellsOfAnotherRefund(Provider):
    def fetch_refund(self, state, *, reference, refund_reference):
        return RefundResult(reference="the-last-one")


class AnswersThePaymentsState(Provider):
    def fetch_refund(self, state, *, reference, refund_reference):
        return self.fetch(state, reference=reference)


class PaidAtOnceForFree(Provider):
    def fetch(self, state, *, reference):
        return PaymentState(status="captured", reference=reference)


class StumblesBeforeStart(Provider):
    def fetch(self, state, *, reference):
        return PaymentState(status="pending", reference=reference or state["reference"])


class TakesARefusalForAFailure(Provider):
    def fetch(self, state, *, reference):
        try:
            return super().fetch(state, reference=reference)
        except ProviderUnavailable:
            return PaymentState(status="failed", reference=reference)


class CallsARefusalADecline(Provider):
    def fetch(self, state, *, reference):
        try:
            return super().fetch(state, reference=reference)
        except ProviderUnavailable:
            raise PaymentDeclined


class TellsItsSecret(Provider):
    def __repr__(self):
        return f"<Provider {self.secret_key}>"


class RaisesItsOwn(Provider):
    def start(self, request):
        if self.is_down:
            raise ConnectionError
        return super().start(request)


class LeavesNoWay(Provider):
    def start(self, request):
        return replace(super().start(request), redirect_url="")


class KeepsWhatIsNoJson(Provider):
    def start(self, request):
        return replace(super().start(request), data={"amount": request.amount})


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (BelievesAnybody, "test_unsigned_call_is_refused"),
        (SignsTheHeaderOnly, "test_changed_call_is_refused"),
        (NewIdEachTime, "test_webhook_sent_again_has_the_same_event_id"),
        (CountsCents, "test_webhook_becomes_an_event"),
        (ChargesTwice, "test_second_start_returns_the_same_payment"),
        (RefundsTwice, "test_refund_of_one_id_is_made_once"),
        (TellsOfAnotherRefund, "test_state_of_a_refund_can_be_fetched"),
        (AnswersThePaymentsState, "test_state_of_a_refund_can_be_fetched"),
        (PaidAtOnceForFree, "test_fetch_of_an_unpaid_payment_is_not_captured"),
        (StumblesBeforeStart, "test_fetch_without_a_reference_does_not_fail"),
        (TakesARefusalForAFailure, "test_refused_question_says_nothing_about_the_payment"),
        (CallsARefusalADecline, "test_refused_question_says_nothing_about_the_payment"),
        (TellsItsSecret, "test_repr_has_no_secrets"),
        (RaisesItsOwn, "test_network_error_is_provider_unavailable"),
        (LeavesNoWay, "test_start_returns_the_next_step"),
        (KeepsWhatIsNoJson, "test_start_returns_the_next_step"),
    ],
)
def test_kit_of_providers_finds_the_fault(broken, check):
    assert check in failures_of_provider(broken())


def test_right_provider_passes_the_kit():
    assert failures_of_provider(Provider()) == []


def failures_of_provider(provider):
    def make_webhook(*, kind, reference, amount, event_id="evt-1"):
        said = {"kind": kind, "reference": reference, "amount": str(amount), "event_id": event_id, "currency": "KES"}
        body = json.dumps(said)
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
    """Names of the kit's checks that fail, each run with the fixtures that it asks for."""
    failed = []
    for name, check in inspect.getmembers(kit, inspect.ismethod):
        if not name.startswith("test_"):
            continue
        MemoryProductSource.reset()
        MemoryPaymentProvider.reset()
        try:
            check(**{wanted: fixtures[wanted] for wanted in inspect.signature(check).parameters})
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a fault looks like
            failed.append(name)
    MemoryPaymentProvider.reset()
    return failed
