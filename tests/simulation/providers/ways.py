"""Ways to pay, each behind the shop's real extension point."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable
from shop_orders.models import Refund
from shop_orders.payment_providers import (
    BankTransfer,
    IncomingPaymentEvent,
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    PayOnDelivery,
    RefundRequest,
    RefundResult,
    RefundState,
)

from simulation.providers.service import SERVICES, Deal, Service


class CardService(Service):
    """A hosted page, as Stripe's: it knows a payment again and tells everything."""

    names_deal_of_refunds = False
    refusing_means = "cancelled"

    def __init__(self, world: Any, alias: str) -> None:
        super().__init__(world, alias)
        self.page_minutes = 24 * 60 if "pages stay open for a day" in world.plan.troubles else 30


class PhoneService(Service):
    """A push to a phone, as M-Pesa's: each start rings, an inquiry names no amount, nothing is signed."""

    knows_again = False
    page_minutes = 2
    names_amounts = False
    does_refunds = False
    can_be_paid_again = False
    """A push that was answered is over. Who pays again pays a second push, or by hand."""

    def take(self, deal: Deal, amount: Decimal) -> None:
        deal.receipt = deal.receipt or f"receipt-{deal.reference}"
        tells = self.world.happens("a push is told of as paid by hand too", 0.6)
        if deal.is_by_hand:
            deal.status, deal.value = "captured", amount
        else:
            super().take(deal, amount)
        if tells or deal.is_by_hand:
            self.tell_of_receipt(deal, "reported")

    def pay_by_hand(self, order_number: str, account: str, amount: Decimal) -> Deal:
        """A customer types paybill, account and amount; the money comes, whatever it is for."""
        deal = self.new_deal("", order_number, amount, "KES")
        deal.receipt = deal.reference
        deal.account, deal.is_by_hand, deal.is_unknown = account, True, True
        self.take(deal, amount)
        return deal

    def tell_of_receipt(self, deal: Deal | None, status: str, *, receipt: str = "") -> None:
        """Money that came in, or the answer to a question about it."""
        values = {"receipt": receipt, "amount": "1.00", "account": ""}
        if deal is not None:
            values = {"receipt": deal.receipt, "amount": str(deal.amount), "account": deal.account}
        self.post({**values, "kind": "incoming", "status": status, "currency": "KES"}, is_kept=status == "reported")

    def deal_of(self, reference: str) -> Deal | None:
        """A push that was told of as paid by hand is known to the shop by its receipt."""
        return super().deal_of(reference) or self.with_receipt(reference)

    def with_receipt(self, receipt: str) -> Deal | None:
        return next((deal for deal in self.deals.values() if receipt and deal.receipt == receipt), None)


class DepositService(Service):
    """Money is held first and taken later; what is not taken lapses after a week."""

    def __init__(self, world: Any, alias: str) -> None:
        super().__init__(world, alias)
        self.page_minutes = 24 * 60 if "pages stay open for a day" in world.plan.troubles else 60

    def pay(self, deal: Deal) -> None:
        deal.status, deal.closes_at = "authorised", self.world.clock.now + timedelta(days=7)
        self.send(deal, "authorised")


class DebitService(Service):
    """A page on which customers agree to a debit of their bank account: the money arrives days later, or never."""

    refusing_means = "cancelled"
    page_minutes = 30

    def open(self, payment_id: str, order_number: str, amount: Decimal, currency: str) -> Deal:
        deal = super().open(payment_id, order_number, amount, currency)
        if self.world.happens("a customer has agreed before", 0.3) and deal.status == "open":
            self.pay(deal)
        return deal

    def pay(self, deal: Deal) -> None:
        deal.status, deal.closes_at = "processing", None
        deal.arrives_at = self.world.clock.now + timedelta(hours=self.world.rng.choice((5, 30, 140)))
        deal.will_fail = self.world.happens("a debit fails", 0.5)
        self.send(deal, "processing")

    def close(self, reference: str) -> None:
        deal = self.deals.get(reference)
        if deal is not None and deal.status == "processing":
            raise PaymentDeclined("The money is on its way")
        super().close(reference)

    def pass_time(self) -> None:
        super().pass_time()
        for deal in list(self.deals.values()):
            if deal.status == "processing" and deal.arrives_at is not None and deal.arrives_at <= self.world.clock.now:
                self.world.story.say(f"{self.alias}: {self.name(deal)} {'fails' if deal.will_fail else 'arrives'}")
                if deal.will_fail:
                    self.end(deal, "failed")
                else:
                    self.take(deal, deal.amount)


