"""Staff operations. Each checks a Django model permission; every change can be made without notifying the customer."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Schema
from shop_core.api.problems import responses
from shop_core.api.types import SearchText, ShortText, When

from shop_orders import customers, lifecycle, payments
from shop_orders.api import auth, idempotency, representations
from shop_orders.api.orders import Limit, before, page
from shop_orders.api.routers import staff_router
from shop_orders.api.schemas import OrderPage, StaffOrderOut
from shop_orders.api.staff_schemas import (
    ChangeIn,
    ConfirmIn,
    ItemIn,
    NoteIn,
    PaymentStatus,
    RecordPaymentIn,
    RecordProviderRefundIn,
    RefundIn,
    ResolvePaymentIn,
    ResolveRefundIn,
    RestockIn,
    ShipIn,
    StaffCancelIn,
    Status,
)
from shop_orders.exceptions import NotFound
from shop_orders.models import Order, Payment, Refund


@staff_router.get(
    "/orders/",
    response={200: OrderPage, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_list_orders",
    summary="All orders, newest first",
)
def list_orders(
    request: HttpRequest,
    limit: Limit,
    after: Annotated[ShortText, Query("")],
    q: Annotated[SearchText, Query("", description="Number, e-mail, phone, name, SKU or tracking number.")],
    status: Annotated[Status, Query("")],
    payment_status: Annotated[PaymentStatus, Query("")],
    placed_from: Annotated[When | None, Query(None)],
    placed_until: Annotated[When | None, Query(None)],
    refund_due: Annotated[bool, Query(default=False, description="Only orders with money to refund.")],
) -> OrderPage:
    auth.check_permission(request, "shop_orders.view_order")
    wanted = {
        "status": status,
        "payment_status": payment_status,
        "placed_at__gte": placed_from,
        "placed_at__lt": placed_until,
    }
    rows = Order.objects.filter(**{name: value for name, value in wanted.items() if value})
    if q:
        rows = rows.filter(pk__in=Order.objects.search(q).values("pk"))
    if refund_due:
        rows = rows.filter(pk__in=Order.objects.refund_due().values("pk"))
    if after:
        rows = rows.filter(before(_order(after)))
    return page(rows, limit)


@staff_router.get(
    "/orders/{number}/",
    response={200: StaffOrderOut, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_get_order",
    summary="One order with its timeline, payments and shipments",
)
def get_order(request: HttpRequest, number: str) -> StaffOrderOut:
    auth.check_permission(request, "shop_orders.view_order")
    return representations.staff_order(_order(number))


def _add_operation(
    name: str, action: Callable[..., Any], summary: str, *, permission: str = "shop_orders.process_order"
) -> None:
    """A staff operation that runs an action of the lifecycle without further input."""

    def change(request: HttpRequest, number: str, payload: ChangeIn, idempotency_key: idempotency.Key) -> HttpResponse:
        user = auth.check_permission(request, permission)
        work = partial(action, _order(number).pk, by=user, notify=payload.notify)
        return _run_action(_keyed_call(request, number, name, idempotency_key), number, work)

    staff_router.post(
        f"/orders/{{number}}/{name}/",
        response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
        auth=auth.staff,
        operation_id=f"staff_{name}_order",
        summary=summary,
    )(change)


@staff_router.post(
    "/orders/{number}/confirm/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_confirm_order",
    summary="Accept an order",
)
def confirm(request: HttpRequest, number: str, payload: ConfirmIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    options = {"accept_unpaid": payload.accept_unpaid, "by": user, "notify": payload.notify}
    work = partial(lifecycle.confirm, _order(number).pk, **options)
    return _run_action(_keyed_call(request, number, "confirm", idempotency_key), number, work)


_add_operation("process", lifecycle.start_processing, "Begin to pack an order")
_add_operation("deliver", lifecycle.deliver, "Record that an order was delivered")
_add_operation(
    "reinstate", lifecycle.reinstate, "Confirm a cancelled order that was paid", permission="shop_orders.cancel_order"
)


@staff_router.post(
    "/orders/{number}/ship/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_ship_order",
    summary="Send a parcel with all or some of an order",
)
def ship(request: HttpRequest, number: str, payload: ShipIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    action = partial(
        lifecycle.ship,
        _order(number).pk,
        quantities=_quantities(payload.lines) or None,
        carrier=payload.carrier,
        tracking_number=payload.tracking_number,
        tracking_url=payload.tracking_url,
        by=user,
        notify=payload.notify,
    )
    return _run_action(_keyed_call(request, number, "ship", idempotency_key), number, action)


@staff_router.post(
    "/orders/{number}/cancel/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_cancel_order",
    summary="Cancel an order of which nothing has shipped",
)
def cancel(
    request: HttpRequest, number: str, payload: StaffCancelIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.cancel_order")
    action = partial(lifecycle.cancel, _order(number).pk, by=user, reason=payload.reason, notify=payload.notify)
    return _run_action(_keyed_call(request, number, "cancel", idempotency_key), number, action)


@staff_router.post(
    "/orders/{number}/payments/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_record_payment",
    summary="Record a payment in cash or by bank transfer",
)
def record_payment(
    request: HttpRequest, number: str, payload: RecordPaymentIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    action = partial(
        payments.record_payment,
        _order(number).pk,
        amount=payload.amount,
        provider=payload.payment_provider,
        by=user,
        notify=payload.notify,
    )
    return _run_action(_keyed_call(request, number, "record_payment", idempotency_key), number, action)


@staff_router.post(
    "/orders/{number}/payments/{payment_id}/capture/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_capture_payment",
    summary="Capture an authorised payment",
)
def capture(
    request: HttpRequest, number: str, payment_id: str, payload: ChangeIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    payment = _payment(number, payment_id)
    route = f"staff_capture {payment_id} {number}"
    call = idempotency.Call(request, idempotency_key, owner=f"user:{user.pk}", route=route)
    return _capture(call, number, partial(payments.capture, payment.pk, by=user, notify=payload.notify))


@staff_router.post(
    "/orders/{number}/payments/{payment_id}/resolve/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_resolve_payment",
    summary="Resolve a payment that is held or that the provider cannot be asked about",
)
def resolve(
    request: HttpRequest, number: str, payment_id: str, payload: ResolvePaymentIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    payment = _payment(number, payment_id)
    action = partial(payments.resolve, payment.pk, amount=payload.amount, by=user, notify=payload.notify)
    return _run_action(_keyed_call(request, number, f"resolve {payment_id}", idempotency_key), number, action)


@staff_router.post(
    "/orders/{number}/payments/{payment_id}/record-refund/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_record_provider_refund",
    summary="Record a refund that was made at the payment provider",
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
    call = _keyed_call(request, number, f"record_refund {payment_id}", idempotency_key)
    return _run_action(call, number, action)


@staff_router.post(
    "/orders/{number}/refund/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_refund_order",
    summary="Refund an order",
)
def refund(request: HttpRequest, number: str, payload: RefundIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.refund_order")
    queue = partial(
        payments.queue_refund,
        _order(number).pk,
        amount=payload.amount,
        lines=_quantities(payload.lines),
        shipping=payload.shipping,
        credit=payload.credit,
        reason=payload.reason,
        restock=_quantities(payload.restock),
        by=user,
        notify=payload.notify,
    )
    call = idempotency.Call(request, idempotency_key, owner=f"user:{user.pk}", route=f"staff_refund {number}")
    return _queue_refunds(call, number, queue)


@staff_router.post(
    "/orders/{number}/refunds/{refund_id}/resolve/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_resolve_refund",
    summary="Record the result of a refund whose provider cannot be asked",
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
    return _run_action(_keyed_call(request, number, f"resolve_refund {refund_id}", idempotency_key), number, action)


@staff_router.post(
    "/orders/{number}/restock/",
    response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_restock_order",
    summary="Return goods to stock that came back, refunded or not",
)
def restock(request: HttpRequest, number: str, payload: RestockIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    action = partial(
        lifecycle.restock,
        _order(number).pk,
        _quantities(payload.lines),
        credit=payload.credit,
        reason=payload.reason,
        by=user,
    )
    return _run_action(_keyed_call(request, number, "restock", idempotency_key), number, action)


@staff_router.post(
    "/orders/{number}/note/",
    response={200: StaffOrderOut, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_note_order",
    summary="Add a note to the timeline",
)
def note(request: HttpRequest, number: str, payload: NoteIn) -> StaffOrderOut:
    user = auth.check_permission(request, "shop_orders.change_order")
    order = _order(number)
    lifecycle.add_note(order.pk, text=payload.text, by=user, is_public=payload.is_public)
    return representations.staff_order(order)


def _keyed_call(request: HttpRequest, number: str, name: str, key: str) -> idempotency.Call:
    user = customers.user_of(request)
    return idempotency.Call(request, key, owner=f"user:{user.pk}", route=f"staff_{name} {number}")


@idempotency.once()
def _run_action(number: str, action: Callable[[], object]) -> tuple[int, Schema]:
    """Run an action and return the order as it is afterwards."""
    action()
    return 200, representations.staff_order(_order(number))


@idempotency.once(in_transaction=False)
def _capture(number: str, action: Callable[[], object]) -> tuple[int, Schema]:
    action()
    return 200, representations.staff_order(_order(number))


def _send_refunds(queued: Any) -> StaffOrderOut:
    """Send the queued refunds outside of the transaction, and return the order as it is afterwards."""
    for row in Refund.objects.filter(public_id__in=queued["refunds"]):
        payments.send_refund(row.pk)
    return representations.staff_order(_order(queued["number"]))


@idempotency.once(then=_send_refunds)
def _queue_refunds(number: str, queue: Callable[[], list[Refund]]) -> tuple[int, Any]:
    return 200, {"number": number, "refunds": [str(row.public_id) for row in queue()]}


def _order(number: str) -> Order:
    order = Order.objects.select_related("customer").numbered(number).first()
    if order is None:
        raise NotFound
    return order


def _payment(number: str, payment_id: str) -> Payment:
    order = _order(number)
    try:
        return order.payments.get(public_id=UUID(payment_id))
    except (ValueError, Payment.DoesNotExist):
        raise NotFound


def _refund(number: str, refund_id: str) -> Refund:
    order = _order(number)
    try:
        return Refund.objects.get(payment__order=order, public_id=UUID(refund_id))
    except (ValueError, Refund.DoesNotExist):
        raise NotFound


def _quantities(lines: list[ItemIn]) -> dict[str, int]:
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.product] += line.quantity
    return dict(wanted)
