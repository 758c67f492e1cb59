"""Staff operations. Each checks a Django model permission."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query

from shop_orders.api import auth
from shop_orders.api.orders import Limit, before, page
from shop_orders.api.problems import responses
from shop_orders.api.routers import staff_router
from shop_orders.api.schemas import OrderPage
from shop_orders.api.types import SearchText, ShortText
from shop_orders.exceptions import NotFound
from shop_orders.models import Order


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
    q: Annotated[SearchText, Query("")],
    status: Annotated[ShortText, Query("")],
    payment_status: Annotated[ShortText, Query("")],
) -> OrderPage:
    auth.check_permission(request, "shop_orders.view_order")
    rows = Order.objects.all()
    if status:
        rows = rows.filter(status=status)
    if payment_status:
        rows = rows.filter(payment_status=payment_status)
    if q:
        rows = rows.filter(pk__in=Order.objects.search(q).values("pk"))
    if after:
        last = Order.objects.filter(number=after).first()
        if last is None:
            raise NotFound
        rows = rows.filter(before(last))
    return page(rows, limit)