class BankService(Service):
    """An account: customers send what they like, and only its statement tells."""

    sends_events = False
    does_refunds = False


class DoorService(Service):
    """The courier's cash."""

    sends_events = False
    does_refunds = False


class Simulated(PaymentProvider):
    """What the hosted page, the push and the deposit have in common."""

    def __init__(self, *, alias: str) -> None:
        super().__init__(alias=alias)
        self.service = SERVICES[alias]

    def start(self, request: PaymentRequest) -> PaymentStart:
        deal = self.service.ask(
            "start",
            lambda: self.service.open(request.payment_id, request.order_number, request.amount, request.currency),
            may_refuse=True,
        )
        return self.started(deal)

    def started(self, deal: Deal) -> PaymentStart:
        return PaymentStart(reference=deal.reference, redirect_url=f"https://{self.alias}.example/{deal.reference}")

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:
        back = self.service.ask(
            "refund",
            lambda: self.service.give_back(reference, request.amount, request.refund_id),
            may_refuse=True,
            once=request.refund_id,
        )
        return RefundResult(status=back.status, reference=back.reference)

    def fetch_refund(self, state: Mapping[str, Any], *, reference: str, refund_reference: str) -> RefundResult | None:
        if not refund_reference:
            return None
        back = self.service.ask("tell of a refund", lambda: self.service.find_return(refund_reference))
        if back is None:
            return None
        return RefundResult(status=back.status, reference=back.reference)

    def cancel(self, state: Mapping[str, Any], *, reference: str) -> None:
        self.service.ask("close", lambda: self.service.close(reference))

    def fetch(self, state: Mapping[str, Any], *, reference: str) -> PaymentState | None:
        if not reference:
            return None
        return self.service.ask("tell", lambda: self.state_of(reference))

    def state_of(self, reference: str) -> PaymentState:
        deal = self.service.deal_of(reference)
        if deal is None:
            raise PaymentDeclined("No such payment")
        if deal.status == "captured":
            if not self.service.names_amounts:
                return PaymentState(status="captured", reference=reference)
            return PaymentState(
                status="captured",
                reference=reference,
                captured=deal.settled(deal.value),
                refunded=self.service.total_back(deal),
                refunds=self.refunds_of(deal),
                currency=deal.settled_currency,
            )
        return PaymentState(status="pending" if deal.status == "open" else deal.status, reference=reference)

    def refunds_of(self, deal: Deal) -> list[RefundState] | None:
        """Every refund of the transaction, where the provider lists them."""
        troubles = self.service.world.plan.troubles
        if "refunds are listed" not in troubles:
            return None
        names_ours = "listed refunds have no id of ours" not in troubles
        return [
            RefundState(
                status=back.status,
                amount=deal.settled(back.amount),
                refund_id=back.refund_id if names_ours else "",
                reference=back.reference,
            )
            for back in deal.returns
        ]

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent]:
        letter = json.loads(request.body)
        return [self.event_of(letter)]

    def event_of(self, letter: Mapping[str, Any], **changes: Any) -> PaymentEvent:
        fields = {
            "event_id": letter["event_id"],
            "kind": letter["kind"],
            "reference": letter["reference"],
            "payment_id": letter["payment_id"],
            "refund_id": letter.get("refund_id", ""),
            "refund_reference": letter.get("refund_reference", ""),
            "amount": None if letter["amount"] is None else Decimal(letter["amount"]),
            "currency": letter["currency"],
            "receipt": letter.get("receipt", ""),
        }
        return PaymentEvent(**{**fields, **changes})


class Card(Simulated):
    label = "Card"
    expires_after = timedelta(minutes=30)


