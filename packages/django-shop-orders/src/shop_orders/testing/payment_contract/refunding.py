"""The checks of ``refund`` and ``fetch_refund``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers import PaymentProvider, PaymentStart, RefundRequest, RefundResult
from shop_orders.payment_providers.base import RefundStatus
from shop_orders.testing.failures import expect, fail, outcome_of, result_of
from shop_orders.testing.payment_contract.base import DOCUMENTED, REFUSALS, PaymentContractBase
from shop_orders.testing.payment_services import PaymentService

KEY = "Send request.refund_id as the idempotency key, the same for each attempt."


class RefundChecks(PaymentContractBase):
    def test_refund_sends_the_exact_amount_once(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        for number, request in enumerate(self.requests(), start=1):
            started = self.paid(provider, service, request)
            before = len(service.refunds())
            results = [self._refund(provider, service, started, number, request.amount) for _time in range(2)]
            moved = [(refund.payment, refund.amount, refund.currency.upper()) for refund in service.refunds()[before:]]
            wanted = [] if provider.refunds_by_hand else [(started.reference, request.amount, request.currency)]
            if provider.refunds_by_hand:
                remedy = "With refunds_by_hand = True staff send the money back, and refund only records it."
            elif len(moved) > 1:
                remedy = KEY
            else:
                remedy = "Send amount and currency of the request, for this payment, in the unit of the service."
            expect(
                moved == wanted,
                f"refund was called twice with the same refund_id, for {request.amount} {request.currency} of "
                f"{started.reference!r}. The service sent back: {_listed(moved)}.",
                remedy,
            )
            expect(
                results[0].reference == results[1].reference,
                f"refund with the same refund_id returned the references {results[0].reference!r} and "
                f"{results[1].reference!r}.",
                KEY,
            )

    def test_repeated_refund_has_one_reference(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        """Also without a stand-in."""
        service = self.needed(service) if service else None
        started = self.paid(provider, service) if service else self.started(provider)
        state = service.state(started) if service else dict(started.data)
        request = self._request(1, Decimal(1))
        results = [
            result_of("refund", provider.refund, state, reference=started.reference, request=request, allowed=REFUSALS)
            for _time in range(2)
        ]
        for result in results:
            if isinstance(result, Exception):
                return
            self._checked_result("refund", result)
        expect(
            results[0].reference == results[1].reference,
            f"refund with the same refund_id returned the references {results[0].reference!r} and "
            f"{results[1].reference!r}.",
            KEY,
        )

    def test_another_refund_id_is_another_refund(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        started = self.paid(provider, service)
        results = [self._refund(provider, service, started, number, Decimal(1)) for number in (1, 2)]
        moved = [refund.amount for refund in service.refunds()]
        expect(
            provider.refunds_by_hand or moved == [Decimal(1)] * 2,
            f"Two refunds of 1 with different ids were made, and the service sent back {moved}.",
            "The idempotency key must differ for each refund_id: the same amount may be refunded twice.",
        )
        expect(
            results[0].reference != results[1].reference,
            f"Two refunds have the reference {results[0].reference!r}.",
            "Return the service's id of the refund.",
        )

    def test_refund_whose_response_is_lost_is_sent_once(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        if provider.refunds_by_hand or "lost" not in self.modes:
            return
        started = self.paid(provider, service)
        service.behave("lost")
        lost = self._attempt(provider, service, started)
        expect(
            isinstance(lost, ProviderUnavailable),
            f"refund {outcome_of(lost)} although the response was lost.",
            f"Raise ProviderUnavailable, and the refund is repeated with the same refund_id. {DOCUMENTED}",
        )
        service.behave("accept")
        self._refund(provider, service, started, 1, Decimal(1))
        moved = [refund.amount for refund in service.refunds()]
        expect(
            moved == [Decimal(1)],
            f"The response to a refund of 1 was lost, and after a second attempt the service has sent back {moved}.",
            KEY,
        )

    def test_refused_refund_is_declined(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        if provider.refunds_by_hand or "declined" not in self.modes:
            return
        started = self.paid(provider, service)
        service.behave("declined")
        refused = self._attempt(provider, service, started)
        is_failed = isinstance(refused, RefundResult) and refused.status == "failed"
        expect(
            isinstance(refused, PaymentDeclined) or is_failed,
            f"refund {outcome_of(refused)} although the service refused it.",
            f"Raise PaymentDeclined, or return a RefundResult with the status “failed”. {DOCUMENTED}",
        )

    def test_refund_is_unavailable_when_the_service_is(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        if provider.refunds_by_hand:
            return
        started = self.paid(provider, service)
        for mode in self.failure_modes("declined", "lost", "time_out"):
            service.behave(mode)
            before = len(service.refunds())
            result = self._attempt(provider, service, started)
            is_made = isinstance(result, RefundResult) and len(service.refunds()) > before
            expect(
                isinstance(result, ProviderUnavailable) or is_made,
                f"refund {outcome_of(result)} while the service was “{mode}”.",
                f"Raise ProviderUnavailable, and it is repeated later. {DOCUMENTED}",
            )
            service.behave("accept")

    def test_fetch_refund_returns_the_state_of_the_given_refund(
        self, provider: PaymentProvider, service: PaymentService | None
    ) -> None:
        service = self.needed(service)
        started = self.paid(provider, service)
        made = [self._refund(provider, service, started, number, Decimal(1)) for number in (1, 2)]
        for result in made:
            state = self._fetch_refund(provider, service, started, result.reference)
            if state is None:
                return
            expect(
                state.reference in ("", result.reference) and state.status in (result.status, "succeeded"),
                f"fetch_refund was called for {result!r}, and {outcome_of(state)}.",
                "Return the state of the refund with the given refund_reference.",
            )

    def test_failed_refund_is_reported(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        started = self.paid(provider, service)
        made = self._refund(provider, service, started, 1, Decimal(1))
        service.fail_refund(made.reference)
        state = self._fetch_refund(provider, service, started, made.reference)
        expect(
            state is None or state.status == "failed",
            f"A refund did not arrive, and fetch_refund {outcome_of(state)}.",
            "Return the status “failed”: the customer still waits for the money.",
        )
        self._totals(provider, service, started, Decimal(0), f"a refund of 1 failed ({made.reference!r})")

    def test_fetch_reports_what_was_refunded(self, provider: PaymentProvider, service: PaymentService | None) -> None:
        service = self.needed(service)
        started = self.paid(provider, service)
        made = self._refund(provider, service, started, 1, Decimal(2))
        if provider.refunds_by_hand:
            return
        self._totals(provider, service, started, Decimal(2), f"2 were refunded ({made.reference!r})")
        service.refund_elsewhere(started.reference, Decimal(1))
        self._totals(
            provider, service, started, Decimal(3), "2 were refunded by the shop and 1 on the service's pages"
        )
        state = self.fetched(provider, service, started)
        expect(
            state is None or not self.lists_refunds or state.refunds is not None,
            "1 was refunded on the service's pages, and fetch returned refunds=None.",
            "List every refund of the payment: a refund that is not listed is recorded by staff only. If the service "
            "has no such list, set lists_refunds = False.",
        )

    def _totals(
        self,
        provider: PaymentProvider,
        service: PaymentService,
        started: PaymentStart,
        total: Decimal,
        case: str,
    ) -> None:
        """Whether ``fetch`` returns the total of refunds; None where the service does not report it."""
        state = self.fetched(provider, service, started)
        if state is None:
            return
        expect(
            state.refunded in (None, total),
            f"fetch returned refunded={state.refunded!r}, but {case}.",
            "Return the total of refunds without failed ones, as a Decimal in the currency's main unit, or None.",
        )
        refunds = getattr(state, "refunds", None)
        if refunds is None:
            return
        expect(
            all(isinstance(refund.amount, Decimal) for refund in refunds),
            f"fetch returned refunds={refunds!r}.",
            "Amounts are Decimals in the currency's main unit.",
        )
        found = sum((refund.amount for refund in refunds if refund.status != "failed"), Decimal(0))
        expect(
            found == total and all(refund.reference or refund.refund_id for refund in refunds),
            f"fetch returned refunds={refunds!r}, but {case}.",
            "List every refund of the payment with amount, status and the service's reference, or return None.",
        )

    def _request(self, number: int, amount: Decimal, currency: str = "") -> RefundRequest:
        return RefundRequest(
            refund_id=f"0d3c8a52-1f6e-4a53-8c0b-{number:012}",
            amount=amount,
            currency=currency or self.amounts[0][1],
            reason="Contract",
        )

    def _refund(
        self, provider: PaymentProvider, service: PaymentService, started: PaymentStart, number: int, amount: Decimal
    ) -> RefundResult:
        currency = next((paid.currency for paid in self.requested(service, started.reference)), "").upper()
        result = result_of(
            "refund",
            provider.refund,
            service.state(started),
            reference=started.reference,
            request=self._request(number, amount, currency),
        )
        return self._checked_result("refund", result)

    def _attempt(self, provider: PaymentProvider, service: PaymentService, started: PaymentStart) -> Any:
        """A refund of 1 that may be refused."""
        result = result_of(
            "refund",
            provider.refund,
            service.state(started),
            reference=started.reference,
            request=self._request(1, Decimal(1)),
            allowed=REFUSALS,
        )
        return result if isinstance(result, Exception) else self._checked_result("refund", result)

    def _fetch_refund(
        self, provider: PaymentProvider, service: PaymentService, started: PaymentStart, reference: str
    ) -> RefundResult | None:
        state = result_of(
            "fetch_refund",
            provider.fetch_refund,
            service.state(started),
            reference=started.reference,
            refund_reference=reference,
        )
        return None if state is None else self._checked_result("fetch_refund", state)

    def _checked_result(self, name: str, result: Any) -> RefundResult:
        statuses = get_args(RefundStatus)
        if not isinstance(result, RefundResult) or result.status not in statuses:
            fail(
                f"{name} returned {result!r}.",
                f"Return a RefundResult with the service's reference and the status {', '.join(statuses)}.",
            )
        return result


def _listed(moved: list[tuple[str, Decimal, str]]) -> str:
    return ", ".join(f"{amount} {currency} of {payment!r}" for payment, amount, currency in moved) or "nothing"
