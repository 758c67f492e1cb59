"""The kit of payment providers refuses each of these faults, and says what to do."""

import json
import logging
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from shop_orders.exceptions import InvalidWebhook, PaymentDeclined, ProviderNotReached, ProviderUnavailable
from shop_orders.payment_providers import (
    IncomingPaymentEvent,
    Needs,
    PaymentEvent,
    PaymentProvider,
    PaymentStart,
    PaymentState,
    RefundResult,
    RefundState,
    from_minor_units,
    minor_units,
    signatures,
)
from shop_orders.testing import (
    LocalPaymentService,
    PaymentProviderContract,
    PaymentService,
    ServicePayment,
    ServiceRefund,
    signed_call,
)
from testproject.kits import assert_says_what_to_do, failures

SECRET = "canary-secret"
STATUS = {"open": "pending", "paid": "captured", "held": "authorised", "refused": "failed"}
numbers = count(1)


class Cards(PaymentService):
    """A card service that counts in cents and has keys, tokens and signed webhooks. ``call`` is its network."""

    def __init__(self):
        self.mode, self.payments, self.sent, self.by_key, self.token = "accept", {}, {}, {}, "token-1"

    def call(self, name, *, token="", key="", **asked):
        if self.mode == "unreachable":
            raise ConnectionRefusedError
        if self.mode == "expired_token":
            self.token = f"token-{next(numbers)}"
        if name == "token":
            return 200, {"token": self.token}
        if self.mode in ("nonsense", "unavailable"):
            return (200, "<html>") if self.mode == "nonsense" else (503, {})
        if token != self.token:
            return 401, {"error": "expired"}
        if self.mode == "declined" and name in ("start", "refund"):
            return 402, {"error": "declined"}
        response = getattr(self, f"on_{name}")(key=key, **asked)
        if self.mode in ("lost", "time_out"):
            raise TimeoutError
        return 200, response

    def on_start(self, *, key, amount, currency):
        reference = (key and self.by_key.get(key)) or f"pay-{next(numbers)}"
        self.by_key[key] = reference
        row = {"id": reference, "status": "open", "cents": amount, "currency": currency, "key": key, "paid": 0}
        return self.payments.setdefault(reference, row)

    def on_read(self, *, key, reference):
        row = self.payments.get(reference)
        if row is None:
            return {"error": "not found"}
        moved = [refund for refund in self.sent.values() if refund["payment"] == reference]
        total = sum(refund["cents"] for refund in moved if refund["status"] != "failed")
        return {**row, "refunded": total, "refunds": moved}

    def on_refund(self, *, key, reference, amount, currency):
        refund = self.by_key.get(key) or f"ref-{next(numbers)}"
        self.by_key[key] = refund
        row = {"id": refund, "payment": reference, "cents": amount, "currency": currency, "key": key}
        return self.sent.setdefault(refund, {**row, "status": "succeeded"})

    def on_read_refund(self, *, key, reference):
        return self.sent[reference]

    def on_close(self, *, key, reference):
        return self.payments[reference]

    def on_capture(self, *, key, reference, amount):
        self.payments[reference].update(status="paid", paid=amount)
        return self.payments[reference]

    def behave(self, mode):
        self.mode = mode

    def requested(self):
        return [
            ServicePayment(reference=row["id"], amount=money(row), currency=row["currency"], key=row["key"])
            for row in self.payments.values()
        ]

    def pay(self, reference, *, amount=None):
        row = self.payments[reference]
        row.update(status="paid", paid=row["cents"] if amount is None else minor_units(amount, row["currency"]))

    def authorise(self, reference):
        self.payments[reference]["status"] = "held"

    def fail(self, reference):
        self.payments[reference]["status"] = "refused"

    def refunds(self):
        return [
            ServiceRefund(
                reference=row["id"],
                payment=row["payment"],
                amount=money(row),
                currency=row["currency"],
                key=row["key"],
            )
            for row in self.sent.values()
        ]

    def fail_refund(self, reference):
        self.sent[reference]["status"] = "failed"

    def refund_elsewhere(self, reference, amount):
        currency = self.payments[reference]["currency"]
        self.on_refund(
            key=f"desk-{next(numbers)}", reference=reference, amount=minor_units(amount, currency), currency=currency
        )

    def webhook(self, kind, reference, *, amount=None, currency="", event_id="evt-1"):
        said = {"kind": kind, "id": reference, "currency": currency}
        said |= {} if amount is None else {"cents": minor_units(amount, currency)}
        return signed_call(said, SECRET, event_id=event_id)

    def incoming(self, receipt, *, amount, currency, account):
        said = {"receipt": receipt, "cents": minor_units(amount, currency), "currency": currency, "account": account}
        return signed_call(said, SECRET)


