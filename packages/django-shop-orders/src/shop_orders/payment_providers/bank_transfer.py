"""Payment by bank transfer. Staff check the bank statement and record the payment."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shop_core.money import as_text

from shop_orders.payment_providers.base import PaymentRequest, PaymentStart
from shop_orders.payment_providers.on_delivery import PayOnDelivery


class BankTransfer(PayOnDelivery):
    """``account`` is the text with the bank account; the customer has ``days`` to pay."""

    label = gettext_lazy("Bank transfer")
    confirms_at_placement = False

    def __init__(self, *, alias: str, account: str, days: int = 7) -> None:
        super().__init__(alias=alias)
        self.account = account
        self.expires_after = timedelta(days=days)

    def start(self, request: PaymentRequest) -> PaymentStart:
        text = _("Send %(amount)s %(currency)s to %(account)s with the reference %(reference)s.")
        return PaymentStart(
            reference=f"{self.alias}:{request.payment_id}",
            instructions=text
            % {
                "amount": as_text(request.amount, request.currency),
                "currency": request.currency,
                "account": self.account,
                "reference": request.order_number,
            },
        )
