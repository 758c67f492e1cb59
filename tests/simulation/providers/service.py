"""The provider's side: what moved there by its own books, and the events that it sends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection
from shop_orders.exceptions import PaymentDeclined, ProviderNotReached, ProviderUnavailable

if TYPE_CHECKING:
    from simulation.world import World

Answer = TypeVar("Answer")
FOREIGN = "USD"
RATE = Decimal("0.0077")
RIVALS = {
    "start": "pay",
    "refund": "run_refunds",
    "tell": "run_reconciliation",
    "tell of a refund": "run_reconciliation",
    "close": "run_expiry",
    "capture": "resolve",
}
"""The step by which another process asks the same."""
LEASE = timedelta(minutes=2)
"""For so long a process has a refund for itself; one that takes longer is sent again, under the same id."""


@dataclass
class Return:
    """Money that goes back. ``refund_id`` is the shop's; empty for one made in the provider's own dashboard."""

    reference: str
    refund_id: str
    amount: Decimal
    status: str = "succeeded"
    ends_at: datetime | None = None
    will_fail: bool = False


@dataclass
class Deal:
    """One transaction, as the provider's books have it."""

    reference: str
    payment_id: str
    order_number: str
    amount: Decimal
    currency: str
    closes_at: datetime | None = None
    status: str = "open"
    value: Decimal = Decimal(0)
    """What came, in the order's currency."""
    settled_currency: str = ""
    is_recorded: bool = False
    """Whether staff wrote it into the shop's books, where nobody else does."""
    is_unknown: bool = False
    """The shop never asked for it and cannot ask about it, so the event that tells of it arrives at last."""
    account: str = ""
    """What the customer typed as the order's number."""
    receipt: str = ""
    """The number of the transaction that customer and statement have, at a service that has such receipts."""
    arrives_at: datetime | None = None
    will_fail: bool = False
    """When money that is on its way arrives, or whether it does not."""
    is_by_hand: bool = False
    """The customer sent it without a request of the shop."""
    returns: list[Return] = field(default_factory=list)

    @property
    def returned(self) -> Decimal:
        return sum((back.amount for back in self.returns if back.status == "succeeded"), Decimal(0))

    @property
    def on_the_way(self) -> Decimal:
        return sum((back.amount for back in self.returns if back.status == "pending"), Decimal(0))

    def settled(self, value: Decimal) -> Decimal:
        """An amount as the provider tells it."""
        return round(value * RATE, 2) if self.settled_currency != self.currency else value


@dataclass
class Letter:
    """An event on its way to the shop, to be delivered ``left`` times more."""

    alias: str
    body: dict[str, Any]
    due_at: datetime
    left: int
    number: int
    is_forged: bool = False