def money(row):
    return from_minor_units(row["cents"], row["currency"])


class Good(PaymentProvider):
    """Passes every check of the kit. Each class below changes one thing."""

    def __init__(self, service):
        super().__init__(alias="cards")
        self.service, self.webhook_secrets, self.token = service, [SECRET], ""

    def start(self, request):
        amount = self.cents(request.amount, request.currency)
        row = self.call("start", key=self.start_key(request), amount=amount, currency=request.currency)
        return PaymentStart(reference=row["id"], redirect_url=f"https://cards.example.org/{row['id']}")

    def start_key(self, request):
        return request.payment_id

    def refund_key(self, request):
        return request.refund_id

    def cents(self, amount, currency):
        return minor_units(amount, currency)

    def money(self, cents, currency):
        return from_minor_units(cents, currency)

    def fetch(self, state, *, reference):
        row = self.call("read", reference=reference)
        if "id" not in row:
            return self.unknown(reference)
        status = self.status(row)
        captured = self.captured(row) if status == "captured" else None
        refunded = self.money(row["refunded"], row["currency"])
        return PaymentState(
            status=status,
            reference=reference,
            captured=captured,
            refunded=refunded,
            refunds=[self.refund_state(refund) for refund in row["refunds"]],
            currency=row["currency"],
        )

    def refund_state(self, row):
        amount = self.money(row["cents"], row["currency"])
        return RefundState(status=row["status"], amount=amount, refund_id=row["key"], reference=row["id"])

    def unknown(self, reference):
        return None

    def status(self, row):
        return STATUS[row["status"]]

    def captured(self, row):
        return self.money(row["paid"], row["currency"])

    def capture(self, state, *, reference, amount, currency):
        row = self.call("capture", reference=reference, amount=self.cents(amount, currency))
        return PaymentState(status="captured", reference=reference, captured=self.money(row["paid"], currency))

    def refund(self, state, *, reference, request):
        amount = self.cents(request.amount, request.currency)
        key = self.refund_key(request)
        row = self.call("refund", key=key, reference=reference, amount=amount, currency=request.currency)
        return RefundResult(status=row["status"], reference=row["id"])

    def fetch_refund(self, state, *, reference, refund_reference):
        row = self.call("read_refund", reference=refund_reference)
        return RefundResult(status=row["status"], reference=row["id"])

    def cancel(self, state, *, reference):
        self.call("close", reference=reference)

    def read_webhook(self, request):
        event_id = self.verify(request)
        try:
            return [self.event(json.loads(request.body), event_id)]
        except (ValueError, KeyError, TypeError, ArithmeticError):
            raise InvalidWebhook

    def verify(self, request):
        return signatures.verify(request, self.webhook_secrets)

    def incoming(self, said):
        amount = self.money(said["cents"], said["currency"])
        return IncomingPaymentEvent(
            receipt=said["receipt"], amount=amount, currency=said["currency"], account=said["account"]
        )

    def event(self, said, event_id):
        if "receipt" in said:
            return self.incoming(said)
        amount = self.money(said["cents"], said["currency"]) if "cents" in said else None
        return PaymentEvent(
            event_id=event_id, kind=said["kind"], reference=said["id"], amount=amount, currency=said["currency"]
        )

    def call(self, name, **asked):
        for _attempt in range(2):
            self.token = self.token or self.send("token")["token"]
            try:
                return self.send(name, token=self.token, **asked)
            except PermissionError:
                self.token = ""
        raise ProviderUnavailable

    def send(self, name, **asked):
        try:
            status, response = self.service.call(name, **asked)
        except OSError as error:
            raise self.trouble(error) from error
        return self.checked(status, response)

    def trouble(self, error):
        return ProviderUnavailable()

    def checked(self, status, response):
        if status == 401:
            raise PermissionError
        if status == 402:
            raise PaymentDeclined
        if status >= 400 or not isinstance(response, dict):
            raise ProviderUnavailable
        return response


