"""Orders of the caller: list, place, read, cancel, track."""

from typing import Annotated, Any

from django.db.models import OuterRef, Q, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from ninja import Header, Query
from pydantic import BaseModel
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.api.types import ShortText

from shop_orders import carts, checkout, customers, guest_links, lifecycle, pages, tracking, visitors
from shop_orders.api import auth, idempotency, representations
from shop_orders.api.cart import CartToken
from shop_orders.api.routers import router
from shop_orders.api.schemas import (
    CancelIn,
    OrderOut,
    OrderPage,
    PlacedOrderOut,
    PlaceOrderIn,
    TrackingOut,
)
from shop_orders.exceptions import CartEmpty, CartNotFound, NotFound, ShopOrdersError
from shop_orders.models import Cart, Customer, Order, OrderLine
from shop_orders.models.states import state_label

PAGE_LIMIT = 100

OrderTokenQuery = Annotated[ShortText, Query("", alias="token", description="The token of a guest's order.")]
OrderTokenHeader = Annotated[ShortText, Header("", alias="X-Order-Token", description="The token of a guest's order.")]
Limit = Annotated[int, Query(20, ge=1, le=PAGE_LIMIT)]


@router.get(
    "/orders/",
    response={200: OrderPage, **responses(401, 403, 404)},
    auth=auth.required,
    operation_id="list_orders",
    summary="The customer's orders, newest first",
)
def list_orders(request: HttpRequest, limit: Limit, after: Annotated[ShortText, Query("")]) -> OrderPage:
    rows = Order.objects.of(auth.customer(request))
    if after:
        rows = rows.filter(before(_one(rows, after)))
    return page(rows, limit)


@router.post(
    "/orders/",
    response={201: PlacedOrderOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="place_order",
    summary="Place an order from the cart",
)
def place_order(
    request: HttpRequest, payload: PlaceOrderIn, x_cart_token: CartToken, idempotency_key: idempotency.Key
) -> HttpResponse:
    visitors.limit(request, "orders")
    user = customers.user_of(request)
    known = carts.contents(user=user, with_items=False) if user is not None else carts.Contents()
    # A guest's cart that was ordered before is used too: it leads to the same order.
    cart, customer = known.cart if user is not None else carts.by_token(x_cart_token), known.customer
    owner = customer.key if customer else f"cart:{cart.public_id if cart else ''}"
    call = idempotency.Call(request, idempotency_key, owner=owner, route="place_order")
    return _place(call, customer, cart, x_cart_token, payload, visitors.of(request))


@router.get(
    "/orders/{number}/",
    response={200: OrderOut, **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="get_order",
    summary="One order",
)
def get_order(request: HttpRequest, number: str, token: OrderTokenQuery) -> OrderOut:
    return representations.order(own_order(request, number, token))


@router.post(
    "/orders/{number}/cancel/",
    response={200: OrderOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="cancel_order",
    summary="Cancel an order that has not shipped",
)
def cancel_order(
    request: HttpRequest,
    number: str,
    payload: CancelIn,
    x_order_token: OrderTokenHeader,
    idempotency_key: idempotency.Key,
) -> HttpResponse:
    order = own_order(request, number, x_order_token)
    route = f"cancel_order {order.number}"
    return _cancel(idempotency.Call(request, idempotency_key, owner=order.customer.key, route=route), order, payload)


@router.get(
    "/orders/{number}/tracking/",
    response={200: TrackingOut, **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="track_order",
    summary="Status, timeline, shipments and messages of an order",
)
def track_order(request: HttpRequest, number: str, token: OrderTokenQuery) -> TrackingOut:
    followed = tracking.of(own_order(request, number, token))
    return TrackingOut(
        number=followed.order.number,
        status=followed.order.status,
        state=followed.order.state,
        state_label=state_label(followed.order.state),
        payment_status=followed.order.payment_status,
        events=[representations.event(event) for event in followed.events],
        shipments=[representations.shipment(shipment) for shipment in followed.shipments],
        deliveries=list(followed.deliveries),
    )


def own_order(request: HttpRequest, number: str, token: str) -> Order:
    """The caller's order, or the one that a guest's link opens.

    Raises:
        NotFound: there is no such order, or it belongs to somebody else.
    """
    order = pages.own_order(request, number, token)
    if order is None:
        raise NotFound
    return order


def before(order: Order) -> Q:
    """The condition for the orders after this one in a list that begins with the newest."""
    return Q(placed_at__lt=order.placed_at) | Q(placed_at=order.placed_at, pk__lt=order.pk)


def page(rows: Any, limit: int) -> OrderPage:
    """A page of a queryset of orders, newest first. Units are counted only for the orders on the page."""
    lines = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
    units = Subquery(lines.annotate(units=Sum("quantity")).values("units"))
    found = list(rows.order_by("-placed_at", "-pk").annotate(item_count=units)[: limit + 1])
    return OrderPage(
        items=[representations.summary(order) for order in found[:limit]],
        next=found[limit - 1].number if len(found) > limit else None,
    )


def _one(rows: Any, number: str) -> Order:
    order: Order | None = rows.numbered(number).first()
    if order is None:
        raise NotFound
    return order


def _without_signature(placed: dict[str, Any]) -> dict[str, Any]:
    return {**placed, "guest_token": guest_links.timestamp_of(placed["guest_token"])}


def _signed_again(stored: dict[str, Any]) -> dict[str, Any]:
    timestamp = stored["guest_token"]
    token = guest_links.token_for(stored["number"], timestamp=timestamp) if timestamp else ""
    return {**stored, "guest_token": token}


@idempotency.once(store=_without_signature, restore=_signed_again)
def _place(
    customer: Customer | None, cart: Cart | None, token: str, payload: PlaceOrderIn, visitor: str
) -> tuple[int, BaseModel]:
    if cart is None:
        raise CartNotFound if token and customer is None else CartEmpty
    try:
        order = checkout.place_order(
            cart,
            contact=checkout.Contact(**payload.contact.model_dump()),
            shipping_address=payload.shipping_address.model_dump() if payload.shipping_address else None,
            billing_address=payload.billing_address.model_dump() if payload.billing_address else None,
            delivery=payload.delivery,
            provider=payload.payment_provider,
            note=payload.note,
            expected_total=payload.expected_total,
            visitor=visitor,
            by=customer.user if customer else None,
        )
    except ShopOrdersError as error:
        if error.cart_view is not None:
            error.extra = {**error.extra, "cart": representations.cart(error.cart_view).model_dump(mode="json")}
        raise
    guest_token = guest_links.token_for(order.number) if order.customer.is_guest else ""
    return 201, PlacedOrderOut(**representations.order_fields(order), guest_token=guest_token)


@idempotency.once()
def _cancel(order: Order, payload: CancelIn) -> tuple[int, BaseModel]:
    cancelled = lifecycle.cancel(order.pk, by=order.customer.user, reason=payload.reason)
    return 200, representations.order(cancelled)
