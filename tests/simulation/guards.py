"""Guards of the shop that can be switched off one by one, to show that the simulation finds them missing."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from unittest import mock

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from shop_orders import crediting, idempotency, lifecycle
from shop_orders.carts import unpaid_orders
from shop_orders.exceptions import PaymentDeclined
from shop_orders.models import Credit, Order, Payment, Refund
from shop_orders.payment_providers import PaymentState
from shop_orders.payments import checking, expiring, inbox, refunds, sending, states
from shop_orders.product_sources import product_source

from simulation import jobs
from simulation.providers import ways

Off = Callable[[], contextlib.AbstractContextManager[Any]]


def _expiry_does_not_ask() -> Any:
    """An order expires without a question to its provider."""
    return mock.patch.object(expiring, "_end_payments", return_value=None)


def _expiry_of_any_order() -> Any:
    """Expiry asks whether some order is overdue, not whether this one is."""

    def expire(order_id: int, *, notify: bool = True) -> bool:
        with transaction.atomic():
            order = lifecycle.lock(order_id)
            if order.status == "cancelled" or not Order.objects.overdue().exists():
                return False
            reason = "It was not paid in time."
            lifecycle.cancel_locked(order, kind=Credit.Kind.EXPIRY, by=None, reason=reason, notify=notify)
            return True

    def overdue_and_unpaid(*, limit: int = 500) -> int:
        if not Order.objects.overdue().exists():
            return 0
        return sum(expire(pk) for pk in Order.objects.unpaid().values_list("pk", flat=True)[:limit])

    return mock.patch.dict(jobs.JOBS, {"expire_orders": overdue_and_unpaid})


def _expiry_forgets_money_on_its_way() -> Any:
    """An order expires while its money is on its way."""
    querysets = type(Order.objects.all())

    def overdue(self: Any, now: Any = None) -> Any:
        return self.unpaid().filter(expires_at__lte=now or timezone.now()).exclude(payments__status="held")

    return mock.patch.object(querysets, "overdue", overdue)


def _refunds_without_lease() -> Any:
    """A refund that is being sent by one process is sent by another too."""

    def claim(refund_id: int) -> Refund | None:
        refund = Refund.objects.select_related("payment").get(pk=refund_id)
        if refund.status != Refund.Status.QUEUED:
            return None
        refund.attempts += 1
        refund.save(update_fields=["attempts", "updated_at"])
        return refund

    return mock.patch.object(sending, "_claim", claim)


def _claims_are_believed() -> Any:
    """An event that nobody has confirmed is booked."""
    apply_event = inbox.apply_event
    return mock.patch.object(
        inbox, "apply_event", lambda alias, event: apply_event(alias, dataclasses.replace(event, is_confirmed=True))
    )


def _second_transaction_is_the_first() -> Any:
    """A second transaction for one payment counts as an event of the first."""
    return mock.patch.object(inbox, "_payment_with_reference", lambda order, payment, row: payment)


def _stock_is_not_released() -> Any:
    """A cancelled order keeps its stock."""
    source = type(product_source())
    return mock.patch.object(source, "release", return_value=None)


def _stock_is_released_twice() -> Any:
    """What a cancelled order gives back is not looked up in the ledger."""
    from shop_catalog.models import Product

    source = type(product_source())

    def release(self: Any, quantities: Any, *, reference: str) -> None:
        for sku, quantity in quantities.items():
            Product.objects.filter(sku=sku, reserved_quantity__gte=quantity).update(
                reserved_quantity=F("reserved_quantity") - quantity
            )

    return mock.patch.object(source, "release", release)


def _refunds_without_limit() -> Any:
    """More is refunded than is left, as long as it was paid once."""

    def queue(
        order: Order, amount: Decimal | None, *, reason: str, by: Any, notify: bool, **_parts: Any
    ) -> list[Refund]:
        payment = order.payments.filter(status=Payment.Status.CAPTURED).order_by("-id").first()
        wanted = amount or payment.captured_amount
        return Refund.objects.bulk_create(
            [Refund(payment=payment, amount=wanted, reason=reason, actor=by, notify=notify)]
        )

    return mock.patch.object(refunds, "queue", queue)


def _wrong_amounts_are_booked() -> Any:
    """What came is not compared with what was asked."""
    from shop_orders.payments import account

    apply = account.apply

    def believe(order: Order, payment: Payment, kind: str, **values: Any) -> Any:
        if kind == "captured":
            values |= {"amount": payment.amount, "currency": payment.currency}
        return apply(order, payment, kind, **values)

    return mock.patch.object(account, "apply", believe)


def _failed_receivers_are_forgotten() -> Any:
    """An event counts as announced although a receiver failed."""
    from shop_orders import events

    send = events._send

    def forget(event: Any, *, about: Any = None) -> bool:
        send(event, about=about)
        return True

    return mock.patch.object(events, "_send", forget)


def _refunds_are_not_credited() -> Any:
    """The shop goes on asking for what it has refunded."""
    return mock.patch.object(crediting, "credit_parts")


def _cancelled_orders_are_not_credited() -> Any:
    """A cancelled order still asks for its total."""
    return mock.patch.object(crediting, "credit_remainder")


def _refused_questions_are_answers() -> Any:
    """A question that the provider refuses means that the payment failed."""
    fetch = ways.Simulated.fetch

    def believe(self: Any, state: Any, *, reference: str) -> Any:
        try:
            return fetch(self, state, reference=reference)
        except PaymentDeclined:
            return PaymentState(status="failed", reference=reference)

    return mock.patch.object(ways.Simulated, "fetch", believe)


def _lost_starts_are_forgotten() -> Any:
    """Where the answer to ``start`` was lost, it is not repeated before the payment is given up."""

    def forget(payment: Payment) -> Payment:
        return states.apply_state(payment.pk, PaymentState(status="cancelled"))

    return mock.patch.object(checking, "_check_start", forget)


def _anybody_holds_stock() -> Any:
    """Nobody counts the unpaid orders of a buyer."""
    return mock.patch.object(unpaid_orders, "check")


def _keys_are_ignored() -> Any:
    """A repeated request is made again."""
    row_of, numbers = idempotency._row_of, itertools.count(1)

    def forget(request: idempotency.KeyedRequest) -> Any:
        return row_of(dataclasses.replace(request, key=f"{request.key} {next(numbers)}"))

    return mock.patch.object(idempotency, "_row_of", forget)


GUARDS: dict[str, Off] = {
    "expiry asks the provider": _expiry_does_not_ask,
    "expiry takes its own order": _expiry_of_any_order,
    "an order waits for money that is on its way": _expiry_forgets_money_on_its_way,
    "a refund is sent by one process at a time": _refunds_without_lease,
    "a claim is confirmed before it is booked": _claims_are_believed,
    "a second transaction is a payment of its own": _second_transaction_is_the_first,
    "a cancelled order releases its stock": _stock_is_not_released,
    "stock is released by its ledger": _stock_is_released_twice,
    "no more is refunded than is left": _refunds_without_limit,
    "a wrong amount is held": _wrong_amounts_are_booked,
    "a failed receiver is told again": _failed_receivers_are_forgotten,
    "a refund is credited": _refunds_are_not_credited,
    "a cancelled order asks for nothing": _cancelled_orders_are_not_credited,
    "a refused question says nothing": _refused_questions_are_answers,
    "a start is repeated before it is given up": _lost_starts_are_forgotten,
    "nobody holds stock without limit": _anybody_holds_stock,
    "a key works once": _keys_are_ignored,
}


@contextlib.contextmanager
def off(name: str) -> Iterator[None]:
    """Switch one guard off in the block."""
    with GUARDS[name]():
        yield