class SendsUnits(Good):
    """Shillings where the service counts in cents."""

    def cents(self, amount, currency):
        return int(amount)


class AlwaysHundred(Good):
    """Yen have no hundredth."""

    def cents(self, amount, currency):
        return int(amount * 100)


class ByFloat(Good):
    """0.29 * 100 is 28.999..."""

    def cents(self, amount, currency):
        return minor_units(amount, currency) if currency != "KES" else int(float(amount) * 100)


class RoundsDown(Good):
    """The service takes whole shillings."""

    def start(self, request):
        whole = request.amount if request.currency != "KES" or request.amount != Decimal("12.34") else Decimal(12)
        return super().start(replace(request, amount=whole))


class NeedsAsDict(Good):
    needs = {"phone": True}


class NeedsInSmallLetters(Good):
    needs = Needs(currencies=("kes",))


class NeedsOneText(Good):
    needs = Needs(currencies="KES")


class NeedsFloat(Good):
    needs = Needs(minimum=0.1)


class NeedsCount(Good):
    needs = Needs(phone=1)


class NeedsWholeUnits(Good):
    """The service takes cents, as ``amounts`` says."""

    needs = Needs(whole_units=True)


class AsksForThePhoneTooLate(Good):
    def start(self, request):
        if not request.phone:
            raise PaymentDeclined("Enter a phone number.")
        return super().start(request)


class AsksForTheEmailTooLate(Good):
    needs = Needs(phone=True)

    def start(self, request):
        if not request.email:
            raise PaymentDeclined("Enter an e-mail address.")
        return super().start(request)


class OneCurrency(Good):
    def start(self, request):
        return super().start(replace(request, currency="KES", amount=request.amount))


class NewKeyEachTime(Good):
    def start_key(self, request):
        return f"{request.payment_id}-{next(numbers)}"


class NoKey(Good):
    def start_key(self, request):
        return ""


class KeyOfTheOrder(Good):
    """Two attempts of one order are one payment."""

    def start_key(self, request):
        return request.return_url


class NoNextStep(Good):
    def start(self, request):
        return replace(super().start(request), redirect_url="")


class NoReference(Good):
    def start(self, request):
        return replace(super().start(request), reference="")


class ReferenceOfOurs(Good):
    """The service does not know this reference."""

    def start(self, request):
        return replace(super().start(request), reference=request.payment_id)


class StoresDecimals(Good):
    def start(self, request):
        return replace(super().start(request), data={"amount": request.amount})


class NaiveExpiry(Good):
    def start(self, request):
        from datetime import datetime

        return replace(super().start(request), expires_at=datetime(2026, 1, 1))  # noqa: DTZ001


class RefusedIsAway(Good):
    def checked(self, status, response):
        return super().checked(503 if status == 402 else status, response)


class AwayIsRefused(Good):
    def checked(self, status, response):
        return super().checked(402 if status == 503 else status, response)


class LetsErrorsThrough(Good):
    def trouble(self, error):
        return error


class TimeOutIsRefused(Good):
    def trouble(self, error):
        return PaymentDeclined()


