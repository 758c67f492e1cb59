"""Staff operations. Each checks a Django model permission; every change can be made without notifying the customer."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query
from shop_core.api.problems import responses
from shop_core.api.types import SearchText, ShortText, When
from shop_core.db.finding import MOST_FOUND

from shop_orders import lifecycle
from shop_orders.api import auth, idempotency, representations
from shop_orders.api.orders import Limit, before, page
from shop_orders.api.routers import staff_router
from shop_orders.api.schemas import OrderPage, StaffOrderOut
from shop_orders.api.staff_calls import order_numbered, order_operation, quantities_of, run_action
from shop_orders.api.staff_schemas import (
    CancelUnitsIn,
    ChangeIn,
    ConfirmIn,
    NoteIn,
    PaymentStatus,
    RestockIn,
    ShipIn,
    StaffCancelIn,
    StateIn,
    Status,
)
from shop_orders.models import Order

SEARCHED = f"Number, e-mail, phone, name, SKU or tracking number. Each finds the {MOST_FOUND:,} newest orders."


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
    q: Annotated[SearchText, Query("", description=SEARCHED)],
    status: Annotated[Status, Query("")],
    state: Annotated[ShortText, Query("", description="A state of the site's own.")],
    payment_status: Annotated[PaymentStatus, Query("")],
    placed_from: Annotated[When | None, Query(None)],
    placed_until: Annotated[When | None, Query(None)],
    refund_due: Annotated[bool, Query(default=False, description="Only orders with money to refund.")],
    needs_decision: Annotated[
        bool,
        Query(default=False, description="Only orders with a payment, refund or dispute that staff have to decide."),
    ],
) -> OrderPage:
    auth.check_permission(request, "shop_orders.view_order")
    wanted = {
        "status": status,
        "state": state,
        "payment_status": payment_status,
        "placed_at__gte": placed_from,
        "placed_at__lt": placed_until,
    }
    rows = Order.objects.filter(**{name: value for name, value in wanted.items() if value})
    if q:
        rows = rows.filter(pk__in=Order.objects.search(q).values("pk"))
    if refund_due:
        rows = rows.filter(pk__in=Order.objects.refund_due().values("pk"))
    if needs_decision:
        rows = rows.filter(pk__in=Order.objects.needs_decision().values("pk"))
    if after:
        rows = rows.filter(before(order_numbered(after)))
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
    return representations.staff_order(order_numbered(number))


def _add_operation(
    name: str, action: Callable[..., Any], summary: str, *, permission: str = "shop_orders.process_order"
) -> None:
    """A staff operation that runs an action of the lifecycle without further input."""

    def change(request: HttpRequest, number: str, payload: ChangeIn, idempotency_key: idempotency.Key) -> HttpResponse:
        user = auth.check_permission(request, permission)
        work = partial(action, order_numbered(number).pk, by=user, notify=payload.notify)
        return run_action(request, number, name, idempotency_key, work, expected=payload)

    order_operation(f"/orders/{{number}}/{name}/", f"staff_{name}_order", summary)(change)


@order_operation("/orders/{number}/confirm/", "staff_confirm_order", "Accept an order")
def confirm(request: HttpRequest, number: str, payload: ConfirmIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    options = {"accept_unpaid": payload.accept_unpaid, "by": user, "notify": payload.notify}
    work = partial(lifecycle.confirm, order_numbered(number).pk, **options)
    return run_action(request, number, "confirm", idempotency_key, work, expected=payload)


@order_operation("/orders/{number}/state/", "staff_set_order_state", "Put an order into a state of the site's own")
def set_state(request: HttpRequest, number: str, payload: StateIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    options = {"by": user, "notify": payload.notify}
    work = partial(lifecycle.set_state, order_numbered(number).pk, payload.state, **options)
    return run_action(request, number, "state", idempotency_key, work, expected=payload)


_add_operation("process", lifecycle.start_processing, "Begin to pack an order")
_add_operation("deliver", lifecycle.deliver, "Record that an order was delivered")
_add_operation(
    "reinstate", lifecycle.reinstate, "Confirm a cancelled order that was paid", permission="shop_orders.cancel_order"
)


@order_operation("/orders/{number}/ship/", "staff_ship_order", "Send a parcel with all or some of an order")
def ship(request: HttpRequest, number: str, payload: ShipIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    action = partial(
        lifecycle.ship,
        order_numbered(number).pk,
        quantities=quantities_of(payload.lines) or None,
        carrier=payload.carrier,
        tracking_number=payload.tracking_number,
        tracking_url=payload.tracking_url,
        by=user,
        notify=payload.notify,
    )
    return run_action(request, number, "ship", idempotency_key, action, expected=payload)


@order_operation("/orders/{number}/cancel/", "staff_cancel_order", "Cancel an order of which nothing has shipped")
def cancel(
    request: HttpRequest, number: str, payload: StaffCancelIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.cancel_order")
    action = partial(
        lifecycle.cancel, order_numbered(number).pk, by=user, reason=payload.reason, notify=payload.notify
    )
    return run_action(request, number, "cancel", idempotency_key, action, expected=payload)


@order_operation(
    "/orders/{number}/cancel-units/", "staff_cancel_units", "Cancel units that were not shipped, or all of them"
)
def cancel_units(
    request: HttpRequest, number: str, payload: CancelUnitsIn, idempotency_key: idempotency.Key
) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.cancel_order")
    units = quantities_of(payload.lines) or None
    options = {"reason": payload.reason, "by": user, "notify": payload.notify}
    action = partial(lifecycle.cancel_units, order_numbered(number).pk, units, **options)
    return run_action(request, number, "cancel_units", idempotency_key, action, expected=payload)


@order_operation(
    "/orders/{number}/restock/", "staff_restock_order", "Put returned goods back into stock, refunded or not"
)
def restock(request: HttpRequest, number: str, payload: RestockIn, idempotency_key: idempotency.Key) -> HttpResponse:
    user = auth.check_permission(request, "shop_orders.process_order")
    action = partial(
        lifecycle.restock,
        order_numbered(number).pk,
        quantities_of(payload.lines),
        credit=payload.credit,
        reason=payload.reason,
        by=user,
    )
    return run_action(request, number, "restock", idempotency_key, action, expected=payload)


@staff_router.post(
    "/orders/{number}/note/",
    response={200: StaffOrderOut, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_note_order",
    summary="Add a note to the timeline",
)
def note(request: HttpRequest, number: str, payload: NoteIn) -> StaffOrderOut:
    user = auth.check_permission(request, "shop_orders.change_order")
    order = order_numbered(number)
    lifecycle.add_note(order.pk, text=payload.text, by=user, is_public=payload.is_public)
    return representations.staff_order(order)