class Service:
    """A provider with books of its own."""

    knows_again = True
    """Whether a repeated ``start`` of one payment is the same deal."""
    page_minutes = 0
    """How long a deal can be paid; 0: until it is closed."""
    sends_events = True
    names_amounts = True
    """Whether an inquiry says how much came."""
    does_refunds = True
    """Whether refunds are made there, may be pending, and are told of; else people send money back by hand."""
    can_be_paid_again = True
    """Whether a deal that was paid can be paid a second time, by mistake."""
    refusing_means = "failed"

    def __init__(self, world: World, alias: str) -> None:
        self.world, self.alias = world, alias
        self.deals: dict[str, Deal] = {}
        self.is_away = False
        self._numbers = itertools.count(1)
        self._in_flight: dict[str, datetime] = {}

    # What the shop asks.

    def ask(self, question: str, act: Callable[[], Answer], *, may_refuse: bool = False, once: str = "") -> Answer:
        """Do what the shop asks, as far as the network and the provider's mood allow."""
        world = self.world
        if connection.in_atomic_block:
            world.fault("network in a transaction", f"{self.alias} is asked to {question} inside a transaction")
        asked_at = self._in_flight.get(once)
        if once and asked_at is not None and world.clock.now - asked_at < LEASE:
            world.fault("sent twice at once", f"{self.alias} is asked twice at once to {question}")
        self._in_flight[once] = world.clock.now
        world.asking += 1
        try:
            return self._ask(question, act, may_refuse=may_refuse)
        finally:
            world.asking -= 1
            self._in_flight.pop(once, None)

    def _ask(self, question: str, act: Callable[[], Answer], *, may_refuse: bool) -> Answer:
        world, story = self.world, self.world.story
        is_inquiry = question.startswith("tell")
        if self.is_away or world.happens("a provider is away", 0.15):
            story.say(f"{self.alias} is away when it is asked to {question}")
            raise ProviderNotReached if question == "start" else ProviderUnavailable
        if is_inquiry and world.happens("a token has expired", 0.25):
            story.say(f"{self.alias} refuses to {question}: the shop's token has expired")
            raise PaymentDeclined("Invalid access token")
        if may_refuse and world.happens("a provider refuses", 0.2):
            story.say(f"{self.alias} refuses to {question}")
            raise PaymentDeclined
        if world.happens("something else happens meanwhile", 0.2):
            world.meanwhile(f"before {self.alias} has done what it is asked ({question})", RIVALS.get(question, ""))
        answer = act()
        if world.happens("a provider is slow", 0.15):
            minutes = world.rng.choice((1, 3, 20, 40))
            world.clock.advance(minutes=minutes)
            story.say(f"{self.alias} takes {minutes} minutes to {question}")
        if world.happens("something else happens meanwhile", 0.2):
            when = f"after {self.alias} has done what it is asked ({question}), before its answer comes"
            world.meanwhile(when, RIVALS.get(question, ""))
        if world.happens("an answer is lost", 0.15):
            story.say(f"the answer of {self.alias} is lost ({question})")
            raise ProviderUnavailable
        return answer

    def open(self, payment_id: str, order_number: str, amount: Decimal, currency: str) -> Deal:
        known = next((deal for deal in self.deals.values() if deal.payment_id == payment_id), None)
        if known is not None and self.knows_again:
            return known
        deal = self.new_deal(payment_id, order_number, amount, currency)
        if self.page_minutes:
            deal.closes_at = self.world.clock.now + timedelta(minutes=self.page_minutes)
        return deal

    def new_deal(self, payment_id: str, order_number: str, amount: Decimal, currency: str) -> Deal:
        reference = f"{self.alias}-{next(self._numbers)}"
        deal = Deal(reference, payment_id, order_number, amount, currency, settled_currency=currency)
        self.deals[reference] = deal
        return deal

    def deal_of(self, reference: str) -> Deal | None:
        """The transaction that the shop means by a reference."""
        return self.deals.get(reference)

    def close(self, reference: str) -> None:
        """The shop wants no money for this any more."""
        deal = self.deals.get(reference)
        if deal is not None and deal.status in ("open", "authorised"):
            self.end(deal, "cancelled")

    def capture(self, reference: str, amount: Decimal) -> Deal:
        deal = self.deals[reference]
        if deal.status == "captured":
            return deal
        if deal.status != "authorised":
            raise PaymentDeclined
        self.take(deal, amount)
        return deal

    def give_back(self, reference: str, amount: Decimal, refund_id: str = "") -> Return:
        """Send money back; a ``refund_id`` that is known already is the same refund.

        Raises:
            PaymentDeclined: it is more than there is.
        """
        deal = self.deal_of(reference)
        if deal is None:
            raise PaymentDeclined("No such payment")
        known = next((back for back in deal.returns if refund_id and back.refund_id == refund_id), None)
        if known is not None:
            return known
        if amount > deal.value - deal.returned - deal.on_the_way:
            raise PaymentDeclined("More than was paid")
        back = Return(f"{self.alias}-r{next(self._numbers)}", refund_id, amount)
        deal.returns.append(back)
        is_pending = self.world.happens("a refund is pending", 0.6)
        if refund_id and self.does_refunds and is_pending:
            back.status = "pending"
            back.ends_at = self.world.clock.now + timedelta(hours=self.world.rng.choice((1, 10, 50)))
            back.will_fail = self.world.happens("a pending refund fails", 0.5)
        if back.status == "succeeded" or self.counts_pending:
            self.tell_of_refund(deal, back)
        return back

    @property
    def counts_pending(self) -> bool:
        """Whether a total of refunds holds those that may still fail, as Stripe's does."""
        return "a pending refund counts as refunded" in self.world.plan.troubles

    def total_back(self, deal: Deal) -> Decimal:
        return deal.settled(deal.returned + (deal.on_the_way if self.counts_pending else 0))

    # What customers and time do.

    def pay(self, deal: Deal) -> None:
        self.take(deal, deal.amount)

    def pay_again(self, deal: Deal) -> Deal:
        """The same payment made a second time: another transaction, with another reference."""
        second = self.new_deal(deal.payment_id, deal.order_number, deal.amount, deal.currency)
        second.is_unknown = True
        self.take(second, deal.amount)
        return second

    def take(self, deal: Deal, amount: Decimal) -> None:
        deal.status, deal.value = "captured", amount
        if self.sends_events and self.world.happens("another currency is settled", 0.2):
            deal.settled_currency = FOREIGN
        self.send(deal, "captured", amount=deal.settled(amount), currency=deal.settled_currency, receipt=deal.receipt)

    def end(self, deal: Deal, status: str) -> None:
        deal.status = status
        self.send(deal, status)

    def pass_time(self) -> None:
        """End what has ended by now: pages, rings, authorisations, pending refunds."""
        now = self.world.clock.now
        for deal in list(self.deals.values()):
            if deal.status in ("open", "authorised") and deal.closes_at is not None and deal.closes_at <= now:
                self.world.story.say(f"{self.alias}: {self.name(deal)} is over, nobody paid")
                self.end(deal, "cancelled" if deal.status == "authorised" else self.refusing_means)
            for back in deal.returns:
                if back.status == "pending" and back.ends_at is not None and back.ends_at <= now:
                    self.end_return(deal, back)

    def end_return(self, deal: Deal, back: Return) -> None:
        back.status = "failed" if back.will_fail else "succeeded"
        self.world.story.say(f"{self.alias}: the refund {back.reference} of {back.amount} has {back.status}")
        if back.will_fail:
            self.send(
                deal, "refund_failed", amount=back.amount, refund_id=back.refund_id, refund_reference=back.reference
            )
        elif not self.counts_pending:
            self.tell_of_refund(deal, back)

    def name(self, deal: Deal) -> str:
        return f"{deal.reference} ({deal.amount} {deal.currency} for {self.world.order_name(deal.order_number)})"

    def find_return(self, reference: str, refund_id: str = "") -> Return | None:
        """A refund by the service's reference of it, or by the shop's id."""
        made = (back for deal in self.deals.values() for back in deal.returns)
        return next(
            (back for back in made if back.reference == reference or (refund_id and back.refund_id == refund_id)),
            None,
        )

    # What it tells the shop.

    def tell_of_refund(self, deal: Deal, back: Return) -> None:
        self.send(
            deal,
            "refunded",
            amount=self.total_back(deal),
            currency=deal.settled_currency,
            refund_id=back.refund_id,
            refund_reference=back.reference,
        )

    def send(self, deal: Deal, kind: str, *, amount: Decimal | None = None, currency: str = "", **names: str) -> None:
        if not self.sends_events or (kind.startswith("refund") and not self.does_refunds):
            return
        body = {
            "kind": kind,
            "reference": deal.reference if kind not in ("refunded", "refund_failed") else "",
            "payment_id": deal.payment_id,
            "amount": None if amount is None else str(amount),
            "currency": currency or (deal.currency if amount is not None else ""),
            **names,
        }
        if kind in ("refunded", "refund_failed"):
            body["reference"] = deal.reference if self.names_deal_of_refunds else ""
        self.post(body, is_kept=kind == "captured" and deal.is_unknown)

    def post(self, body: dict[str, Any], *, is_kept: bool) -> None:
        """Send an event: never, once or often, soon or late. One that is kept is not lost."""
        world = self.world
        is_lost = world.happens("an event is lost", 0.35) and not is_kept
        left = world.rng.choice((2, 3)) if world.happens("an event comes again", 0.35) else 1
        wait = world.rng.choice((2, 30, 300, 3000)) if world.happens("an event is late", 0.35) else 0
        letter = Letter(
            self.alias, body, world.clock.now + timedelta(minutes=wait), 0 if is_lost else left, next(world.numbers)
        )
        if is_lost:
            what = body.get("reference") or body.get("receipt") or "a refund"
            world.story.say(f"{self.alias}: the event “{body['kind']}” of {what} is lost")
            return
        world.mail.append(letter)
        if not wait and world.asking and world.happens("an event comes before the answer", 0.6):
            world.deliver(letter)

    names_deal_of_refunds = True

    def payable(self) -> Iterator[Deal]:
        yield from (deal for deal in self.deals.values() if deal.status == "open")


SERVICES: dict[str, Service] = {}
"""The services of the life that is played now, by alias."""
