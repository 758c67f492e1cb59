"""The checks of ``read_webhook``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from shop_orders.exceptions import InvalidWebhook
from shop_orders.payment_providers import IncomingPaymentEvent, PaymentEvent, PaymentProvider
from shop_orders.payment_providers.base import EventKind
from shop_orders.testing.failures import expect, outcome_of, result_of
from shop_orders.testing.payment_contract.base import PaymentContractBase
from shop_orders.testing.payment_services import PaymentService

AUTHENTICATE = "Verify the signature over the raw body first, in constant time, and raise InvalidWebhook."


class WebhookChecks(PaymentContractBase):
    def test_webhook_of_a_paid_payment_is_a_captured_event(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self._calling(service)
        for request in self.requests():
            started = self.paid(provider, service, request)
            call = self._call(service, "captured", started.reference, amount=request.amount, currency=request.currency)
            (event,) = self._only(self._read(provider, call), "captured")
            reported = (event.amount, event.currency or request.currency)
            expect(
                reported == (request.amount, request.currency) and isinstance(event.amount, Decimal),
                f"{request.amount} {request.currency} were paid, and read_webhook returned "
                f"{event.amount!r} {event.currency}.",
                "Return the amount as a Decimal in the currency's main unit, and the ISO 4217 code in capitals: "
                "shop_orders.payment_providers.from_minor_units converts cents.",
            )
            expect(
                event.reference == started.reference or event.payment_id == request.payment_id,
                f"The event has the reference {event.reference!r} and the payment_id {event.payment_id!r}; start "
                f"returned {started.reference!r} for {request.payment_id!r}.",
                "One of the two must be that of the payment, or nobody finds it.",
            )

    def test_webhook_of_a_failed_payment_is_a_failed_event(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self._calling(service)
        started = self.started(provider)
        service.fail(started.reference)
        for event in self._read(provider, self._call(service, "failed", started.reference)):
            expect(
                event.kind in ("failed", "cancelled"),
                f"read_webhook returned the kind {event.kind!r} for the call about a payment that failed.",
                "Return “failed” or “cancelled”.",
            )

    def test_each_event_has_its_own_id(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self._calling(service)
        first, second = (self.paid(provider, service, self.request(number)) for number in (1, 2))
        amount, currency = Decimal(self.amounts[0][0]), self.amounts[0][1]
        ids = []
        for started, event_id in ((first, "evt-1"), (first, "evt-1"), (second, "evt-2")):
            call = self._call(
                service, "captured", started.reference, amount=amount, currency=currency, event_id=event_id
            )
            ids += [event.event_id for event in self._read(provider, call)]
        expect(
            len(ids) == 3 and ids[0] == ids[1] != ids[2],
            f"read_webhook returned the event ids {ids}: the second call repeats the first, the third is about "
            "another payment.",
            "Return the service's id of the event. An event whose id is known is skipped, so a repeated call must "
            "have the same id, and another event another one.",
        )

    def test_event_without_an_amount_says_so(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self._calling(service)
        started = self.paid(provider, service)
        call = self._call(service, "captured", started.reference, currency=self.amounts[0][1])
        for event in self._read(provider, call, allowed=(InvalidWebhook,)):
            expect(
                event.amount is None,
                f"The call had no amount, and read_webhook returned {event.amount!r}.",
                "Return amount=None, or raise InvalidWebhook where an amount always belongs to such a call.",
            )

    def test_another_currency_is_reported(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self._calling(service)
        own = self.amounts[0][1]
        amount, currency = next(((a, code) for a, code in self.amounts if code != own), ("", ""))
        if not currency:
            pytest.skip("All of `amounts` are in one currency, so an event in another one is not checked.")
        started = self.paid(provider, service)
        call = self._call(service, "captured", started.reference, amount=Decimal(amount), currency=currency)
        for event in self._read(provider, call, allowed=(InvalidWebhook,)):
            expect(
                (event.amount, event.currency) == (Decimal(amount), currency),
                f"The payment is in {own}, and a call said {amount} {currency}; read_webhook returned "
                f"{event.amount} {event.currency}.",
                "Return the currency of the call, and the amount in its unit: the shop holds such a payment.",
            )

    def test_event_of_a_foreign_payment_keeps_its_reference(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self._calling(service)
        started, request = self.paid(provider, service), self.request()
        foreign = f"{started.reference[:-1]}-foreign"
        call = self._call(service, "captured", foreign, amount=request.amount, currency=request.currency)
        for event in self._read(provider, call, allowed=(InvalidWebhook,)):
            is_ours = event.reference == started.reference or event.payment_id == request.payment_id
            expect(
                not is_ours,
                f"A call was about {foreign!r}, a payment of another shop, and read_webhook returned {event!r}.",
                "Return the reference in the call. The shop stores an event that matches no payment.",
            )

    def test_refund_event_has_its_amount_and_reference(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self._calling(service)
        started = self.paid(provider, service)
        currency = self.amounts[0][1]
        for kind in ("refunded", "refund_failed"):
            call = self._call(service, kind, started.reference, amount=Decimal(2), currency=currency)
            for event in self._read(provider, call):
                expect(
                    event.kind == kind and event.amount in (None, Decimal(2)),
                    f"A call said that a refund of 2 {currency} was “{kind}”; read_webhook returned {event!r}.",
                    "Return the kind, and the amount as a Decimal in the currency's main unit.",
                )
                expect(
                    event.reference or event.payment_id or event.refund_id or event.refund_reference,
                    f"read_webhook returned {event!r}, which names no payment and no refund.",
                    "Return what the call names: reference or payment_id, refund_id or refund_reference.",
                )

    def test_money_sent_by_hand_is_reported(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self._calling(service)
        amount, currency, account = Decimal(self.amounts[0][0]), self.amounts[0][1], self.request().order_number
        call = service.incoming("RECEIPT1", amount=amount, currency=currency, account=account)
        for _time in range(2):
            events = result_of("read_webhook", self._listed, provider, call)
            expect(
                [type(event) for event in events] == [IncomingPaymentEvent],
                f"A call was about money that was sent by hand, and read_webhook returned {events!r}.",
                "Return an IncomingPaymentEvent.",
            )
            (event,) = events
            expect(
                (event.receipt, event.amount, event.currency) == ("RECEIPT1", amount, currency),
                f"{amount} {currency} were sent by hand as RECEIPT1, and read_webhook returned {event!r}.",
                "Return the service's number of the transaction, the same each time, and the amount as a Decimal.",
            )
            expect(
                event.account == account,
                f"The customer typed {account!r}, and read_webhook returned the account {event.account!r}.",
                "Return what the customer typed: the shop finds the order by it.",
            )
            expect(
                self.signs_webhooks or event.status == "reported",
                f"A call that nobody signed was about money sent by hand, and read_webhook returned {event!r}.",
                "Its status is “reported”: only the response to your own query is “confirmed”.",
            )

    def test_changed_call_is_refused(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self._calling(service)
        if not self.signs_webhooks:
            return
        started, request = self.paid(provider, service), self.request()
        call = self._call(service, "captured", started.reference, amount=request.amount, currency=request.currency)
        body = call.body
        for changed in (body + b" ", body.replace(b"1", b"2"), body.replace(b"captured", b"refunded", 1)):
            if changed == body:
                continue
            call._body = changed  # noqa: SLF001 - as if changed in transit
            result = result_of("read_webhook", self._listed, provider, call, allowed=(InvalidWebhook,))
            expect(
                isinstance(result, InvalidWebhook),
                f"read_webhook accepted a call whose body was changed after it was signed, and {outcome_of(result)}.",
                AUTHENTICATE,
            )

    def test_unsigned_call_is_refused(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        bodies = [
            b"",
            b"{}",
            b"[]",
            b"\xff",
            b"null",
            b'{"kind": "captured", "reference": "ref-1", "amount": "12.50"}',
        ]
        calls = [RequestFactory().post("/", body, content_type="application/json") for body in bodies]
        if service is not None and self.has_webhooks and self.signs_webhooks:
            service = self.needed(service)
            started, request = self.paid(provider, service), self.request()
            signed = self._call(
                service, "captured", started.reference, amount=request.amount, currency=request.currency
            )
            calls.append(RequestFactory().post(signed.path, signed.body, content_type="application/json"))
        for call in calls:
            result = result_of("read_webhook", self._listed, provider, call, allowed=(InvalidWebhook,))
            expect(
                isinstance(result, InvalidWebhook),
                f"read_webhook accepted a call without a signature, {call.body[:80]!r}, and {outcome_of(result)}.",
                AUTHENTICATE,
            )

    def test_forged_call_is_not_confirmed(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        """For a service that does not sign: anybody may say that a payment was captured."""
        service = self._calling(service)
        if self.signs_webhooks:
            return
        request = self.request()
        started = self.started(provider, request)
        call = self._call(service, "captured", started.reference, amount=request.amount, currency=request.currency)
        for mode in ["accept", *self.failure_modes("declined", "lost", "time_out")]:
            service.behave(mode)
            for event in self._read(provider, call, allowed=(InvalidWebhook,)):
                expect(
                    not (event.kind == "captured" and event.is_confirmed),
                    "A call that nobody signed said “captured”, the service knows of no payment, and read_webhook "
                    f"returned {event!r} while the service was “{mode}”.",
                    "Ask the service before the event is confirmed, or return is_confirmed=False.",
                )

    def _calling(self, service: PaymentService | None) -> PaymentService:
        service = self.needed(service)
        if not self.has_webhooks:
            pytest.skip("The service sends no webhooks (has_webhooks = False), so this is not checked.")
        return service

    def _call(self, service: PaymentService, kind: str, reference: str, **details: Any) -> HttpRequest:
        request: HttpRequest = service.webhook(kind, reference, **details)
        return request

    @staticmethod
    def _listed(provider: PaymentProvider, call: HttpRequest) -> list[PaymentEvent | IncomingPaymentEvent]:
        return list(provider.read_webhook(call))

    def _read(
        self, provider: PaymentProvider, call: HttpRequest, allowed: tuple[type[Exception], ...] = ()
    ) -> list[PaymentEvent]:
        events = result_of("read_webhook", self._listed, provider, call, allowed=allowed)
        if isinstance(events, Exception):
            return []
        for event in events:
            expect(
                isinstance(event, PaymentEvent) and event.kind in get_args(EventKind),
                f"read_webhook returned {event!r}.",
                f"Return PaymentEvents, whose kind is one of {', '.join(get_args(EventKind))}.",
            )
            expect(
                isinstance(event.event_id, str) and 0 < len(event.event_id) <= 255,
                f"read_webhook returned the event_id {event.event_id!r}.",
                "Return the service's id of the event, a text of at most 255 characters.",
            )
        found: list[PaymentEvent] = events
        return found

    def _only(self, events: list[PaymentEvent], kind: str) -> list[PaymentEvent]:
        kinds = [event.kind for event in events]
        expect(
            kinds == [kind],
            f"A call said “{kind}”, and read_webhook returned events of the kinds {kinds}.",
            "Return one event for it.",
        )
        return events
