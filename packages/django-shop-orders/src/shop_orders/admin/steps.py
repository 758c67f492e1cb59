"""What staff can do with an order on its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from shop_orders import lifecycle, payments
from shop_orders.admin.forms import (
    CancelForm,
    NoteForm,
    PayForm,
    RefundForm,
    ResolveForm,
    ShipForm,
    StepForm,
    TellForm,
)
from shop_orders.exceptions import NotPayable
from shop_orders.models import Order, OrderStatus, Payment


@dataclass(frozen=True)
class Step:
    """What staff can do with an order on its page: the verb, and a form for what there is to say."""

    label: Any
    permission: str
    verb: Callable[..., Any]
    form: type[StepForm]


def _capture(order_id: int, **options: Any) -> None:
    for payment in Payment.objects.filter(order_id=order_id, status=Payment.Status.AUTHORISED).order_by("id"):
        payments.capture(payment.pk, **options)


def _resolve(order_id: int, **options: Any) -> None:
    held = Payment.objects.filter(order_id=order_id, status=Payment.Status.HELD).order_by("id").first()
    if held is None:
        raise NotPayable
    payments.resolve(held.pk, **options)


STEPS: Mapping[str, Step] = {
    "confirm": Step(gettext_lazy("Confirm"), "process_order", lifecycle.confirm, TellForm),
    "process": Step(gettext_lazy("Start processing"), "process_order", lifecycle.start_processing, TellForm),
    "ship": Step(gettext_lazy("Ship"), "process_order", lifecycle.ship, ShipForm),
    "deliver": Step(gettext_lazy("Note as delivered"), "process_order", lifecycle.deliver, TellForm),
    "capture": Step(gettext_lazy("Take the money"), "refund_order", _capture, TellForm),
    "resolve": Step(gettext_lazy("Look at the held payment"), "refund_order", _resolve, ResolveForm),
    "pay": Step(gettext_lazy("Record the payment"), "refund_order", payments.record_payment, PayForm),
    "refund": Step(gettext_lazy("Refund"), "refund_order", payments.refund, RefundForm),
    "cancel": Step(gettext_lazy("Cancel the order"), "cancel_order", lifecycle.cancel, CancelForm),
    "note": Step(gettext_lazy("Write a note"), "change_order", lifecycle.add_note, NoteForm),
}


def possible_steps(order: Order) -> list[str]:
    """The names of the steps that make sense now."""
    statuses = lifecycle.allowed(order.status)
    by_status = {
        "confirm": "confirmed",
        "process": "processing",
        "ship": "shipped",
        "deliver": "delivered",
        "cancel": "cancelled",
    }
    names = [name for name, status in by_status.items() if status in statuses]
    states = set(order.payments.values_list("status", flat=True))
    if Payment.Status.AUTHORISED in states and order.status != OrderStatus.CANCELLED:
        names.append("capture")
    if Payment.Status.HELD in states:
        names.append("resolve")
    manual = {provider.alias for provider in payments.available_providers() if provider.is_manual}
    if order.amount_due and order.payment_provider in manual:
        names.append("pay")
    if order.refundable_amount:
        names.append("refund")
    return [*names, "note"]