class SaysNotSent(Good):
    """The request had arrived."""

    def trouble(self, error):
        return ProviderNotReached()


class Hangs(Good):
    def trouble(self, error):
        if self.service.mode == "time_out":
            time.sleep(0.4)
        return super().trouble(error)


class ParsesAnything(Good):
    def checked(self, status, response):
        return response if status == 200 else super().checked(status, response)


class KeepsAnExpiredToken(Good):
    def call(self, name, **asked):
        self.token = self.token or self.send("token")["token"]
        try:
            return self.send(name, token=self.token, **asked)
        except PermissionError:
            raise ProviderUnavailable


class ExpiredTokenIsAnAnswer(Good):
    def checked(self, status, response):
        if status == 401:
            return {"id": "?", "status": "refused", "refunded": 0, "currency": "KES"}
        return super().checked(status, response)


class ExpiredTokenIsARefusal(Good):
    def call(self, name, **asked):
        self.token = self.token or self.send("token")["token"]
        try:
            return self.send(name, token=self.token, **asked)
        except PermissionError:
            self.token = ""
            raise PaymentDeclined


class PaidAtOnce(Good):
    def status(self, row):
        return "captured"


class NeverAsks(Good):
    def fetch(self, state, *, reference):
        return None


class RemembersTheState(Good):
    """It always returns its first result."""

    def __init__(self, service):
        super().__init__(service)
        self.states = {}

    def fetch(self, state, *, reference):
        return self.states.setdefault("last", super().fetch(state, reference=reference))


class FailedIsPending(Good):
    def status(self, row):
        return "pending" if row["status"] == "refused" else super().status(row)


class UnknownIsFailed(Good):
    def unknown(self, reference):
        return PaymentState(status="failed", reference=reference)


class ReportsWhatWasAsked(Good):
    def captured(self, row):
        return self.money(row["cents"], row["currency"])


class ReportsCents(Good):
    def money(self, cents, currency):
        return Decimal(cents)


class ReportsFloats(Good):
    def money(self, cents, currency):
        return float(super().money(cents, currency))


class AlwaysTwoDecimals(Good):
    """Only in the responses."""

    def money(self, cents, currency):
        return Decimal(cents) / 100


class AnotherReference(Good):
    def fetch(self, state, *, reference):
        state = super().fetch(state, reference=reference)
        return state and replace(state, reference="the-last-one")


class AuthorisedIsPaid(Good):
    def status(self, row):
        return "captured" if row["status"] == "held" else super().status(row)


class RefundsTwice(Good):
    def refund_key(self, request):
        return f"refund-{next(numbers)}"


class RefundsOnceForAll(Good):
    def refund_key(self, request):
        return "refund"


class RefundsTheSum(Good):
    def refund(self, state, *, reference, request):
        row = self.call("read", reference=reference)
        whole = self.money(row["paid"], row["currency"])
        return super().refund(state, reference=reference, request=replace(request, amount=whole))


class RefundsInOneCurrency(Good):
    def refund(self, state, *, reference, request):
        return super().refund(state, reference=reference, request=replace(request, currency="KES"))


class ByHandAndSent(Good):
    refunds_by_hand = True


class SaysTrue(Good):
    def refund(self, state, *, reference, request):
        super().refund(state, reference=reference, request=request)
        return True


class StateOfAnotherRefund(Good):
    def fetch_refund(self, state, *, reference, refund_reference):
        return replace(
            super().fetch_refund(state, reference=reference, refund_reference=refund_reference), reference="re-1"
        )


class RefundsNeverFail(Good):
    def fetch_refund(self, state, *, reference, refund_reference):
        return RefundResult(reference=refund_reference)


class ForgetsTheDesk(Good):
    """Its total has the shop's own refunds only."""

    def fetch(self, state, *, reference):
        state = super().fetch(state, reference=reference)
        own = [row for row in self.service.refunds() if not row.key.startswith("desk") and row.payment == reference]
        return state and replace(state, refunded=sum((row.amount for row in own), Decimal(0)))


