"""The base of the checks of payment providers: the attributes and fixtures that an author defines, and the calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, ClassVar, cast

import pytest

from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers import (
    Obstacle,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    obstacle,
)
from shop_orders.payment_providers.needs import problem_of_needs
from shop_orders.testing.failures import described, expect, fail, outcome_of, result_of
from shop_orders.testing.payment_services import MODES, Mode, PaymentService, ServicePayment

REFUSALS = (PaymentDeclined, ProviderUnavailable)
ALWAYS_NEEDED = ("behave", "requested", "pay", "fail", "refunds")
DOCUMENTED = "PaymentDeclined is a final refusal, ProviderUnavailable means that the result is not known."


class PaymentContractBase:
    """Attributes, fixtures and calls of PaymentProviderContract."""

    amounts: ClassVar[Sequence[tuple[str, str]]] = (
        ("12.50", "KES"),
        ("0.29", "KES"),
        ("1234.15", "KES"),
        ("1250", "JPY"),
        ("12.340", "KWD"),
    )
    """Amounts that the service takes, the first in the currency of most checks. Include currencies without decimals
    and with three where the service takes them. Every other amount is refused or arrives unchanged."""
    modes: ClassVar[frozenset[Mode]] = frozenset(MODES)
    """How the service can fail, see MODES. Leave out those that it cannot have."""
    can_fetch: ClassVar[bool] = True
    """False: ``fetch`` always returns None, so only staff find a payment whose webhook was lost."""
    lists_refunds: ClassVar[bool] = True
    """False: the service has no list of a payment's refunds, so staff decide about a refund made on its pages."""
    has_webhooks: ClassVar[bool] = True
    signs_webhooks: ClassVar[bool] = True
    """False: anybody could send the calls, so their events are unconfirmed until ``fetch`` returned the same."""
    max_seconds: ClassVar[float] = 20.0
    """The longest that a call may take when the service does not respond."""

    @pytest.fixture
    def service(self) -> PaymentService | None:
        """The stand-in for the service; None if the provider calls none."""
        raise NotImplementedError(
            "Define a fixture `service` that returns your PaymentService, or None if the provider calls no service."
        )

    @pytest.fixture
    def provider(self, service: PaymentService | None) -> PaymentProvider:
        """Your provider, constructed as with its OPTIONS, with the stand-in in place of the service."""
        raise NotImplementedError("Define a fixture `provider(service)` that returns your payment provider.")

    def request(self, number: int = 1, *, amount: str = "", currency: str = "") -> PaymentRequest:
        """A payment to start; another ``number`` is another payment."""
        first_amount, first_currency = self.amounts[0]
        return PaymentRequest(
            payment_id=f"6f2c5f0e-6a0f-4d0e-9d55-{number:012}",
            order_number=f"K7MXQ-4T29{number}",
            amount=Decimal(amount or first_amount),
            currency=currency or first_currency,
            description=f"Order K7MXQ-4T29{number}",
            email="customer@example.org",
            phone="+254712345678",
            name="Test Customer",
            language="en",
            return_url="https://shop.example.org/done/",
            base_url="https://shop.example.org",
            webhook_url="https://shop.example.org/payments/webhooks/contract/",
        )

    def requests(self) -> Iterable[PaymentRequest]:
        """A payment of each of ``amounts``."""
        return [
            self.request(n, amount=amount, currency=code) for n, (amount, code) in enumerate(self.amounts, start=1)
        ]

    def obstacle(self, provider: PaymentProvider, request: PaymentRequest) -> Obstacle | None:
        """Why the shop would not start this payment. ``test_needs_can_be_used`` reports ``needs`` that are wrong."""
        if problem_of_needs(provider.needs):
            return None
        provider.refuses(amount=request.amount, currency=request.currency)  # the shop would only log its errors
        return obstacle(
            provider, amount=request.amount, currency=request.currency, email=request.email, phone=request.phone
        )

    def started(self, provider: PaymentProvider, request: PaymentRequest | None = None) -> PaymentStart:
        started: PaymentStart = result_of("start", provider.start, request or self.request())
        expect(
            isinstance(started, PaymentStart),
            f"start returned {started!r}.",
            f"It returns a PaymentStart, or raises: {DOCUMENTED}",
        )
        expect(
            isinstance(started.reference, str) and 0 < len(started.reference) <= 255,
            f"start returned the reference {started.reference!r}.",
            "Return the service's id of the payment, a text of at most 255 characters: webhooks and fetch use it.",
        )
        return started

    def fetched(
        self,
        provider: PaymentProvider,
        service: PaymentService,
        started: PaymentStart,
        allowed: tuple[type[Exception], ...] = (),
    ) -> Any:
        state = result_of(
            "fetch", provider.fetch, service.state(started), reference=started.reference, allowed=allowed
        )
        if not isinstance(state, Exception):
            expect(
                state is None or isinstance(state, PaymentState),
                f"fetch {outcome_of(state)}.",
                "It returns a PaymentState, None where the state cannot be fetched, or raises ProviderUnavailable.",
            )
        return state

    def paid(
        self, provider: PaymentProvider, service: PaymentService, request: PaymentRequest | None = None
    ) -> PaymentStart:
        """A payment that the customer has paid."""
        started = self.started(provider, request)
        service.pay(started.reference)
        return started

    def needed(self, service: PaymentService | None) -> PaymentService:
        """The stand-in, wrapped so that its errors become sentences. Skips the check where there is none."""
        if service is None:
            pytest.skip("The provider calls no service (`service` is None), so this is not checked.")
        return cast("PaymentService", _Service(service))

    def requested(self, service: PaymentService, reference: str) -> list[ServicePayment]:
        return [payment for payment in service.requested() if payment.reference == reference]

    def failure_modes(self, *excluded: Mode) -> list[Mode]:
        """The modes of the service, in which calls fail, without the excluded ones."""
        return [mode for mode in MODES if mode in self.modes and mode not in excluded]


class _Service:
    """The stand-in. NotImplementedError skips the check; any other error fails it with a sentence."""

    def __init__(self, service: PaymentService) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            shown = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in keywords.items())])
            try:
                return method(*arguments, **keywords)
            except NotImplementedError:
                if name in ALWAYS_NEEDED and not keywords:
                    fail(f"The stand-in has no `{name}`.", "Every PaymentService needs it.")
                what = {"webhook": f"{arguments[:1]}", "pay": " of another amount"}.get(name, "")
                pytest.skip(f"The stand-in does not support {name}{what}, so this is not checked.")
            except Exception as error:  # noqa: BLE001 - the code of an author may raise anything
                fail(
                    f"{name}({shown}) of the stand-in raised {described(error)}.",
                    "Either start returned a reference that the service does not know, or the stand-in has a fault. "
                    "It raises NotImplementedError for what the service cannot do.",
                )

        return call
