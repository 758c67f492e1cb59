"""The steps that staff can take on the page of an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy

from shop_orders import form_tokens, lifecycle, payments, tracking
from shop_orders.admin.forms import (
    CancelForm,
    CancelUnitsForm,
    ConfirmForm,
    NoteForm,
    NotifyForm,
    ProviderRefundForm,
    RecordPaymentForm,
    RefundForm,
    ResolveDisputeForm,
    ResolveForm,
    ResolveRefundForm,
    RestockForm,
    ShipForm,
    StepForm,
)
from shop_orders.admin.states import StateForm
from shop_orders.exceptions import FormOutdated, NotFound, NotPayable
from shop_orders.models import Order, OrderStatus, Payment, ProviderEvent, Refund
from shop_orders.payment_providers import aliases, refund_needs_decision
from shop_orders.payments import disputes, inbox
from shop_orders.payments.choosing import manual_providers


@dataclass(frozen=True)
class Step:
    """Something that staff can do with an order on its page: the action, and a form for its options.

    ``finish`` is called with the action's result after its transaction, to call a provider. Without
    ``in_transaction``, the action calls the provider itself, and calling it again must change nothing. With
    ``needs_current_page``, the step is refused if money or goods have changed since the page was opened.
    """

    label: Any
    permission: str
    action: Callable[..., Any]
    form: type[StepForm]
    finish: Callable[[list[str]], None] | None = None
    in_transaction: bool = True
    needs_current_page: bool = True


def _capture(order_id: int, **options: Any) -> None:
    for payment in Payment.objects.filter(order_id=order_id, status=Payment.Status.AUTHORISED).order_by("id"):
        payments.capture(payment.pk, **options)


def _queue_refund(order_id: int, **options: Any) -> list[str]:
    return [str(row.public_id) for row in payments.queue_refund(order_id, **options)]


def _send_refunds(public_ids: list[str]) -> None:
    for refund in Refund.objects.filter(public_id__in=public_ids).order_by("id"):
        payments.send_refund(refund.pk)


def _resolve(order_id: int, *, payment: UUID, **options: Any) -> None:
    held = Payment.objects.filter(order_id=order_id, public_id=payment).first()
    if held is None:
        raise NotPayable
    payments.resolve(held.pk, **options)


def _record_provider_refund(order_id: int, *, payment: str, **options: Any) -> None:
    captured = Payment.objects.filter(order_id=order_id, pk=payment).first()
    if captured is None:
        raise NotPayable
    payments.record_provider_refund(captured.pk, **options)


def _resolve_refund(order_id: int, *, refund: str, **options: Any) -> None:
    row = Refund.objects.filter(payment__order_id=order_id, public_id=refund).first()
    if row is None:
        raise NotFound
    payments.resolve_refund(row.pk, **options)


def _resolve_dispute(order_id: int, *, dispute: str, **options: Any) -> None:
    row = ProviderEvent.objects.filter(payment__order_id=order_id, pk=dispute, kind=disputes.KIND).first()
    if row is None or row.payment_id is None:
        raise NotFound
    payments.resolve_dispute(row.payment_id, reference=row.refund_reference, **options)


STEPS: Mapping[str, Step] = {
    "confirm": Step(gettext_lazy("Confirm"), "process_order", lifecycle.confirm, ConfirmForm),
    "process": Step(gettext_lazy("Start processing"), "process_order", lifecycle.start_processing, NotifyForm),
    "ship": Step(gettext_lazy("Ship"), "process_order", lifecycle.ship, ShipForm),
    "state": Step(gettext_lazy("Set the state"), "process_order", lifecycle.set_state, StateForm),
    "deliver": Step(gettext_lazy("Mark as delivered"), "process_order", lifecycle.deliver, NotifyForm),
    "capture": Step(gettext_lazy("Capture the payment"), "refund_order", _capture, NotifyForm, in_transaction=False),
    "resolve": Step(gettext_lazy("Resolve the held payment"), "refund_order", _resolve, ResolveForm),
    "pay": Step(gettext_lazy("Record the payment"), "refund_order", payments.record_payment, RecordPaymentForm),
    "reinstate": Step(gettext_lazy("Reinstate the order"), "cancel_order", lifecycle.reinstate, NotifyForm),
    "restock": Step(gettext_lazy("Return to stock"), "process_order", lifecycle.restock, RestockForm),
    "refund": Step(gettext_lazy("Refund"), "refund_order", _queue_refund, RefundForm, finish=_send_refunds),
    "record_refund": Step(
        gettext_lazy("Record a refund made at the provider"),
        "refund_order",
        _record_provider_refund,
        ProviderRefundForm,
    ),
    "resolve_refund": Step(
        gettext_lazy("Enter the result of a refund"), "refund_order", _resolve_refund, ResolveRefundForm
    ),
    "resolve_dispute": Step(
        gettext_lazy("Enter the state of a dispute"), "refund_order", _resolve_dispute, ResolveDisputeForm
    ),
    "cancel_units": Step(
        gettext_lazy("Cancel goods that are not sent"), "cancel_order", lifecycle.cancel_units, CancelUnitsForm
    ),
    "cancel": Step(gettext_lazy("Cancel the order"), "cancel_order", lifecycle.cancel, CancelForm),
    "note": Step(gettext_lazy("Add a note"), "change_order", lifecycle.add_note, NoteForm, needs_current_page=False),
}


def take_step(name: str, order: Order, form: StepForm, *, by: Any) -> bool:
    """Take a step with a valid form. Returns False, and does nothing, if the same form was sent before.

    Raises:
        ShopOrdersError: the step cannot be taken now.
        FormExpired, FormSentBefore: the page is too old, or its form was sent before with other values.
        FormOutdated: money or goods of the order have changed since the page was opened.
    """
    step = STEPS[name]

    def work() -> list[str] | None:
        if step.in_transaction and step.needs_current_page:
            _check_is_current(order, form)
        result = step.action(order.pk, by=by, **form.options())
        return result if step.finish else None

    sent = form_tokens.once(form.data, **_sender(name, order, by), work=work, in_transaction=step.in_transaction)
    if step.finish:
        step.finish(sent.body)  # a refund that was sent before is not sent again
    return not sent.is_replay


def _check_is_current(order: Order, form: StepForm) -> None:
    """Lock the order, so that of two staff members who see the same page only one takes the step."""
    if not form_tokens.is_current(form.data[form_tokens.NAME], tracking.money_and_goods(lifecycle.lock(order.pk))):
        raise FormOutdated


def was_taken(name: str, order: Order, form: StepForm, *, by: Any) -> bool:
    """Whether the same form was sent before and its step was taken. The form may be invalid by now.

    Raises:
        FormSentBefore: it was sent with other values.
    """
    return form_tokens.find(form.data, **_sender(name, order, by)) is not None


def _sender(name: str, order: Order, by: Any) -> dict[str, str]:
    return {"owner": f"user:{by.pk}", "route": f"{name} {order.number}"}


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
    if order.state or lifecycle.allowed_states(order):
        names.append("state")
    attempts = list(order.payments.all())
    statuses_of_payments = {payment.status for payment in attempts}
    if Payment.Status.AUTHORISED in statuses_of_payments and order.status != OrderStatus.CANCELLED:
        names.append("capture")
    if any(payment.needs_decision for payment in attempts):
        names.append("resolve")
    if manual_providers(order):
        names.append("pay")
    known = aliases()
    if order.refundable_amount and any(row.refundable_amount for row in attempts if row.provider in known):
        names.append("refund")
    if lifecycle.can_be_reinstated(order):
        names.append("reinstate")
    lines = list(order.lines.all())
    if order.status != OrderStatus.CANCELLED and any(line.open_quantity for line in lines):
        names.append("cancel_units")
    if any(line.shipped_quantity > line.restocked_quantity for line in lines):
        names.append("restock")
    by_hand = {provider.alias for provider in payments.available_providers() if provider.refunds_by_hand}
    may_miss_a_refund = any(payment.refundable_amount and payment.provider not in by_hand for payment in attempts)
    if may_miss_a_refund or inbox.held_refunds(order).exists():
        names.append("record_refund")
    return [*names, *_steps_to_decide(order), "note"]


def _steps_to_decide(order: Order) -> list[str]:
    """The steps for what staff have to look up on the provider's page."""
    names = []
    if any(refund_needs_decision(refund) for refund in tracking.refunds_of(order)):
        names.append("resolve_refund")
    if disputes.held(order).exists():
        names.append("resolve_dispute")
    return names
