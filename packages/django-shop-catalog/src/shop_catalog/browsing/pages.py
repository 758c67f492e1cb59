"""The queryset of one page of a list: its order, where it begins, and how its products are found."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import DecimalField, F, FilteredRelation, IntegerField, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from shop_core.money import MAX_AMOUNT

from shop_catalog.browsing.filters import ORDERINGS, Filters
from shop_catalog.browsing.keysets import RowIsAfter
from shop_catalog.browsing.matching import (
    FROM_LINKS,
    WINDOW,
    WINDOWS,
    Reading,
    has_stock_column,
    matching_products,
    newest_links,
    product_field,
)
from shop_catalog.managers import one_by_one
from shop_catalog.models import Product
from shop_catalog.search import backend

GROUP = "group"
"""The order of products that are equally relevant: newest first."""

_SORT_PRICE: Any = DecimalField(max_digits=16, decimal_places=4)


class _Order(NamedTuple):
    """``column`` sorts the list. ``value`` is that column, or the annotation that stands for it; ``field`` its type.

    The rows of a group are of the same relevance, and only sorted by their keys.
    """

    column: str
    value: str
    field: Any
    is_descending: bool
    in_group: bool = False

    @property
    def sort(self) -> list[Any]:
        sign = "-" if self.is_descending else ""
        return [f"{sign}{self.value}", f"{sign}pk"][self.in_group :]

    @property
    def without_index(self) -> list[Any]:
        """The same order by an expression, so that the database sorts the matches without the column's index."""
        value = Coalesce(F(self.value), F(self.value), output_field=self.field)
        return [value.desc() if self.is_descending else value.asc(), *self.sort[1:]]


def build_page(
    p: Any,
    filters: Filters,
    search: Hashable,
    reading: Reading,
    ordering: str,
    has_after: bool,  # noqa: FBT001
    limit: int,
) -> QuerySet[Any, Any]:
    order = _order(filters, ordering)
    found = matching_products(p, filters, search=search, reading=reading, by_relevance=order.column == "relevance")
    products = _sortable(found, order)
    if reading in FROM_LINKS:
        products = _from_links(p, products, filters, order, reading=reading, has_after=has_after, limit=limit)
    elif has_after:
        products = _after(p, products, order)
    if reading in WINDOWS:
        products = _in_window(p, products, filters, order, size=WINDOW * WINDOWS[reading], has_after=has_after)
    sort = order.without_index if reading in {Reading.COLLECTED, Reading.COLLECTED_BELOW} else order.sort
    if search is not None:
        products = _found(p, search, products.order_by(*sort)[:limit], order)
    rows: QuerySet[Any, Any] = _columns(products, order).order_by(*sort)[:limit]
    return rows


def _order(filters: Filters, ordering: str) -> _Order:
    if ordering == GROUP:
        return _Order("relevance", "relevance", IntegerField(), is_descending=True, in_group=True)
    column, is_descending = ORDERINGS[ordering]
    if column == "relevance" and filters.q:
        return _Order(column, column, IntegerField(), is_descending)
    if column == "relevance":
        column = "created_at"
    if column == "price" and filters.with_unpublished:
        return _Order(column, "price_or_last", _SORT_PRICE, is_descending)
    return _Order(column, column, product_field(column), is_descending)


def _sortable(products: QuerySet[Any, Any], order: _Order) -> QuerySet[Any, Any]:
    if order.value != "price_or_last":
        return products
    annotated: QuerySet[Any, Any] = products.annotate(price_or_last=_price_or_last(is_descending=order.is_descending))
    return annotated


def _is_after(p: Any, order: _Order, *, value: str, key: str) -> RowIsAfter:
    place = {"value": p("after_value", order.field), "id": p("after_id", IntegerField())}
    return RowIsAfter(F(value), F(key), **place, is_descending=order.is_descending)


def _after(p: Any, products: QuerySet[Any, Any], order: _Order) -> QuerySet[Any, Any]:
    """The products after the place where the last page ended."""
    if order.in_group:
        return products.filter(pk__lt=p("after_id", IntegerField()))
    return products.filter(_is_after(p, order, value=order.value, key="pk"))


def _from_links(
    p: Any,
    products: QuerySet[Any, Any],
    filters: Filters,
    order: _Order,
    *,
    reading: Reading,
    has_after: bool,
    limit: int,
) -> QuerySet[Any, Any]:
    """The products of the newest links of a category, or of each of several categories."""
    after = _is_after(p, order, value="listed_at", key="product_id") if has_after else None
    links = newest_links(p, filters, limit=limit, reading=reading)
    return products.filter(pk__in=links(after))


def _in_window(
    p: Any, products: QuerySet[Any, Any], filters: Filters, order: _Order, *, size: int, has_after: bool
) -> QuerySet[Any, Any]:
    """Those of the products that are among the next ``size`` of the list."""
    window = _sortable(matching_products(p, filters.only_for(order.column)), order)
    window = _after(p, window, order) if has_after else window
    keys = window.order_by(*order.sort).values("pk")[:size]
    return products.filter(Q(pk__in=keys) if size == WINDOW else one_by_one(keys))


def _columns(products: QuerySet[Any, Any], order: _Order) -> QuerySet[Any, Any]:
    """The columns of ``ListedProduct``."""
    columns: QuerySet[Any, Any] = products.annotate(
        main_image=FilteredRelation("images", condition=Q(images__is_primary=True)),
        has_stock=has_stock_column(),
    ).values_list(
        "pk",
        "slug",
        "sku",
        "name",
        "kind",
        "price",
        "compare_at_price",
        "has_stock",
        "is_featured",
        "is_active",
        "rating_average",
        "rating_count",
        "main_image__file",
        "main_image__alt",
        "main_image__renditions",
        order.value,
    )
    return columns


def _found(p: Any, search: Hashable, page: QuerySet[Any, Any], order: _Order) -> QuerySet[Any, Any]:
    """The products of a page of matches, by their keys.

    PostgreSQL overestimates the matches, and would read the images of the whole shop for them.
    """
    found: QuerySet[Any, Any] = Product.objects.filter(pk__in=page.values("pk"))
    relevance, price = backend(Product).rank(p, search), _price_or_last(is_descending=order.is_descending)
    annotated: QuerySet[Any, Any] = found.annotate(relevance=relevance, price_or_last=price)
    return annotated


def _price_or_last(*, is_descending: bool) -> Coalesce:
    """The price or, if none is given, a value after all prices, since a comparison with NULL would end the list."""
    last = Decimal(-1) if is_descending else MAX_AMOUNT + 1
    return Coalesce(F("price"), Value(last, output_field=_SORT_PRICE), output_field=_SORT_PRICE)
