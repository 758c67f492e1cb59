"""The time line of an order, which is the outbox of its signals: a row in the transaction, the signal after commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Model
from django.utils import timezone
from django.utils.module_loading import import_string

from shop_orders import guest_links, hot_write, signals
from shop_orders.conf import app_settings
from shop_orders.models import Charge, Order, OrderEvent, OrderLine, OrderStatus, Payment, Refund, Shipment
from shop_orders.money import as_text

logger = logging.getLogger(__name__)

PAYLOAD_VERSION = 1
GRACE = timedelta(seconds=60)
"""How long the process that wrote the news has it for itself."""
LONGEST_WAIT = timedelta(hours=6)


_muted: ContextVar[bool] = ContextVar("shop_orders.events.muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Within it, events of this thread are written without being announced: for rows that will be thrown away."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


def record(
    order: Order,
    kind: str,
    *,
    signal: str = "",
    by: Any = None,
    old_status: str = "",
    new_status: str = "",
    is_public: bool = True,
    message: str = "",
    reference: str | None = None,
    at_placement: bool = False,
    notify: bool = True,
    extra: Mapping[str, Any] | None = None,
    about: Model | None = None,
    lines: Sequence[OrderLine] | None = None,
    charges: Sequence[Charge] | None = None,
) -> OrderEvent:
    """Write an event in the caller's transaction; with a ``signal``, announce it after commit.

    ``about`` is the Shipment, Payment or Refund that the signal also carries, ``extra`` goes into the payload. A
    ``reference`` can be used once for each order: a second event with it raises IntegrityError.
    """
    signal = "" if _muted.get() else signal
    payload = dict(extra or {})
    if signal:
        payload = {
            **order_payload(order, lines=lines, charges=charges),
            **_change(old_status, new_status, at_placement=at_placement, notify=notify),
            **payload,
        }
    if about is not None:
        payload["about"] = {"model": about._meta.model_name, "public_id": str(about.public_id)}  # type: ignore[attr-defined]
    event = OrderEvent.objects.create(
        order=order,
        kind=kind,
        is_public=is_public,
        actor=by,
        message=message,
        old_status=old_status,
        new_status=new_status,
        reference=reference,
        signal=signal,
        payload=payload,
        next_attempt_at=timezone.now() + GRACE,
    )
    if signal:
        transaction.on_commit(partial(announce, event, about=about), robust=True)
    return event


def record_placement(
    order: Order, *, by: Any, notify: bool, lines: Sequence[OrderLine], charges: Sequence[Charge]
) -> None:
    """Write that an order was placed and, when it was confirmed by that, this change of its status too.

    One statement in the caller's transaction, and one after commit that notes who was told.
    """
    first, final = str(OrderStatus.PENDING), str(order.status)
    news = [("placed", "order_placed", "", first)]
    if final != first:
        news.append(("status_changed", "order_status_changed", first, final))
    said = order_payload(order, lines=lines, charges=charges)
    is_told = not _muted.get()
    written = []
    for kind, signal, old, new in news:
        change = _change(old, new, at_placement=True, notify=notify)
        payload = {**said, "order": {**said["order"], "status": new}, **change} if is_told else {}
        written.append(
            OrderEvent(
                order=order,
                kind=kind,
                actor=by,
                old_status=old,
                new_status=new,
                signal=signal if is_told else "",
                payload=payload,
                next_attempt_at=timezone.now() + GRACE,
            )
        )
    hot_write.insert(written)
    if is_told:
        transaction.on_commit(partial(_announce_together, written), robust=True)


def _change(old_status: str, new_status: str, *, at_placement: bool, notify: bool) -> dict[str, Any]:
    return {"old_status": old_status, "new_status": new_status, "at_placement": at_placement, "notify": notify}


def order_payload(
    order: Order, *, lines: Sequence[OrderLine] | None = None, charges: Sequence[Charge] | None = None
) -> dict[str, Any]:
    """What every signal says of an order, JSON-safe."""
    customer, currency = order.customer, order.currency
    lines = list(order.lines.all()) if lines is None else lines
    charges = list(order.charges.all()) if charges is None else charges
    return {
        "version": PAYLOAD_VERSION,
        "order": {
            "number": order.number,
            "status": order.status,
            "payment_status": order.payment_status,
            "currency": currency,
            "subtotal": as_text(order.subtotal, currency),
            "total": as_text(order.total, currency),
            "lines": [
                {
                    "product_ref": line.product_ref,
                    "sku": line.sku,
                    "name": line.name,
                    "quantity": line.quantity,
                    "unit_price": as_text(line.unit_price, currency),
                    "line_total": as_text(line.line_total, currency),
                }
                for line in lines
            ],
            "charges": [
                {"kind": charge.kind, "label": charge.label, "amount": as_text(charge.amount, currency)}
                for charge in charges
            ],
            "placed_at": order.placed_at.isoformat(),
            "url": order_url(order),
        },
        "recipients": {
            "customer": {
                "key": customer.key,
                "name": order.contact_name,
                "email": order.email,
                "phone": order.phone,
                "language": order.language,
            }
        },
    }


def order_url(order: Order) -> str:
    """The address of the order's page for its customer, by ORDER_URL; a guest's has a token."""
    if not app_settings.ORDER_URL:
        return ""
    token = guest_links.token_for(order.number) if order.customer.is_guest else ""
    build: Callable[[str, str], str] = import_string(app_settings.ORDER_URL)
    return build(order.number, token)


def announce(event: OrderEvent, *, about: Model | None = None) -> bool:
    """Send the signal of one event; done when every receiver returned. Otherwise a later try is noted."""
    is_taken = _send(event, about=about)
    if is_taken:
        OrderEvent.objects.filter(pk=event.pk).update(announced_at=timezone.now(), last_error="")
    return is_taken


def _announce_together(news: Sequence[OrderEvent]) -> None:
    """``announce`` for events that were just written: one note for all that were taken."""
    taken = [event.pk for event in news if _send(event)]
    if taken:
        hot_write.update(OrderEvent, taken, announced_at=timezone.now(), last_error="")


def _send(event: OrderEvent, *, about: Model | None = None) -> bool:
    """Whether every receiver took the news. If not, the next attempt is noted."""
    sent: Any = getattr(signals, event.signal)
    rows: dict[str, Any] = {"order": event.order}
    if about is not None:
        rows[str(about._meta.model_name)] = about
    results = sent.send_robust(sender=Order, payload=event.payload, event_id=event.event_id, **rows)
    errors = [(receiver, result) for receiver, result in results if isinstance(result, Exception)]
    for receiver, error in errors:
        logger.error(
            "A receiver of %s failed: %s", event.signal, getattr(receiver, "__qualname__", receiver), exc_info=error
        )
    if errors:
        text = "; ".join(f"{type(error).__name__}: {error}" for _, error in errors)
        OrderEvent.objects.filter(pk=event.pk).update(
            attempts=F("attempts") + 1,
            next_attempt_at=timezone.now() + _wait(event.attempts + 1),
            last_error=text[:500],
        )
    return not errors


def announce_due(*, limit: int = 500) -> int:
    """Send what a crash or a failing receiver left over; returns how many were taken by every receiver.

    Safe to run in parallel: an event is claimed before it is sent.
    """
    taken = 0
    for pk in OrderEvent.objects.due().order_by("next_attempt_at", "id").values_list("pk", flat=True)[:limit]:
        event = _claim(pk)
        if event is not None:
            taken += announce(event, about=_about(event))
    return taken


def _claim(pk: int) -> OrderEvent | None:
    """The event, for us alone during GRACE; None when another process has it."""
    with transaction.atomic():
        rows = OrderEvent.objects.due().filter(pk=pk)
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        event = rows.first()
        if event is not None:
            OrderEvent.objects.filter(pk=pk).update(next_attempt_at=timezone.now() + GRACE)
    return event


def _about(event: OrderEvent) -> Model | None:
    about = event.payload.get("about")
    if not about:
        return None
    models: dict[str, type[Shipment | Payment | Refund]] = {
        "shipment": Shipment,
        "payment": Payment,
        "refund": Refund,
    }
    return models[about["model"]].objects.filter(public_id=about["public_id"]).first()


def _wait(attempts: int) -> timedelta:
    """30 s, 2 min, 8 min, ... up to six hours."""
    return min(LONGEST_WAIT, timedelta(seconds=30 * 4 ** min(attempts - 1, 10)))
