"""A product source and a payment provider in memory. Call their ``reset()`` between tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal

from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.payment_providers.base import (
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
    RefundState,
)


@dataclass(frozen=True, kw_only=True)
class MemoryProduct:
    """A product of the source below; ``available=None`` means that stock is not tracked."""

    ref: str
    name: str = "A product"
    unit_price: Decimal = Decimal("10.00")
    currency: str = "KES"
    sku: str = ""
    tax_class: str = ""
    price_includes_tax: bool = False
    available: int | None = 10
    weight: Decimal | None = None
    url: str = ""
    image: str = ""
    line_options: Sequence[str] = ()
    max_quantity: int | None = None
    groups: Sequence[str] = ()
    needs_delivery: bool = True
    stock_ref: str = ""


class MemoryProductSource:
    """Products in a dict of the class. It ignores transactions: a rollback does not restore its stock."""

    products: ClassVar[dict[str, MemoryProduct]] = {}
    calls: ClassVar[list[tuple[str, dict[str, int], str]]] = []

    @classmethod
    def reset(cls, *products: MemoryProduct) -> None:
        """Start again with these products, for the next test: the class keeps them, not its instances."""
        cls.products.clear()
        cls.products.update({product.ref: product for product in products})
        cls.calls.clear()

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, MemoryProduct]:  # noqa: ARG002
        return {ref: self.products[ref] for ref in refs if ref in self.products}

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        short = {}
        for ref, quantity in quantities.items():
            product = self.products.get(ref)
            available = product.available if product else 0
            if available is not None and available < quantity:
                short[ref] = available
        if not short:
            self._move("reserve", quantities, reference, sign=-1)
        return short

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        self._move("release", quantities, reference, sign=1)

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        self._move("ship", quantities, reference, sign=0)

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        self._move("restock", quantities, reference, sign=1)

    def _move(self, call: str, quantities: Mapping[str, int], reference: str, *, sign: int) -> None:
        self.calls.append((call, dict(quantities), reference))
        for ref, quantity in quantities.items():
            product = self.products.get(ref)
            if product is not None and product.available is not None:
                self.products[ref] = replace(product, available=product.available + sign * quantity)


class MemoryPaymentProvider(PaymentProvider):
    """Its attributes set its behaviour: ``outcomes[reference] = "captured"``, ``refund_status``, ``decline``,
    ``is_down``, ``forgets`` payments, and ``loses_responses`` to a start that was carried out.

    ``calls`` lists the calls, ``requests`` those of ``start``, ``refunds`` the refunded amounts. ``made[reference]``
    lists the refunds of a payment; a test adds those of the provider's own pages. Without ``lists_refunds``, ``fetch``
    returns only their total.
    """

    outcomes: ClassVar[dict[str, str]] = {}
    amounts: ClassVar[dict[str, Decimal]] = {}
    refunds: ClassVar[dict[str, Decimal]] = {}
    made: ClassVar[dict[str, list[RefundState]]] = {}
    lists_refunds: ClassVar[bool] = True
    calls: ClassVar[list[str]] = []
    requests: ClassVar[list[PaymentRequest]] = []
    refund_status: ClassVar[Literal["pending", "succeeded", "failed"]] = "succeeded"
    decline: ClassVar[bool] = False
    is_down: ClassVar[bool] = False
    forgets: ClassVar[bool] = False
    loses_responses: ClassVar[bool] = False

    def __init__(self, *, alias: str, minutes: int = 30) -> None:
        super().__init__(alias=alias)
        self.expires_after = timedelta(minutes=minutes)

    @classmethod
    def reset(cls) -> None:
        """Forget everything that was recorded and set, for the next test: the class keeps it, not its instances."""
        cls.outcomes.clear()
        cls.amounts.clear()
        cls.refunds.clear()
        cls.made.clear()
        cls.lists_refunds = True
        cls.calls.clear()
        cls.requests.clear()
        cls.refund_status = "succeeded"
        cls.decline = cls.is_down = cls.forgets = cls.loses_responses = False

    def start(self, request: PaymentRequest) -> PaymentStart:
        """Start a payment that is pending until ``outcomes`` says something else.

        Raises:
            ProviderUnavailable: with ``is_down``, or with ``loses_responses`` after the payment was started.
        """
        self.requests.append(request)
        self._called("start")
        reference = f"{self.alias}_{request.payment_id}"
        self.outcomes.setdefault(reference, "pending")
        self.amounts[reference] = request.amount
        if self.loses_responses:
            raise ProviderUnavailable
        return PaymentStart(reference=reference, redirect_url=f"https://pay.example.org/{request.payment_id}")

    def capture(self, state: Mapping[str, Any], *, reference: str, amount: Decimal, currency: str) -> PaymentState:  # noqa: ARG002
        self._called("capture")
        self.outcomes[reference] = "captured"
        return PaymentState(status="captured", reference=reference, captured=amount, currency=currency)

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:  # noqa: ARG002
        self._called("refund")
        self.refunds[request.refund_id] = request.amount
        made = RefundState(
            status=self.refund_status,
            amount=request.amount,
            refund_id=request.refund_id,
            reference=f"refund_{request.refund_id}",
        )
        others = [row for row in self.made.get(reference, []) if row.refund_id != request.refund_id]
        self.made[reference] = [*others, made]
        return RefundResult(status=made.status, reference=made.reference)

    def fetch_refund(
        self,
        state: Mapping[str, Any],  # noqa: ARG002
        *,
        reference: str,  # noqa: ARG002
        refund_reference: str,
    ) -> RefundResult | None:
        self._called("fetch_refund")
        return RefundResult(status=self.refund_status, reference=refund_reference)

    def cancel(self, state: Mapping[str, Any], *, reference: str) -> None:  # noqa: ARG002
        self._called("cancel")
        if self.outcomes.get(reference) != "captured":
            self.outcomes[reference] = "cancelled"

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:  # noqa: ARG002
        self._called("fetch")
        status: Any = self.outcomes.get(reference, "pending")
        if status != "captured":
            return PaymentState(status=status, reference=reference)
        made = self.made.get(reference, [])
        return PaymentState(
            status=status,
            reference=reference,
            captured=self.amounts.get(reference),
            refunded=sum((row.amount for row in made if row.status != "failed"), Decimal(0)),
            refunds=tuple(made) if self.lists_refunds else None,
        )

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.is_down:
            raise ProviderUnavailable
        if self.decline and call in {"start", "capture", "refund"}:
            raise PaymentDeclined
        if self.forgets and call in {"fetch", "fetch_refund"}:
            raise PaymentDeclined  # against the contract, as careless providers do
