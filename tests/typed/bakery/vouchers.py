"""The payment provider: vouchers that the bakery sells over the counter."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shop_orders.exceptions import PaymentDeclined
from shop_orders.payment_providers import (
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    RefundRequest,
    RefundResult,
)


class Vouchers(PaymentProvider):
    label = "Voucher"

    def __init__(self, *, alias: str, codes: Mapping[str, str]) -> None:
        super().__init__(alias=alias)
        self.values = {code: Decimal(value) for code, value in codes.items()}

    def refuses(self, *, amount: Decimal, currency: str) -> str:
        return "" if amount <= max(self.values.values()) else "There is no voucher of this value."

    def start(self, request: PaymentRequest) -> PaymentStart:
        if self.values.get(request.name, Decimal(0)) < request.amount:
            raise PaymentDeclined("The voucher does not cover the order.")
        return PaymentStart(status="captured", reference=request.payment_id, data={"code": request.name})

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:
        return PaymentState(status="captured", reference=reference) if state.get("code") in self.values else None

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:
        return RefundResult(reference=request.refund_id)
