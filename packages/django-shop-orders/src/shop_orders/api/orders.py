"""Orders of the caller: list, place, read, cancel, track."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Header, Query, Schema

from shop_orders import carts, checkout, customers, guest_links, idempotency, lifecycle, pages, tracking
from shop_orders.api import auth, representations
from shop_orders.api.cart import CartToken
from shop_orders.api.problems import responses
from shop_orders.api.routers import router
from shop_orders.api.schemas import (
    AddressIn,
    CancelIn,
    OrderOut,
    OrderPage,
    PlacedOrderOut,
    PlaceOrderIn,
    TrackingOut,
)
from shop_orders.api.types import ShortText
from shop_orders.exceptions import CartEmpty, CartNotFound, NotFound, TotalChanged
from shop_orders.models import Cart, Customer, Order

PAGE_LIMIT = 100
Work = Callable[[], tuple[int, Schema]]

IdempotencyKey = Annotated[
    ShortText,
    Header("", alias="Idempotency-Key", description="Repeat a request with the same key: it is done once."),
]
OrderTokenQuery = Annotated[ShortText, Query("", alias="token", description="A guest's order link.")]
OrderTokenHeader = Annotated[ShortText, Header("", alias="X-Order-Token", description="A guest's order link.")]
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
    openapi_extra=auth.OPTIONAL_SECURITY,
    operation_id="place_order",
    summary="Place an order from the cart",
)
def place_order(
    request: HttpRequest, payload: PlaceOrderIn, x_cart_token: CartToken, idempotency_key: IdempotencyKey
) -> HttpResponse:
    user = customers.user_of(request)
    known = carts.contents(user=user, with_items=False) if user is not None else carts.Contents()
    # A guest's cart that was ordered already is taken too: it leads to the same order.
    cart, customer = known.cart if user is not None else carts.by_token(x_cart_token), known.customer
    owner = customer.key if customer else f"cart:{cart.public_id if cart else ''}"
    work = partial(_place, customer, cart, x_cart_token, payload)
    return once(request, owner, "place_order", idempotency_key, work)


@router.get(
    "/orders/{number}/",
    response={200: OrderOut, **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=auth.OPTIONAL_SECURITY,
    operation_id="get_order",
    summary="One order",
)
def get_order(request: HttpRequest, number: str, token: OrderTokenQuery) -> OrderOut:
    return representations.order(own_order(request, number, token))


@router.post(
    "/orders/{number}/cancel/",
    response={200: OrderOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=auth.OPTIONAL_SECURITY,
    operation_id="cancel_order",
    summary="Cancel an order that has not shipped",
)
def cancel_order(
    request: HttpRequest,
    number: str,
    payload: CancelIn,
    x_order_token: OrderTokenHeader,
    idempotency_key: IdempotencyKey,
) -> HttpResponse:
    order = own_order(request, number, x_order_token)

    def work() -> tuple[int, Schema]:
        cancelled = lifecycle.cancel(order.pk, by=order.customer.user, reason=payload.reason)
        return 200, representations.order(cancelled)

    return once(request, order.customer.key, f"cancel_order {order.number}", idempotency_key, work)


@router.get(
    "/orders/{number}/tracking/",
    response={200: TrackingOut, **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=auth.OPTIONAL_SECURITY,
    operation_id="track_order",
    summary="Status, time line, shipments and messages of an order",
)
def track_order(request: HttpRequest, number: str, token: OrderTokenQuery) -> TrackingOut:
    followed = tracking.of(own_order(request, number, token))
    return TrackingOut(
        number=followed.order.number,
        status=followed.order.status,
        payment_status=followed.order.payment_status,
        events=[representations.event(event) for event in followed.events],
        shipments=[representations.shipment(shipment) for shipment in followed.shipments],
        deliveries=list(followed.deliveries),
    )


def own_order(request: HttpRequest, number: str, token: str) -> Order:
    """The caller's order, or the one that a guest's link opens.

    Raises:
        NotFound: there is none, or it is somebody else's: the answer is the same.
    """
    order = pages.own_order(request, number, token)
    if order is None:
        raise NotFound
    return order


def once(
    request: HttpRequest, owner: str, route: str, key: str, work: Work, *, run: Any = idempotency.run
) -> HttpResponse:
    """Answer the status and schema of ``work`` as JSON; with a key, the same answer every time."""
    if not key:
        status, body = work()
        return representations.as_json(body, status=status)
    return as_response(run_once(request, owner, route, key, partial(_noted, work), run=run))


def once_outside(request: HttpRequest, owner: str, route: str, key: str, work: Work) -> HttpResponse:
    """``once`` for work that talks over the network."""
    return once(request, owner, route, key, work, run=idempotency.run_outside)


def run_once(
    request: HttpRequest,
    owner: str,
    route: str,
    key: str,
    work: Callable[[], tuple[int, Any]],
    *,
    run: Any = idempotency.run,
) -> idempotency.Answer:
    """What ``work`` answered, a status and plain JSON values, now or under the same key before."""
    if not key:
        status, body = work()
        return idempotency.Answer(status=status, body=body)
    request_digest = idempotency.digest(str(request.method), request.path, request.body)
    answer: idempotency.Answer = run(owner=owner, route=route, key=key, request_digest=request_digest, work=work)
    return answer


def as_response(answer: idempotency.Answer, body: Any = None) -> HttpResponse:
    response = JsonResponse(answer.body if body is None else body, status=answer.status, safe=False)
    if answer.is_replay:
        response["Idempotency-Replayed"] = "true"
    return response


def before(order: Order) -> Q:
    """Orders that follow this one in a list, newest first."""
    return Q(placed_at__lt=order.placed_at) | Q(placed_at=order.placed_at, pk__lt=order.pk)


def page(rows: Any, limit: int) -> OrderPage:
    """A page of a queryset of orders, newest first."""
    found = list(rows.order_by("-placed_at", "-pk").annotate(item_count=Sum("lines__quantity"))[: limit + 1])
    return OrderPage(
        items=[representations.summary(order) for order in found[:limit]],
        next=found[limit - 1].number if len(found) > limit else None,
    )


def _one(rows: Any, number: str) -> Order:
    order: Order | None = rows.numbered(number).first()
    if order is None:
        raise NotFound
    return order


def _noted(work: Work) -> tuple[int, Any]:
    """What ``work`` answers, as it is kept under a key."""
    status, body = work()
    return status, body.model_dump(mode="json")


def _place(customer: Customer | None, cart: Cart | None, token: str, payload: PlaceOrderIn) -> tuple[int, Schema]:
    if cart is None:
        raise CartNotFound if token and customer is None else CartEmpty
    address = payload.shipping_address
    try:
        order = checkout.place_order(
            cart,
            contact=checkout.Contact(**payload.contact.model_dump()),
            shipping_address=_address(address),
            billing_address=_address(payload.billing_address),
            delivery=payload.delivery,
            provider=payload.payment_provider,
            note=payload.note,
            expected_total=payload.expected_total,
            by=customer.user if customer else None,
        )
    except TotalChanged as error:
        view = carts.view(cart, customer=customer, shipping_address=_address(address), delivery=payload.delivery)
        error.extra = {**error.extra, "cart": representations.cart(view).model_dump(mode="json")}
        raise
    guest_token = guest_links.token_for(order.number) if order.customer.is_guest else ""
    return 201, PlacedOrderOut.model_construct(**representations.order_fields(order), guest_token=guest_token)


def _address(address: AddressIn | None) -> dict[str, Any]:
    return address.model_dump() if address else {}