class Phone(Simulated):
    label = "Phone"
    expires_after = timedelta(minutes=15)
    start_once_for = timedelta(minutes=2)
    refunds_by_hand = True

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:
        """People send the money back in the portal; this notes it."""
        row = Refund.objects.get(public_id=request.refund_id)
        if row.actor_id is None:
            self.service.world.fault("nobody sent it back", f"{row.amount} by {self.alias}, which only staff can send")
        back = self.service.give_back(reference, request.amount, request.refund_id)
        return RefundResult(reference=back.reference)

    def fetch_refund(self, state: Mapping[str, Any], *, reference: str, refund_reference: str) -> RefundResult | None:
        return None

    def cancel(self, state: Mapping[str, Any], *, reference: str) -> None:
        """A phone that rings cannot be stopped."""

    def confirm_incoming(self, receipt: str) -> bool:
        def look() -> None:
            deal = self.service.with_receipt(receipt)
            self.service.tell_of_receipt(deal, "confirmed" if deal else "refuted", receipt=receipt)

        self.service.ask("tell of a receipt", look)
        return True

    def read_webhook(self, request: HttpRequest) -> Iterable[PaymentEvent | IncomingPaymentEvent]:
        """Nothing is signed: the provider is asked whether it is so."""
        letter = json.loads(request.body)
        if letter["kind"] == "incoming":
            amount = Decimal(letter["amount"])
            fields = {name: letter[name] for name in ("receipt", "currency", "account", "status")}
            return [IncomingPaymentEvent(amount=amount, **fields)]
        try:
            known = self.fetch({}, reference=letter["reference"])
        except (PaymentDeclined, ProviderUnavailable):
            known = None
        if known is None or known.status == "pending":
            return [self.event_of(letter, is_confirmed=False)]
        amount = Decimal(letter["amount"]) if known.status == "captured" and letter["amount"] else None
        event_id = f"{letter['reference']}:{known.status}"
        return [self.event_of(letter, event_id=event_id, kind=known.status, amount=amount)]


class Deposit(Simulated):
    label = "Deposit"
    expires_after = timedelta(hours=1)

    def started(self, deal: Deal) -> PaymentStart:
        return PaymentStart(
            reference=deal.reference,
            redirect_url=f"https://{self.alias}.example/{deal.reference}",
            expires_at=deal.closes_at,
        )

    def capture(self, state: Mapping[str, Any], *, reference: str, amount: Decimal, currency: str) -> PaymentState:
        self.service.ask("capture", lambda: self.service.capture(reference, amount), may_refuse=True)
        return self.state_of(reference)


class Debit(Simulated):
    label = "Debit"
    expires_after = timedelta(minutes=30)

    def started(self, deal: Deal) -> PaymentStart:
        if deal.status == "processing":
            return PaymentStart(reference=deal.reference, status="processing")
        return super().started(deal)


class ByHand:
    """Staff move the money of these ways; what they record as sent back, they have sent."""

    alias: str

    def refund(self, state: Mapping[str, Any], *, reference: str, request: RefundRequest) -> RefundResult:
        service, rest = SERVICES[self.alias], request.amount
        if any(back.refund_id == request.refund_id for deal in service.deals.values() for back in deal.returns):
            return RefundResult(reference=request.refund_id)  # they have sent it already
        row = Refund.objects.select_related("payment__order").get(public_id=request.refund_id)
        number = row.payment.order.number
        if row.actor_id is None:
            service.world.fault("nobody sent it back", f"{row.amount} by {self.alias}, which only staff can send")
        for deal in list(service.deals.values()):
            part = min(rest, deal.value - deal.returned)
            if part > 0 and deal.order_number == number:
                rest -= service.give_back(deal.reference, part, request.refund_id).amount
        if rest:
            service.world.fault("gave back what never came", f"{rest} more goes back by {self.alias} than came")
        return RefundResult(reference=request.refund_id)


class Bank(ByHand, BankTransfer):
    def __init__(self, *, alias: str) -> None:
        super().__init__(alias=alias, account="KE12 3456", days=7)


class Door(ByHand, PayOnDelivery):
    pass


KINDS: dict[str, tuple[type[Service], str]] = {
    "card": (CardService, "simulation.providers.ways.Card"),
    "phone": (PhoneService, "simulation.providers.ways.Phone"),
    "bank": (BankService, "simulation.providers.ways.Bank"),
    "door": (DoorService, "simulation.providers.ways.Door"),
    "deposit": (DepositService, "simulation.providers.ways.Deposit"),
    "debit": (DebitService, "simulation.providers.ways.Debit"),
}
