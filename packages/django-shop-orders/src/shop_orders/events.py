"""The timeline of an order, which is also the outbox of its signals. An event is stored in the caller's transaction,
and its signal is sent after commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import router, transaction
from django.db.models import F, Model
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from shop_core.db.transactions import connection_of
from shop_core.money import as_text
from shop_core.replay import PastEvent, rows_after

from shop_orders import guest_links, queries, signals
from shop_orders.conf import app_settings
from shop_orders.models import Charge, Order, OrderEvent, OrderLine, OrderStatus, Payment, Refund, Shipment
from shop_orders.pricing.amounts import percent_text, rate_text

logger = logging.getLogger(__name__)

PAYLOAD_VERSION = 1
GRACE = timedelta(seconds=60)
"""For this long, only the process that recorded or claimed an event may announce it."""
LONGEST_WAIT = timedelta(hours=6)


_muted: ContextVar[bool] = ContextVar("shop_orders.events.muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Record events of this thread without announcing them, for rows that will be deleted."""
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
    """Record an event in the caller's transaction; with a ``signal``, announce it after commit.

    ``about`` is a Shipment, Payment or Refund that receivers get as well. ``extra`` is added to the payload. A
    ``reference`` is unique within an order: a second event with it raises IntegrityError.
    """
    signal = "" if _muted.get() else signal
    payload = dict(extra or {})
    if signal:
        payload = {
            **order_payload(order, lines=lines, charges=charges),
            **_change_payload(old_status, new_status, at_placement=at_placement, notify=notify),
            **payload,
        }
    if about is not None:
        payload["about"] = {"model": about._meta.model_name, "public_id": str(about.public_id)}  # type: ignore[attr-defined]
    is_received = _has_receivers(signal)
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
        announced_at=timezone.now() if signal and not is_received else None,
    )
    if is_received:
        transaction.on_commit(lambda: announce(event, about=about), using=router.db_for_write(Order), robust=True)
    return event


def record_placement(
    order: Order, *, by: Any, notify: bool, lines: Sequence[OrderLine], charges: Sequence[Charge]
) -> None:
    """Record that an order was placed and, if it was confirmed at once, that its status changed.

    Takes one statement in the caller's transaction, and one after commit to mark the events that every receiver
    accepted.
    """
    first, final = str(OrderStatus.PENDING), str(order.status)
    changes = [("placed", "order_placed", "", first)]
    if final != first:
        changes.append(("status_changed", "order_status_changed", first, final))
    common = order_payload(order, lines=lines, charges=charges)
    is_announced, now = not _muted.get(), timezone.now()
    events = []
    for kind, signal, old, new in changes:
        change = _change_payload(old, new, at_placement=True, notify=notify)
        payload = {**common, "order": {**common["order"], "status": new}, **change} if is_announced else {}
        events.append(
            OrderEvent(
                order=order,
                kind=kind,
                actor=by,
                old_status=old,
                new_status=new,
                signal=signal if is_announced else "",
                payload=payload,
                next_attempt_at=now + GRACE,
                announced_at=now if is_announced and not _has_receivers(signal) else None,
            )
        )
    queries.insert(events)
    if waiting := [event for event in events if event.is_waiting]:
        transaction.on_commit(lambda: _announce_together(waiting), using=router.db_for_write(Order), robust=True)


def _has_receivers(signal: str) -> bool:
    """Whether a receiver is connected to a signal of orders. An event without one counts as announced at once."""
    return bool(signal) and getattr(signals, signal).has_listeners(Order)


def _change_payload(old_status: str, new_status: str, *, at_placement: bool, notify: bool) -> dict[str, Any]:
    return {"old_status": old_status, "new_status": new_status, "at_placement": at_placement, "notify": notify}


def order_payload(
    order: Order, *, lines: Sequence[OrderLine] | None = None, charges: Sequence[Charge] | None = None
) -> dict[str, Any]:
    """The part of a payload that every signal has, JSON-safe."""
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
            "net_total": as_text(order.net_total, currency),
            "tax_total": as_text(order.tax_total, currency),
            "total": as_text(order.total, currency),
            "lines": [
                {
                    "line": line.line,
                    "product_ref": line.product_ref,
                    "sku": line.sku,
                    "name": line.name,
                    "options": line.options,
                    "options_text": line.options_text,
                    "quantity": line.quantity,
                    "unit_price": as_text(line.unit_price, currency),
                    "line_total": as_text(line.line_total, currency),
                    **_taxed(line, currency),
                }
                for line in lines
            ],
            "charges": [
                {
                    "kind": charge.kind,
                    "label": charge.label,
                    "amount": as_text(charge.amount, currency),
                    "is_included": charge.is_included,
                    **_taxed(charge, currency),
                }
                for charge in charges
            ],
            "tax_lines": [_tax_line(charge, currency) for charge in charges if charge.kind == Charge.Kind.TAX],
            "account": _account(order),
            "placed_at": order.placed_at.astimezone(UTC).isoformat(),
            "url": order_url(order),
        },
        "visitor": order.visitor,
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


def _account(order: Order) -> dict[str, str]:
    amounts = {
        "credited_amount": order.credited_amount,
        "paid_amount": order.paid_amount,
        "refunded_amount": order.refunded_amount,
        "refunds_under_way": order.refunds_under_way,
        "amount_due": order.amount_due,
        "refund_due": order.refund_due,
    }
    return {name: as_text(amount, order.currency) for name, amount in amounts.items()}


