"""The steps that staff can take on the page of an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from shop_orders import lifecycle, payments
from shop_orders.admin.forms import (
    CancelForm,
    NoteForm,
    NotifyForm,
    RecordPaymentForm,
    RefundForm,
    ResolveForm,
    RestockForm,
    ShipForm,
    StepForm,
    recorded_providers,
)
from shop_orders.exceptions import NotPayable
from shop_orders.models import Order, OrderStatus, Payment


@dataclass(frozen=True)
class Step:
    """Something that staff can do with an order on its page: the action, and a form for its options."""

    label: Any
    permission: str
    action: Callable[..., Any]
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
    "confirm": Step(gettext_lazy("Confirm"), "process_order", lifecycle.confirm, NotifyForm),
    "process": Step(gettext_lazy("Start processing"), "process_order", lifecycle.start_processing, NotifyForm),
    "ship": Step(gettext_lazy("Ship"), "process_order", lifecycle.ship, ShipForm),
    "deliver": Step(gettext_lazy("Mark as delivered"), "process_order", lifecycle.deliver, NotifyForm),
    "capture": Step(gettext_lazy("Capture the payment"), "refund_order", _capture, NotifyForm),
    "resolve": Step(gettext_lazy("Resolve the held payment"), "refund_order", _resolve, ResolveForm),
    "pay": Step(gettext_lazy("Record the payment"), "refund_order", payments.record_payment, RecordPaymentForm),
    "reinstate": Step(gettext_lazy("Reinstate the order"), "cancel_order", lifecycle.reinstate, NotifyForm),
    "restock": Step(gettext_lazy("Return to stock"), "process_order", lifecycle.restock, RestockForm),
    "refund": Step(gettext_lazy("Refund"), "refund_order", payments.refund, RefundForm),
    "cancel": Step(gettext_lazy("Cancel the order"), "cancel_order", lifecycle.cancel, CancelForm),
    "note": Step(gettext_lazy("Add a note"), "change_order", lifecycle.add_note, NoteForm),
}


def possible_steps(order: Order) -> list[str]:
    """The names of the steps that the order allows now."""
    statuses = lifecycle.allowed(order.status)
    by_status = {
        "confirm": "confirmed",
        "process": "processing",
        "ship": "shipped",
        "deliver": "delivered",
        "cancel": "cancelled",
    }
    names = [name for name, status in by_status.items() if status in statuses]
    statuses_of_payments = set(order.payments.values_list("status", flat=True))
    if Payment.Status.AUTHORISED in statuses_of_payments and order.status != OrderStatus.CANCELLED:
        names.append("capture")
    if Payment.Status.HELD in statuses_of_payments:
        names.append("resolve")
    if recorded_providers(order):
        names.append("pay")
    if order.refundable_amount:
        names.append("refund")
    if lifecycle.can_be_reinstated(order):
        names.append("reinstate")
    if any(line.shipped_quantity > line.restocked_quantity for line in order.lines.all()):
        names.append("restock")
    return [*names, "note"]