class HidesTheDesk(Good):
    """It reports no refunds at all."""

    def fetch(self, state, *, reference):
        state = super().fetch(state, reference=reference)
        return state and replace(state, refunded=None, refunds=None)


class ListsNoRefunds(Good):
    """It reports the total only."""

    def fetch(self, state, *, reference):
        state = super().fetch(state, reference=reference)
        return state and replace(state, refunds=None)


class ListsOwnRefunds(Good):
    def fetch(self, state, *, reference):
        state = super().fetch(state, reference=reference)
        own = [row for row in state.refunds if not row.refund_id.startswith("desk")] if state else []
        return state and replace(state, refunds=own)


class BelievesAnybody(Good):
    def verify(self, request):
        return request.headers.get("webhook-id", "evt-0")


class BelievesTheBody(Good):
    """The signature is compared, but not over the body."""

    def verify(self, request):
        if not request.headers.get("webhook-signature"):
            raise InvalidWebhook
        return request.headers["webhook-id"]


class NewEventIdEachTime(Good):
    def event(self, said, event_id):
        return super().event(said, f"evt-{next(numbers)}")


class EventIdOfTheKind(Good):
    def event(self, said, event_id):
        return super().event(said, said["kind"])


class NothingIsZero(Good):
    def event(self, said, event_id):
        return super().event({"cents": 0, **said}, event_id)


class StumblesWithoutAmount(Good):
    def read_webhook(self, request):
        event_id = self.verify(request)
        said = json.loads(request.body)
        return [self.event({**said, "cents": said["cents"]}, event_id)]


class OurCurrency(Good):
    def event(self, said, event_id):
        return replace(super().event(said, event_id), currency="KES")


class LastPaymentIsMeant(Good):
    """It replaces an unknown reference by the last known one."""

    def event(self, said, event_id):
        known = list(self.service.payments)
        return super().event({**said, "id": said["id"] if said["id"] in known else known[-1]}, event_id)


class NamesNoPayment(Good):
    def event(self, said, event_id):
        return replace(super().event(said, event_id), reference="")


class FailedIsPaid(Good):
    def event(self, said, event_id):
        return super().event({**said, "kind": said["kind"].replace("failed", "captured")}, event_id)


class UnknownKind(Good):
    def event(self, said, event_id):
        return super().event({**said, "kind": f"payment.{said['kind']}"}, event_id)


class IgnoresPayments(Good):
    def read_webhook(self, request):
        return [event for event in super().read_webhook(request) if event.kind != "captured"]


class ByHandIsAPayment(Good):
    def incoming(self, said):
        return PaymentEvent(event_id=said["receipt"], kind="captured", reference=said["receipt"])


class NewReceiptEachTime(Good):
    def incoming(self, said):
        return replace(super().incoming(said), receipt=f"receipt-{next(numbers)}")


class ForgetsTheAccount(Good):
    def incoming(self, said):
        return replace(super().incoming(said), account="")


class CancelFails(Good):
    def cancel(self, state, *, reference):
        raise PaymentDeclined


class CancelUndoesAPayment(Good):
    def cancel(self, state, *, reference):
        self.service.fail(reference)


class TellsItsSecret(Good):
    def __repr__(self):
        return f"<Cards {self.webhook_secrets}>"


class LogsItsSecret(Good):
    def send(self, name, **asked):
        logging.getLogger("cards").debug("call %s with %s", name, self.webhook_secrets[0])
        return super().send(name, **asked)


class Kit(PaymentProviderContract):
    __test__ = False
    max_seconds = 0.1


