"""Staff operations about money: payments and refunds."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel
from shop_core.api.views import make_non_atomic

from shop_orders import payments
from shop_orders.api import auth, idempotency, representations
from shop_orders.api.routers import staff_router
from shop_orders.api.schemas import StaffOrderOut
from shop_orders.api.staff_calls import (
    as_expected,
    check_version,
    keyed_call,
    order_numbered,
    order_operation,
    quantities_of,
    run_action,
)
from shop_orders.api.staff_schemas import (
    ChangeIn,
    RecordPaymentIn,
    RecordProviderRefundIn,
    RefundIn,
    ResolveDisputeIn,
    ResolvePaymentIn,
    ResolveRefundIn,
)
from shop_orders.exceptions import NotFound
from shop_orders.models import Payment, Refund

# These operations call payment providers, so they must not run in the transaction of a request.
make_non_atomic(staff_router, "/orders/{number}/payments/{payment_id}/capture/", "/orders/{number}/refund/")


@order_operation("/orders/{number}/payments/", "staff_record_payment", "Record a payment in cash or by bank transfer")
def record_payment(
    request: HttpRequest, number: str, payload: RecordPaymentIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    action = partial(
        payments.record_payment,
        order_numbered(number).pk,
        amount=payload.amount,
        provider=payload.payment_provider,
        by=user,
        notify=payload.notify,
    )
    return run_action(request, number, "record_payment", idempotency_key, action, expected=payload)


@order_operation(
    "/orders/{number}/payments/{payment_id}/capture/", "staff_capture_payment", "Capture an authorised payment"
)
def capture(
    request: HttpRequest, number: str, payment_id: str, payload: ChangeIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    payment = _payment(number, payment_id)
    check_version(payment.order, payload)  # capturing twice changes nothing, so the order is not locked
    call = keyed_call(request, number, f"capture {payment_id}", idempotency_key)
    return _capture(call, number, partial(payments.capture, payment.pk, by=user, notify=payload.notify))


@order_operation(
    "/orders/{number}/payments/{payment_id}/resolve/",
    "staff_resolve_payment",
    "Resolve a payment that is held or that the provider cannot be asked about",
)
def resolve(
    request: HttpRequest, number: str, payment_id: str, payload: ResolvePaymentIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    payment = _payment(number, payment_id)
    action = partial(payments.resolve, payment.pk, amount=payload.amount, by=user, notify=payload.notify)
    return run_action(request, number, f"resolve {payment_id}", idempotency_key, action, expected=payload)


@order_operation(
    "/orders/{number}/payments/{payment_id}/record-refund/",
    "staff_record_provider_refund",
    "Record a refund that was made at the payment provider",
)
def record_provider_refund(
    request: HttpRequest,
    number: str,
    payment_id: str,
    payload: RecordProviderRefundIn,
    idempotency_key: idempotency.Key,
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    action = partial(
        payments.record_provider_refund,
        _payment(number, payment_id).pk,
        amount=payload.amount,
        reference=payload.reference,
        reason=payload.reason,
        by=user,
        notify=payload.notify,
    )
    return run_action(request, number, f"record_refund {payment_id}", idempotency_key, action, expected=payload)


@order_operation(
    "/orders/{number}/payments/{payment_id}/resolve-dispute/",
    "staff_resolve_dispute",
    "Decide about a dispute of a payment that is held for review",
)
def resolve_dispute(
    request: HttpRequest, number: str, payment_id: str, payload: ResolveDisputeIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    action = partial(
        payments.resolve_dispute,
        _payment(number, payment_id).pk,
        amount=payload.amount,
        reason=payload.reason,
        reference=payload.reference,
        is_lost=payload.is_lost,
        by=user,
    )
    return run_action(request, number, f"resolve_dispute {payment_id}", idempotency_key, action, expected=payload)


@order_operation("/orders/{number}/refund/", "staff_refund_order", "Refund an order")
def refund(request: HttpRequest, number: str, payload: RefundIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    queue = partial(
        payments.queue_refund,
        order_numbered(number).pk,
        amount=payload.amount,
        lines=quantities_of(payload.lines),
        shipping=payload.shipping,
        credit=payload.credit,
        reason=payload.reason,
        restock=quantities_of(payload.restock),
        cancel=None if payload.cancel is None else quantities_of(payload.cancel),
        by=user,
        notify=payload.notify,
    )
    call = keyed_call(request, number, "refund", idempotency_key)
    return _queue_refunds(call, number, as_expected(number, payload, queue))


@order_operation(
    "/orders/{number}/refunds/{refund_id}/resolve/",
    "staff_resolve_refund",
    "Record the result of a refund whose provider cannot be asked",
)
def resolve_refund(
    request: HttpRequest, number: str, refund_id: str, payload: ResolveRefundIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    action = partial(
        payments.resolve_refund,
        _refund(number, refund_id).pk,
        succeeded=payload.succeeded,
        reason=payload.reason,
        by=user,
        notify=payload.notify,
    )
    return run_action(request, number, f"resolve_refund {refund_id}", idempotency_key, action, expected=payload)


@idempotency.once(in_transaction=False)
def _capture(number: str, action: Callable[[], object]) -> tuple[int, BaseModel]:
    action()
    return 200, representations.staff_order(order_numbered(number))


def _send_refunds(queued: Any) -> StaffOrderOut:
    """Send the queued refunds outside of the transaction, and return the order as it is afterwards."""
    for row in Refund.objects.filter(public_id__in=queued["refunds"]):
        payments.send_refund(row.pk)
    return representations.staff_order(order_numbered(queued["number"]))


@idempotency.once(then=_send_refunds)
def _queue_refunds(number: str, queue: Callable[[], list[Refund]]) -> tuple[int, Any]:
    return 200, {"number": number, "refunds": [str(row.public_id) for row in queue()]}


def _payment(number: str, payment_id: str) -> Payment:
    order = order_numbered(number)
    try:
        return order.payments.get(public_id=UUID(payment_id))
    except (ValueError, Payment.DoesNotExist):
        raise NotFound


def _refund(number: str, refund_id: str) -> Refund:
    order = order_numbered(number)
    try:
        return Refund.objects.get(payment__order=order, public_id=UUID(refund_id))
    except (ValueError, Refund.DoesNotExist):
        raise NotFound
