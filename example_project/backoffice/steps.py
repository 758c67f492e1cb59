"""A preview of the messages that a step of an order would send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from shop_notify.messages import Preview, preview_signal
from shop_notify.segments import count_segments
from shop_orders import crediting, events, payments
from shop_orders.admin import STEPS
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Order, Payment, Refund
from shop_orders.payment_providers import PaymentState


@dataclass(frozen=True, kw_only=True)
class StepPreview:
    """The messages of a step, each with its number of SMS parts. ``problem`` says why the step cannot be taken."""

    messages: list[tuple[Preview, int]]
    problem: str = ""


def preview(name: str, order: Order, options: Mapping[str, Any], *, by: Any) -> StepPreview:
    """The messages that a step would send: it is taken in a transaction that is rolled back.

    No provider is called: success is assumed.
    """
    try:
        with transaction.atomic():
            announced = _refund(order, options) if name == "refund" else _announced(name, order, options, by=by)
            transaction.set_rollback(True)
    except ShopOrdersError as error:
        return StepPreview(messages=[], problem=str(error))
    shown = [preview for signal, payload in announced for preview in preview_signal(signal, payload)]
    return StepPreview(messages=[(row, _parts(row)) for row in shown])


def _announced(name: str, order: Order, options: Mapping[str, Any], *, by: Any) -> list[tuple[str, dict[str, Any]]]:
    known = set(order.events.values_list("pk", flat=True))
    if name == "capture":
        _assume_captured(order, options)
    else:
        STEPS[name].action(order.pk, by=by, **options)
    return _signals_since(known, order)


def _signals_since(known: set[int], order: Order) -> list[tuple[str, dict[str, Any]]]:
    rows = order.events.exclude(pk__in=known).exclude(signal="").order_by("pk")
    return [(f"shop_orders.signals.{event.signal}", event.payload) for event in rows]


def _assume_captured(order: Order, options: Mapping[str, Any]) -> None:
    for payment in order.payments.filter(status=Payment.Status.AUTHORISED):
        state = PaymentState(status="captured", captured=payment.amount, currency=payment.currency)
        payments.apply_state(payment.pk, state, **options)


def _refund(order: Order, options: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    known = set(order.events.values_list("pk", flat=True))
    queued = payments.queue_refund(order.pk, **options)
    order.refresh_from_db()
    announced = _signals_since(known, order)
    Refund.objects.filter(pk__in=[refund.pk for refund in queued]).update(status=Refund.Status.SUCCEEDED)
    order.refunded_amount += sum(refund.amount for refund in queued)
    payload = {**events.order_payload(order), "notify": options.get("notify", True)}
    payload["refund"] = crediting.refund_payload(order, queued)
    announced.append(("shop_orders.signals.order_refunded", payload))
    return announced


def _parts(row: Preview) -> int:
    return count_segments(row.text).parts if row.channel == "sms" and row.text else 0