MUTANTS = [
    (SendsUnits, "test_start_asks_for_the_exact_amount", "start"),
    (AlwaysHundred, "test_start_asks_for_the_exact_amount", "start"),
    (ByFloat, "test_start_asks_for_the_exact_amount", "start"),
    (RoundsDown, "test_start_refuses_an_amount_or_sends_it_unchanged", "start"),
    (NeedsAsDict, "test_needs_can_be_used", "needs"),
    (NeedsInSmallLetters, "test_needs_can_be_used", "needs"),
    (NeedsOneText, "test_needs_can_be_used", "needs"),
    (NeedsFloat, "test_needs_can_be_used", "needs"),
    (NeedsCount, "test_needs_can_be_used", "needs"),
    (NeedsWholeUnits, "test_needs_can_be_used", "whole_units"),
    (AsksForThePhoneTooLate, "test_start_works_without_what_is_not_needed", "phone"),
    (AsksForTheEmailTooLate, "test_start_works_without_what_is_not_needed", "email"),
    (OneCurrency, "test_start_asks_for_the_exact_amount", "start"),
    (NewKeyEachTime, "test_repeated_start_is_one_payment", "start"),
    (NewKeyEachTime, "test_start_whose_response_is_lost_can_be_repeated", "start"),
    (NoKey, "test_repeated_start_is_one_payment", "start"),
    (KeyOfTheOrder, "test_another_payment_id_is_another_payment", "start"),
    (NoNextStep, "test_start_returns_the_next_step", "start"),
    (NoReference, "test_start_returns_the_next_step", "start"),
    (ReferenceOfOurs, "test_start_asks_for_the_exact_amount", "start"),
    (StoresDecimals, "test_start_returns_the_next_step", "start"),
    (NaiveExpiry, "test_start_returns_the_next_step", "start"),
    (RefusedIsAway, "test_refused_start_is_declined", "start"),
    (RefusedIsAway, "test_refused_refund_is_declined", "refund"),
    (AwayIsRefused, "test_start_is_unavailable_when_the_service_is", "start"),
    (AwayIsRefused, "test_fetch_returns_no_state_when_the_service_fails", "fetch"),
    (AwayIsRefused, "test_refund_is_unavailable_when_the_service_is", "refund"),
    (LetsErrorsThrough, "test_start_is_unavailable_when_the_service_is", "start"),
    (LetsErrorsThrough, "test_calls_have_a_time_out", "start"),
    (TimeOutIsRefused, "test_start_whose_response_is_lost_can_be_repeated", "start"),
    (TimeOutIsRefused, "test_refund_whose_response_is_lost_is_sent_once", "refund"),
    (SaysNotSent, "test_start_whose_response_is_lost_can_be_repeated", "start"),
    (Hangs, "test_calls_have_a_time_out", "start"),
    (Hangs, "test_fetch_has_a_time_out", "fetch"),
    (ParsesAnything, "test_start_is_unavailable_when_the_service_is", "start"),
    (KeepsAnExpiredToken, "test_fetch_returns_no_state_when_the_service_fails", "fetch"),
    (ExpiredTokenIsAnAnswer, "test_fetch_returns_no_state_when_the_service_fails", "fetch"),
    (ExpiredTokenIsARefusal, "test_fetch_returns_no_state_when_the_service_fails", "fetch"),
    (ExpiredTokenIsARefusal, "test_start_is_unavailable_when_the_service_is", "start"),
    (PaidAtOnce, "test_unpaid_payment_is_not_captured", "fetch"),
    (NeverAsks, "test_paid_payment_is_captured_with_its_amount", "fetch"),
    (RemembersTheState, "test_payments_are_told_apart", "fetch"),
    (FailedIsPending, "test_failed_payment_is_not_captured_or_pending", "fetch"),
    (UnknownIsFailed, "test_unknown_payment_has_no_final_status", "fetch"),
    (ReportsWhatWasAsked, "test_another_amount_is_reported_as_it_is", "captured"),
    (ReportsCents, "test_paid_payment_is_captured_with_its_amount", "captured"),
    (ReportsFloats, "test_paid_payment_is_captured_with_its_amount", "captured"),
    (ReportsFloats, "test_webhook_of_a_paid_payment_is_a_captured_event", "read_webhook"),
    (AlwaysTwoDecimals, "test_paid_payment_is_captured_with_its_amount", "captured"),
    (AnotherReference, "test_paid_payment_is_captured_with_its_amount", "fetch"),
    (AuthorisedIsPaid, "test_authorised_payment_is_captured_once", "fetch"),
    (RefundsTwice, "test_refund_sends_the_exact_amount_once", "refund"),
    (RefundsTwice, "test_refund_whose_response_is_lost_is_sent_once", "refund"),
    (RefundsOnceForAll, "test_another_refund_id_is_another_refund", "refund"),
    (RefundsTheSum, "test_another_refund_id_is_another_refund", "refund"),
    (RefundsInOneCurrency, "test_refund_sends_the_exact_amount_once", "refund"),
    (ByHandAndSent, "test_refund_sends_the_exact_amount_once", "refund"),
    (SaysTrue, "test_repeated_refund_has_one_reference", "refund"),
    (StateOfAnotherRefund, "test_fetch_refund_returns_the_state_of_the_given_refund", "fetch_refund"),
    (RefundsNeverFail, "test_failed_refund_is_reported", "fetch_refund"),
    (ForgetsTheDesk, "test_fetch_reports_what_was_refunded", "fetch"),
    (HidesTheDesk, "test_fetch_reports_what_was_refunded", "refunds"),
    (ListsNoRefunds, "test_fetch_reports_what_was_refunded", "refunds"),
    (ListsOwnRefunds, "test_fetch_reports_what_was_refunded", "refunds"),
    (BelievesAnybody, "test_unsigned_call_is_refused", "read_webhook"),
    (BelievesTheBody, "test_changed_call_is_refused", "read_webhook"),
    (NewEventIdEachTime, "test_each_event_has_its_own_id", "read_webhook"),
    (EventIdOfTheKind, "test_each_event_has_its_own_id", "read_webhook"),
    (NothingIsZero, "test_event_without_an_amount_says_so", "read_webhook"),
    (StumblesWithoutAmount, "test_event_without_an_amount_says_so", "read_webhook"),
    (OurCurrency, "test_another_currency_is_reported", "read_webhook"),
    (LastPaymentIsMeant, "test_event_of_a_foreign_payment_keeps_its_reference", "read_webhook"),
    (NamesNoPayment, "test_webhook_of_a_paid_payment_is_a_captured_event", "event"),
    (NamesNoPayment, "test_refund_event_has_its_amount_and_reference", "read_webhook"),
    (FailedIsPaid, "test_webhook_of_a_failed_payment_is_a_failed_event", "read_webhook"),
    (UnknownKind, "test_webhook_of_a_paid_payment_is_a_captured_event", "read_webhook"),
    (IgnoresPayments, "test_webhook_of_a_paid_payment_is_a_captured_event", "read_webhook"),
    (ByHandIsAPayment, "test_money_sent_by_hand_is_reported", "read_webhook"),
    (NewReceiptEachTime, "test_money_sent_by_hand_is_reported", "read_webhook"),
    (ForgetsTheAccount, "test_money_sent_by_hand_is_reported", "read_webhook"),
    (CancelFails, "test_cancel_returns_nothing_and_changes_no_paid_payment", "cancel"),
    (CancelUndoesAPayment, "test_cancel_returns_nothing_and_changes_no_paid_payment", "cancel"),
    (TellsItsSecret, "test_secrets_are_in_no_repr_error_or_log", "webhook_secrets"),
    (LogsItsSecret, "test_secrets_are_in_no_repr_error_or_log", "webhook_secrets"),
]


