"""Stock of a product, for staff: the ledger, goods received, corrections with a reason."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Path, Query
from ninja.responses import Status
from shop_core.api.problems import responses

from shop_catalog import cursors, inventory
from shop_catalog.api import auth
from shop_catalog.api.products import PRODUCT_PATH, Paging, by_slug
from shop_catalog.api.routers import router
from shop_catalog.api.schemas import StockIn, StockOut
from shop_catalog.exceptions import InvalidProduct
from shop_catalog.models import Product
from shop_catalog.types import Slug

VIEW = "shop_catalog.view_stockmovement"


@router.get(
    PRODUCT_PATH + "stock/",
    auth=auth.staff,
    response={200: StockOut, 304: None, **responses(401, 403, 404)},
    operation_id="get_stock",
    summary="Stock of a product and its ledger",
)
def get_stock(request: HttpRequest, slug: Path[Slug], paging: Query[Paging]) -> Any:
    auth.check_permission(request, VIEW)
    return _stock(by_slug(slug), paging)


@router.post(
    PRODUCT_PATH + "stock/",
    auth=auth.staff,
    response={201: StockOut, **responses(401, 403, 404, 409)},
    operation_id="move_stock",
    summary="Receive goods or adjust the quantity on hand",
    description="Repeating a call with the same reference changes nothing.",
)
def move_stock(request: HttpRequest, slug: Path[Slug], payload: StockIn) -> Any:
    user = auth.check_permission(request, "shop_catalog.add_stockmovement")
    product = by_slug(slug)
    if payload.kind == "receive":
        inventory.receive({product.sku: payload.quantity}, reference=payload.reference, reason=payload.reason, by=user)
    else:
        if not payload.reason:
            raise InvalidProduct(_("Give a reason for the adjustment."), field="reason")
        inventory.adjust({product.sku: payload.quantity}, reference=payload.reference, reason=payload.reason, by=user)
    stock = _stock(by_slug(slug), Paging())
    return Status(201, stock if user.has_perm(VIEW) else {**stock, "movements": [], "next": None})


def _stock(product: Product, paging: Paging) -> dict[str, Any]:
    older = Q(pk__lt=cursors.decode(paging.cursor, of="movements")[0]) if paging.cursor else Q()
    movements = list(product.stock_movements.filter(older)[: paging.limit + 1])
    more = len(movements) > paging.limit
    movements = movements[: paging.limit]
    return {
        "sku": product.sku,
        "on_hand": product.stock_quantity,
        "reserved": product.reserved_quantity,
        "available": product.available_quantity,
        "low_stock_threshold": product.low_stock_threshold,
        "movements": movements,
        "next": cursors.encode([movements[-1].pk], of="movements") if more else None,
    }
