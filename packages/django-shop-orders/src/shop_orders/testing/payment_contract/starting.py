"""The checks of ``start`` and ``cancel``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from django.conf import settings

from shop_orders.exceptions import PaymentDeclined, ProviderNotReached, ProviderUnavailable
from shop_orders.payment_providers import PaymentProvider, PaymentStart
from shop_orders.payment_providers.base import PaymentStatus
from shop_orders.payment_providers.needs import problem_of_needs
from shop_orders.testing.failures import expect, fail, outcome_of, result_of, result_within
from shop_orders.testing.payment_contract.base import DOCUMENTED, REFUSALS, PaymentContractBase
from shop_orders.testing.payment_services import PaymentService

UNUSUAL = (("12.34", "KES"), ("7", "UGX"), ("12.345", "KWD"), ("1251", "JPY"), ("1000001", "KES"))
"""Amounts that a service may refuse: with odd cents, in currencies with other decimals, large."""


class StartChecks(PaymentContractBase):
    def test_needs_can_be_used(self, provider: PaymentProvider) -> None:
        problem = problem_of_needs(provider.needs)
        expect(
            not problem,
            f"The provider's `needs` cannot be used: {problem}.",
            'Write for example needs = Needs(phone=True, currencies=("KES",), minimum=Decimal(10)).',
        )
        for request in self.requests():
            found = result_of("refuses", self.obstacle, provider, request)
            expect(
                found is None,
                f"The shop would not start a payment of {request.amount} {request.currency}, one of `amounts`, "
                f"because of the provider's {found.need if found else ''}.",
                "List in `amounts` what the service takes, or correct `needs` and `refuses`.",
            )

    def test_start_works_without_what_is_not_needed(self, provider: PaymentProvider) -> None:
        for number, name in enumerate(("email", "phone"), start=1):
            if getattr(provider.needs, name, False):
                continue
            whole = self.request(number)
            request = replace(whole, email="") if name == "email" else replace(whole, phone="")
            result = result_of("start", provider.start, request, allowed=REFUSALS)
            expect(
                isinstance(result, PaymentStart),
                f"start {outcome_of(result)} for a request without {name}, which `needs` does not name.",
                f"Write needs = Needs({name}=True): then the checkout asks for it before goods are reserved.",
            )

    def test_start_returns_the_next_step(self, provider: PaymentProvider) -> None:
        started = self.started(provider)
        statuses = get_args(PaymentStatus)
        expect(
            started.status in statuses,
            f"start returned the status {started.status!r}.",
            f"Use one of {', '.join(statuses)}.",
        )
        expect(
            started.redirect_url or started.instructions or started.status != "pending",
            "start returned neither redirect_url nor instructions, and the status pending.",
            "Return what the customer does next: a page to go to, or a text to follow.",
        )
        expect(
            started.expires_at is None or started.expires_at.tzinfo is not None or not settings.USE_TZ,
            f"start returned expires_at={started.expires_at!r}, which has no time zone.",
            "Use django.utils.timezone.now() plus a timedelta.",
        )
        try:
            json.dumps(dict(started.data))
        except (TypeError, ValueError) as error:
            fail(
                f"start returned data that is not JSON ({error}).",
                "The data is stored with the payment: use texts, numbers, lists and dicts, and text for a Decimal.",
            )

    def test_start_asks_for_the_exact_amount(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        for request in self.requests():
            started = self.started(provider, request)
            asked = [
                (payment.amount, payment.currency.upper()) for payment in self.requested(service, started.reference)
            ]
            expect(
                asked == [(request.amount, request.currency)],
                f"start was called for {request.amount} {request.currency}, and under the reference "
                f"{started.reference!r} the service was asked for {_listed(asked)}.",
                "Send amount and currency of the request, in the unit that the service counts in: "
                "shop_orders.payment_providers.minor_units converts without floats. Return the service's reference.",
            )

    def test_start_refuses_an_amount_or_sends_it_unchanged(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        for number, (amount, currency) in enumerate(UNUSUAL, start=1):
            request = self.request(number, amount=amount, currency=currency)
            if self.obstacle(provider, request):
                continue  # the shop does not start it
            before = len(service.requested())
            result_of("start", provider.start, request, allowed=(PaymentDeclined,))
            asked = [(payment.amount, payment.currency.upper()) for payment in service.requested()[before:]]
            expect(
                asked in ([], [(request.amount, request.currency)]),
                f"start was called for {request.amount} {request.currency}, and the service was asked for "
                f"{_listed(asked)}.",
                "Never round: say in `needs` or by `refuses` what the service cannot take.",
            )

    def test_repeated_start_is_one_payment(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        if provider.start_once_for is not None:
            return  # the shop does not repeat it
        first, second = self.started(provider), self.started(provider)
        expect(
            first.reference == second.reference,
            f"start with the same payment_id returned {first.reference!r} and then {second.reference!r}.",
            "It is called again after a crash: send request.payment_id as the idempotency key, or find the payment "
            "by it. If the service has no such key, set start_once_for.",
        )
        keys = [payment.key for payment in service.requested()] if service else []
        expect(
            len(keys) <= 1,
            f"start with the same payment_id made {len(keys)} payments, with the keys {keys}.",
            "Send request.payment_id as the idempotency key; a key with a time or a random part is a new one each "
            "time. If the service has no such key, set start_once_for.",
        )

    def test_another_payment_id_is_another_payment(self, provider: PaymentProvider) -> None:
        first, second = self.started(provider, self.request(1)), self.started(provider, self.request(2))
        expect(
            first.reference != second.reference,
            f"start returned the reference {first.reference!r} for two payments.",
            "The reference, and an idempotency key, must differ for each payment_id: an order may be paid in several "
            "attempts.",
        )

    def test_start_whose_response_is_lost_can_be_repeated(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        if "lost" not in self.modes:
            return
        service.behave("lost")
        lost = result_of("start", provider.start, self.request(), allowed=REFUSALS)
        expect(
            isinstance(lost, ProviderUnavailable),
            f"start {outcome_of(lost)} although the response was lost.",
            f"Raise ProviderUnavailable: {DOCUMENTED}",
        )
        expect(
            not (isinstance(lost, ProviderNotReached) and service.requested()),
            "start raised ProviderNotReached, but the request had arrived.",
            "Raise it only where the request was certainly not sent, and ProviderUnavailable after that.",
        )
        if provider.start_once_for is not None:
            return
        service.behave("accept")
        started = self.started(provider)
        references = [payment.reference for payment in service.requested()]
        expect(
            references == [started.reference],
            f"The response to the first start was lost; after the second, which returned {started.reference!r}, the "
            f"service has the payments {references}.",
            "Send request.payment_id as the idempotency key, the same for each attempt.",
        )

    def test_refused_start_is_declined(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        if "declined" not in self.modes:
            return
        service.behave("declined")
        refused = result_of("start", provider.start, self.request(), allowed=REFUSALS)
        expect(
            isinstance(refused, PaymentDeclined)
            or (isinstance(refused, PaymentStart) and refused.status in ("failed", "cancelled")),
            f"start {outcome_of(refused)} although the service refused the payment.",
            f"Raise PaymentDeclined: {DOCUMENTED}",
        )

    def test_start_is_unavailable_when_the_service_is(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        for number, mode in enumerate(self.failure_modes("declined", "lost", "time_out"), start=1):
            service.behave(mode)
            asked = len(service.requested())
            result = result_of("start", provider.start, self.request(number), allowed=REFUSALS)
            is_started = isinstance(result, PaymentStart) and len(service.requested()) > asked
            expect(
                isinstance(result, ProviderUnavailable) or is_started,
                f"start {outcome_of(result)} while the service was “{mode}”.",
                f"Raise ProviderUnavailable: {DOCUMENTED}",
            )
            service.behave("accept")
            self.started(provider, self.request(number))

    def test_calls_have_a_time_out(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        if "time_out" not in self.modes:
            return
        service.behave("time_out")
        result = result_within(self.max_seconds, "start", provider.start, self.request(), allowed=REFUSALS)
        expect(
            isinstance(result, ProviderUnavailable),
            f"start {outcome_of(result)} although the service did not respond in time.",
            f"Raise ProviderUnavailable: {DOCUMENTED}",
        )

    def test_cancel_returns_nothing_and_changes_no_paid_payment(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        for number, is_paid in enumerate((False, True), start=1):
            request = self.request(number)
            started = self.paid(provider, service, request) if is_paid else self.started(provider, request)
            state = service.state(started)
            for _time in range(2):
                result = result_of(
                    "cancel", provider.cancel, state, reference=started.reference, allowed=(ProviderUnavailable,)
                )
                expect(
                    result is None or isinstance(result, ProviderUnavailable),
                    f"cancel {outcome_of(result)}.",
                    "It returns nothing, also for a payment that is cancelled or paid already.",
                )
            after = self.fetched(provider, service, started)
            expect(
                not is_paid or after is None or after.status == "captured",
                f"cancel was called for a paid payment, and fetch then returned {after!r}.",
                "cancel closes a payment that is open. Money that came in is sent back by refund.",
            )


def _listed(asked: Sequence[tuple[object, str]]) -> str:
    return ", ".join(f"{amount} {currency}" for amount, currency in asked) or "nothing"