@cache
def refused_by(provider_class, kit=Kit):
    def fixtures():
        service = Cards()
        return {"service": service, "provider": provider_class(service)}

    return failures(kit(), fixtures)


@pytest.mark.parametrize(("mutant", "check", "names"), MUTANTS, ids=lambda value: getattr(value, "__name__", None))
def test_kit_refuses_the_fault_and_says_what_to_do(mutant, check, names):
    found = refused_by(mutant)
    assert check in found
    assert_says_what_to_do(found[check], names=names)


def test_every_failure_of_every_mutant_is_a_sentence():
    for mutant, _check, _names in MUTANTS:
        for message in refused_by(mutant).values():
            assert_says_what_to_do(message, names="")


def test_right_provider_passes():
    assert refused_by(Good) == {}


def test_service_without_a_list_of_refunds_passes():
    class Totals(Kit):
        lists_refunds = False

    assert refused_by(ListsNoRefunds, kit=Totals) == {}


def test_kit_is_tried_with_many_faults():
    assert len({mutant for mutant, _check, _names in MUTANTS}) >= 12


class RingsOnce(Good):
    """A service without keys: the shop does not repeat the start."""

    start_once_for = timedelta(minutes=2)

    def start_key(self, request):
        return ""


def test_right_provider_that_must_not_repeat_passes():
    assert refused_by(RingsOnce) == {}