def _taxed(row: OrderLine | Charge, currency: str) -> dict[str, str | None]:
    return {
        "discount": as_text(row.discount, currency),
        "tax_rate": None if row.tax_rate is None else rate_text(row.tax_rate),
        "net": None if row.net is None else as_text(row.net, currency),
        "tax": None if row.tax is None else as_text(row.tax, currency),
    }


def _tax_line(charge: Charge, currency: str) -> dict[str, Any]:
    rate = charge.tax_rate
    return {
        "label": charge.label,
        "rate": None if rate is None else rate_text(rate),
        "percent": "" if rate is None else percent_text(rate),
        "base": None if charge.base is None else as_text(charge.base, currency),
        "amount": as_text(charge.amount, currency),
        "is_included": charge.is_included,
    }


def order_url(order: Order) -> str:
    """The URL of the order's page, from the ORDER_URL hook. For a guest's order it contains a token.

    Returns "" and logs the error if the hook fails: a message without a link is better than no order.
    """
    if not app_settings.ORDER_URL:
        return ""
    token = guest_links.token_for(order.number) if order.customer.is_guest else ""
    build: Callable[[str, str], object] = import_string(app_settings.ORDER_URL)
    try:
        url = build(order.number, token)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("The hook ORDER_URL failed")
        return ""
    if not isinstance(url, str | Promise):
        logger.error("The hook ORDER_URL returned %.100r, which is not a text", url)
        return ""
    return str(url)


def announce(event: OrderEvent, *, about: Model | None = None) -> bool:
    """Send the signal of one event. Returns True if no receiver failed; otherwise the next attempt is scheduled."""
    is_received = _send(event, about=about)
    if is_received:
        OrderEvent.objects.filter(pk=event.pk).update(announced_at=timezone.now(), last_error="")
    return is_received


def _announce_together(events: Sequence[OrderEvent]) -> None:
    """``announce`` for events that were just recorded, with one update for all."""
    received = [event.pk for event in events if _send(event)]
    if received:
        queries.update(OrderEvent, received, announced_at=timezone.now(), last_error="")


def _send(event: OrderEvent, *, about: Model | None = None) -> bool:
    """Send the signal. Returns True if no receiver failed; otherwise the next attempt is scheduled."""
    values = _values(event, about)
    results = values.pop("signal").send_robust(sender=Order, **values)
    errors = [(receiver, result) for receiver, result in results if isinstance(result, Exception)]
    for receiver, error in errors:
        logger.error(
            "A receiver of %s failed: %s", event.signal, getattr(receiver, "__qualname__", receiver), exc_info=error
        )
    if errors:
        _try_later(event, "; ".join(f"{type(error).__name__}: {error}" for _, error in errors))
    return not errors


def _values(event: OrderEvent, about: Model | None) -> dict[str, Any]:
    """The keyword arguments of a receiver, without the sender."""
    values = {"signal": getattr(signals, event.signal), "order": event.order}
    if about is not None:
        values[str(about._meta.model_name)] = about
    return {**values, "payload": event.payload, "event_id": event.event_id}


def _try_later(event: OrderEvent, error: str) -> None:
    OrderEvent.objects.filter(pk=event.pk).update(
        attempts=F("attempts") + 1,
        next_attempt_at=timezone.now() + _retry_delay(event.attempts + 1),
        last_error=error[:500],
    )


def announce_due(*, limit: int = 500) -> int:
    """Announce the events that a crash or a failing receiver left unannounced. Returns how many succeeded.

    Safe to run in parallel: an event is claimed before it is announced. An event that cannot be sent at all, for
    example because a later version removed its signal, is postponed as well.
    """
    announced = 0
    for pk in list(OrderEvent.objects.due().order_by("next_attempt_at", "id").values_list("pk", flat=True)[:limit]):
        event = _claim(pk)
        if event is None:
            continue
        try:
            announced += announce(event, about=_about(event))
        except Exception as error:
            logger.exception("The event %s could not be announced", event.event_id)
            _try_later(event, f"{type(error).__name__}: {error}")
    return announced


def past(names: Iterable[str], *, after: int, since: datetime | None, numbers: Sequence[str]) -> Iterator[PastEvent]:
    """The announced events of some signals, oldest first, for a replay to one receiver.

    Events that wait for their next attempt are left out: ``announce_due`` sends them to every receiver. So are those
    recorded from now on, so that a replay ends.
    """
    events = OrderEvent.objects.filter(signal__in=[*names], announced_at__lte=timezone.now())
    if since is not None:
        events = events.filter(created_at__gte=since)
    if numbers:
        events = events.filter(order__number__in=numbers)
    for event in rows_after(events.select_related("order__customer"), after):
        yield PastEvent(
            position=f"event-{event.pk}",
            signal=event.signal,
            about=event.order.number,
            sender=Order,
            values=_values(event, _about(event)),
            recorded_at=event.created_at,
        )


def _claim(pk: int) -> OrderEvent | None:
    """Claim an event, so that no other process announces it during GRACE. None if another process has claimed it."""
    connection = connection_of(OrderEvent)
    with transaction.atomic(using=connection.alias):
        due = OrderEvent.objects.due().filter(pk=pk)
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        event = due.first()
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


def _retry_delay(attempts: int) -> timedelta:
    """30 s, 2 min, 8 min, ... up to six hours."""
    return min(LONGEST_WAIT, timedelta(seconds=30 * 4 ** min(attempts - 1, 10)))
