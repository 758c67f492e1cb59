"""The checks of ``fetch`` and ``capture``."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers import PaymentProvider, PaymentStart, PaymentState
from shop_orders.payment_providers.base import PaymentStatus
from shop_orders.testing.failures import expect, outcome_of, result_of, result_within
from shop_orders.testing.payment_contract.base import REFUSALS, PaymentContractBase
from shop_orders.testing.payment_services import Mode, PaymentService

SAYS_NOTHING = "A query without a usable response says nothing about the payment: raise ProviderUnavailable."


class FetchChecks(PaymentContractBase):
    def test_unpaid_payment_is_not_captured(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        started = self.started(provider)
        state = result_of("fetch", provider.fetch, self._state(service, started), reference=started.reference)
        if state is None or started.status == "captured":
            return
        self._check_state(state, started)
        expect(
            state.status == "pending",
            f"fetch returned the status {state.status!r} for a payment that nobody has paid or refused yet.",
            "Return the status that the service reports.",
        )

    def test_paid_payment_is_captured_with_its_amount(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        for request in self.requests():
            started = self.paid(provider, service, request)
            state = self.fetched(provider, service, started)
            if state is None:
                expect(
                    not self.can_fetch,
                    "fetch returned None for a payment that was paid.",
                    "Ask the service: only fetch finds a payment whose webhook was lost. If the service cannot "
                    "be asked, set can_fetch = False.",
                )
                return
            self._check_state(state, started)
            expect(
                state.status == "captured",
                f"fetch returned the status {state.status!r} for a payment that was paid.",
                "Return “captured”.",
            )
            self._check_amount(state, request.amount, request.currency)

    def test_another_amount_is_reported_as_it_is(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        request = self.request()
        started = self.started(provider, request)
        service.pay(started.reference, amount=Decimal(1))
        state = self.fetched(provider, service, started)
        if state is not None:
            self._check_amount(state, Decimal(1), request.currency)

    def test_failed_payment_is_not_captured_or_pending(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        started = self.started(provider)
        service.fail(started.reference)
        state = self.fetched(provider, service, started)
        if state is None:
            return
        self._check_state(state, started)
        expect(
            state.status in ("failed", "cancelled"),
            f"fetch returned the status {state.status!r} for a payment that failed.",
            "Return “failed”, or “cancelled” where the customer or the shop ended it.",
        )

    def test_payments_are_told_apart(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        first, second = self.started(provider, self.request(1)), self.started(provider, self.request(2))
        service.pay(second.reference)
        states = [self.fetched(provider, service, started) for started in (first, second)]
        found = [state and state.status for state in states]
        expect(
            found in (["pending", "captured"], [None, None]),
            f"Of two payments the second was paid, and fetch returned {found}.",
            "Ask the service about the payment with the given reference.",
        )

    def test_unknown_payment_has_no_final_status(self, provider: PaymentProvider) -> None:
        """Also with an empty reference, so that the result does not depend on the caller."""
        started = self.started(provider)
        for reference in ("", f"{started.reference[:-1]}-unknown"):
            state = result_of("fetch", provider.fetch, {}, reference=reference, allowed=(ProviderUnavailable,))
            expect(
                state is None
                or isinstance(state, Exception)
                or (isinstance(state, PaymentState) and state.status == "pending"),
                f"fetch {outcome_of(state)} for the reference {reference!r}, which the service does not know.",
                f"Return None or raise ProviderUnavailable. {SAYS_NOTHING}",
            )

    def test_fetch_returns_no_state_when_the_service_fails(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        started = self.paid(provider, service)
        for mode in self.failure_modes("declined", "time_out"):
            service.behave(mode)
            for _time in range(2):
                state = self.fetched(provider, service, started, allowed=(PaymentDeclined, ProviderUnavailable))
                self._check_no_guess(state, mode)
            service.behave("accept")
            after = self.fetched(provider, service, started, allowed=(ProviderUnavailable,))
            expect(
                after is None or (isinstance(after, PaymentState) and after.status == "captured"),
                f"After the service had been “{mode}”, fetch {outcome_of(after)} for a payment that was paid.",
                "A failure must not affect the next call: forget a token that was refused.",
            )

    def test_fetch_has_a_time_out(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        if "time_out" not in self.modes:
            return
        started = self.paid(provider, service)
        service.behave("time_out")
        state = result_within(
            self.max_seconds,
            "fetch",
            provider.fetch,
            service.state(started),
            reference=started.reference,
            allowed=REFUSALS,
        )
        self._check_no_guess(state, "time_out")

    def test_authorised_payment_is_captured_once(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        request = self.request()
        started = self.started(provider, request)
        service.authorise(started.reference)
        state = self.fetched(provider, service, started)
        expect(
            state is None or state.status == "authorised",
            f"fetch {outcome_of(state)} for a payment that was authorised, and not captured.",
            "Return “authorised”: the order waits until staff capture the payment.",
        )
        for _time in range(2):
            captured = result_of(
                "capture",
                provider.capture,
                service.state(started),
                reference=started.reference,
                amount=request.amount,
                currency=request.currency,
                allowed=(PaymentDeclined,),
            )
            expect(
                isinstance(captured, PaymentDeclined | PaymentState),
                f"capture {outcome_of(captured)}.",
                "It returns a PaymentState, or raises PaymentDeclined or ProviderUnavailable.",
            )
            if isinstance(captured, PaymentState):
                self._check_amount(captured, request.amount, request.currency)

    def _state(self, service: PaymentService | None, started: PaymentStart) -> dict[str, object]:
        return dict(service.state(started) if service else started.data)

    def _check_state(self, state: PaymentState, started: PaymentStart) -> None:
        expect(
            isinstance(state, PaymentState) and state.status in get_args(PaymentStatus),
            f"fetch {outcome_of(state)}.",
            f"Return a PaymentState whose status is one of {', '.join(get_args(PaymentStatus))}.",
        )
        expect(
            state.reference in ("", started.reference),
            f"fetch was called for {started.reference!r} and returned the reference {state.reference!r}.",
            "Return the state of the payment with the given reference: another one is not applied.",
        )

    def _check_amount(self, state: PaymentState, amount: Decimal, currency: str) -> None:
        expect(
            state.captured is None or (isinstance(state.captured, Decimal) and state.captured == amount),
            f"{amount} {currency} were paid, and captured is {state.captured!r}.",
            "Return what was paid, as a Decimal in the currency's main unit, not what was asked for; None where the "
            "service does not return it. shop_orders.payment_providers.from_minor_units converts cents.",
        )
        expect(
            state.currency in ("", currency),
            f"{amount} {currency} were paid, and the currency is {state.currency!r}.",
            "Return the ISO 4217 code of the payment, in capitals, or leave it empty.",
        )

    def _check_no_guess(self, state: PaymentState | Exception | None, mode: Mode) -> None:
        is_right = state is None or (isinstance(state, PaymentState) and state.status == "captured")
        expect(
            is_right or isinstance(state, ProviderUnavailable),
            f"fetch {outcome_of(state)} for a payment that was paid, while the service was “{mode}”.",
            SAYS_NOTHING,
        )