class Unsigned(Good):
    """Its calls are not signed; it confirms each event with the service."""

    def verify(self, request):
        return request.headers.get("webhook-id") or "evt-0"

    def read_webhook(self, request):
        (event,) = super().read_webhook(request)
        if isinstance(event, IncomingPaymentEvent):
            return [event]
        try:
            state = self.fetch({}, reference=event.reference)
        except ProviderUnavailable:
            state = None
        return [replace(event, is_confirmed=bool(state) and state.status == event.kind)]


class ByHandIsConfirmed(Unsigned):
    def incoming(self, said):
        return replace(super().incoming(said), status="confirmed")


class UnsignedAndBelieved(Unsigned):
    def read_webhook(self, request):
        (event,) = super().read_webhook(request)
        return [replace(event, is_confirmed=True) if isinstance(event, PaymentEvent) else event]


class UnsignedKit(Kit):
    signs_webhooks = False


def test_unsigned_calls_must_be_confirmed():
    assert refused_by(Unsigned, UnsignedKit) == {}
    found = refused_by(UnsignedAndBelieved, UnsignedKit)
    assert list(found) == ["test_forged_call_is_not_confirmed"]
    assert_says_what_to_do(found["test_forged_call_is_not_confirmed"], names="read_webhook")
    found = refused_by(ByHandIsConfirmed, UnsignedKit)
    assert list(found) == ["test_money_sent_by_hand_is_reported"]


@pytest.mark.parametrize("response", [KeyError("missing"), (200, {"amount": Decimal(5)}), 7])
def test_fault_of_the_stand_in_fails_the_test(response):
    class Broken(LocalPaymentService):
        def respond(self, method, path, body, headers):
            if isinstance(response, Exception):
                raise response
            return response

    def call():
        with Broken() as service, pytest.raises(HTTPError, match="500"):
            urlopen(service.url, timeout=5)

    with pytest.raises(AssertionError, match="`respond` of the stand-in Broken failed") as raised:
        call()
    assert isinstance(raised.value.__cause__, KeyError | TypeError)


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        ("application/json", None),
        ("application/json", b'{"payment": "7"}'),
        ("application/x-www-form-urlencoded", b"payment=7"),
    ],
)
def test_local_service_gets_the_values_of_the_query_or_of_the_body(content_type, sent):
    class Echo(LocalPaymentService):
        def respond(self, method, path, body, headers):
            return 200, [method, path, body]

    with Echo() as service:
        url = f"{service.url}/refunds" + ("" if sent else "?payment=7")
        with urlopen(Request(url, sent, {"Content-Type": content_type}), timeout=5) as response:
            assert json.load(response) == ["POST" if sent else "GET", "/refunds", {"payment": "7"}]
