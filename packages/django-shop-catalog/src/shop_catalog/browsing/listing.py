"""Lists of products, one page at a time. The number of statements does not grow with the page or the shop."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connections, router
from django.db.models import QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog import categories, cursors, facets
from shop_catalog.browsing import counting, pages, queries
from shop_catalog.browsing.filters import ORDERINGS, Filters
from shop_catalog.browsing.matching import WINDOW, WINDOWS, Reading, matching_products
from shop_catalog.browsing.queries import ListedProduct, Place
from shop_catalog.exceptions import InvalidCursor, UnknownCategory
from shop_catalog.facets.terms import IN_STOCK, SOLD_OUT
from shop_catalog.models import Product
from shop_catalog.search import Prepared, backend

COUNT_CAP = 1000
"""Matching products are counted up to this number."""


LARGE = 20
"""A category is large if at least one of so many products is in it."""

MOST_LEAVES = 200
"""The maximum number of categories whose newest products are read one by one."""


@dataclass(frozen=True)
class Page:
    """``corrected`` is the text that was searched, if no product has the words of the given one; otherwise ""."""

    rows: list[ListedProduct]
    next: Place | None
    categories: dict[int, list[categories.Node]]
    corrected: str = ""


def list_products(
    filters: Filters,
    *,
    ordering: str = "newest",
    after: Place | None = None,
    limit: int = 20,
    with_categories: bool = True,
) -> Page:
    """One page of listed products, and where the next one begins.

    Two statements. A category takes one more, a search one or more, several filters up to three more if few of the
    first products match. ``with_categories=False`` saves one statement: ``Page.categories`` is then empty.

    Raises:
        UnknownCategory: the category of the filter does not exist.
        InvalidCursor: ``after`` does not fit this list. It is from a list with a search and this list has none, or the
            reverse; or the matches of the search have grown beyond ``FEW``, or fallen below, since ``after`` was made.
    """
    _check_place(filters, ordering=ordering, after=after)
    search = backend(Product).prepare(filters.q) if filters.q else None
    in_groups = ordering == "relevance" and search is not None and bool(search.groups)
    if after is not None and after.in_groups != in_groups:
        raise cursors.not_valid()
    rows = _rows(filters, search, ordering=ordering, after=after, limit=limit)
    last = rows[limit - 1] if len(rows) > limit else None
    rows = rows[:limit]
    return Page(
        rows=rows,
        next=Place(last.sort_value, last.id, in_groups) if last is not None else None,
        categories=categories_of([row.id for row in rows]) if with_categories else {},
        corrected=_corrected(filters, search),
    )


def _check_place(filters: Filters, *, ordering: str, after: Place | None) -> None:
    """Refuse a place that fits only a list with a search, or only one without: its value is a relevance or a time."""
    if after is not None and ordering == "relevance" and isinstance(after.value, datetime) == bool(filters.q):
        raise _for_other_order()


def _corrected(filters: Filters, search: Prepared | None) -> str:
    if search is not None:
        return search.corrected
    return backend(Product).corrected(filters.q) if filters.q else ""


def count_products(filters: Filters) -> tuple[int, bool]:
    """How many products match, at most ``COUNT_CAP``, and whether the number is exact."""
    found = matching(filters).order_by()[: COUNT_CAP + 1].count()
    return min(found, COUNT_CAP), found <= COUNT_CAP


def price_range(filters: Filters) -> tuple[Decimal | None, Decimal | None]:
    """The lowest and the highest price of the products that match."""
    arguments = _arguments(filters)
    lowest, highest = (_page(filters, *arguments, ordering=order, limit=0) for order in ("price", "-price"))
    return (lowest[0].price, highest[0].price) if lowest and highest else (None, None)


def facet_numbers(filters: Filters, *, samples: int, limit: int = 0) -> dict[int, int]:
    """The number of matching products by facet: see ``counting.facet_numbers``."""
    values, how = _arguments_of_count(filters, samples=samples)
    return counting.facet_numbers(filters, values, how=how, limit=limit)


def category_numbers(filters: Filters, below: Mapping[int, list[int]], *, samples: int) -> dict[int, int]:
    """The number of matching products by category: see ``counting.category_numbers``."""
    values, how = _arguments_of_count(filters, samples=samples)
    return counting.category_numbers(filters, values, below, how=how)


def node_of(filters: Filters, tree: categories.CategoryTree) -> categories.Node | None:
    """The category of the filter.

    Raises:
        UnknownCategory: it does not exist.
    """
    if not filters.category:
        return None
    node = tree.by_slug.get(filters.category)
    if node is None:
        raise _unknown(filters.category)
    return node


def matching(filters: Filters) -> QuerySet[Any, Any]:
    """The listed products that match, as a plain queryset."""
    values = _parameters(filters, after=None)
    return matching_products(lambda name, field: Value(values[name], output_field=field), filters)


def categories_of(product_ids: list[int]) -> dict[int, list[categories.Node]]:
    """The visible categories of listed products, by product. One statement; names come from the tree in memory."""
    if not product_ids:
        return {}
    links = queries.category_links(product_ids)
    found: dict[int, list[categories.Node]] = {pk: [] for pk in product_ids}
    tree = categories.tree_at(links[0].tree_version) if links else None
    for link in links:
        node = tree.nodes.get(link.category_id) if tree is not None else None
        if node is not None and node.is_visible:
            found[link.product_id].append(node)
    return found


def place_to_cursor(place: Place, *, ordering: str) -> str:
    """The cursor for a place. It is valid for this sort order only."""
    value = place.value.isoformat() if isinstance(place.value, datetime) else str(place.value)
    return cursors.encode([ordering, value, place.id, *([1] if place.in_groups else [])], of="products")


def place_from_cursor(cursor: str, *, ordering: str) -> Place:
    """The place in a list at which a page ended, from the ``next`` cursor of that page.

    Raises:
        InvalidCursor: the cursor was not created by this shop, or it is for another list or sort order.
    """
    created_for, text, pk, *in_groups = cursors.decode(cursor, of="products")
    if created_for != ordering:
        raise _for_other_order()
    column = ORDERINGS[ordering].column
    if column == "created_at" or (column == "relevance" and not text.isdigit()):
        return Place(datetime.fromisoformat(text), pk)
    if column in {"price", "rating_average"}:
        return Place(Decimal(text), pk)
    return Place(int(text) if column == "relevance" else text, pk, bool(in_groups))


def _rows(
    filters: Filters, search: Prepared | None, *, ordering: str, after: Place | None, limit: int
) -> list[ListedProduct]:
    """The rows of the page and one more, which shows whether there is a next page."""
    values = _parameters(filters, after=after) | ({} if search is None else search.values)
    shape, has_after = None if search is None else search.shape, after is not None
    if search is None or ordering != "relevance" or not search.groups:
        return _page(filters, values, shape, ordering=ordering, limit=limit, has_after=has_after)
    rows: list[ListedProduct] = []
    for group in search.groups:
        if after is None or group.relevance <= after.value:
            is_begun = after is not None and group.relevance == after.value
            shape = group.filtered_shape if filters.condition_count else group.shape
            rows += _page(filters, values, shape, ordering=pages.GROUP, limit=limit - len(rows), has_after=is_begun)
        if len(rows) > limit:
            break
    return rows


def _page(
    filters: Filters,
    values: Mapping[str, Any],
    search: Hashable,
    *,
    ordering: str,
    limit: int,
    has_after: bool = False,
) -> list[ListedProduct]:
    def page(reading: Reading) -> list[ListedProduct]:
        return queries.page_rows(
            filters,
            values,
            search=search,
            reading=reading,
            ordering=ordering,
            has_after=has_after,
            limit=limit + 1,
        )

    reading = _reading(filters, values, ordering=ordering, limit=limit)
    rows = page(reading)
    if reading == Reading.IN_WINDOW and len(rows) <= limit:
        for wider in _wider_readings(values, len(rows), limit=limit):
            rows = page(wider)
            if len(rows) > limit:
                break
    return rows


def _wider_readings(values: Mapping[str, Any], found: int, *, limit: int) -> Iterator[Reading]:
    """How the page is looked for if the first window has only ``found`` products: in these ways, until it is full.

    First in a wider window, if that is cheaper than to collect all matches. Not at all if that window was the whole
    shop.
    """
    if found:
        newest = values.get("newest_id") or queries.newest_key()
        if newest <= WINDOW:
            return
        wider = _wider_window(found, limit=limit)
        if wider is not None and _is_wider_cheaper(wider, found, newest):
            yield wider
    yield Reading.COLLECTED_BELOW if _is_large(values) else Reading.COLLECTED


def _is_large(values: Mapping[str, Any]) -> bool:
    """Whether the category of the filter, if there is one, has so many products that its index is of no use."""
    below, newest = values.get("product_count") or 0, values.get("newest_id") or 0
    return bool(LARGE * below >= newest > 0)


def _wider_window(found: int, *, limit: int) -> Reading | None:
    """The smallest window that probably has a page, if the first one had ``found`` products; ``None`` if none has."""
    return next((each for each, size in WINDOWS.items() if 2 * size * found >= 3 * (limit + 1)), None)


def _is_wider_cheaper(wider: Reading, found: int, newest: int) -> bool:
    """Whether a wider window costs less than to collect all matches, of which each costs as much as two products."""
    return 2 * found * newest >= WINDOW**2 * WINDOWS[wider]


def _arguments(filters: Filters) -> tuple[dict[str, Any], Hashable]:
    """The values of the filters, and the shape of a prepared search."""
    values = _parameters(filters, after=None)
    search = backend(Product).prepare(filters.q) if filters.q else None
    return (values, None) if search is None else ({**values, **search.values}, search.shape)


def _arguments_of_count(filters: Filters, *, samples: int) -> tuple[dict[str, Any], counting.How]:
    """The values of the filters, and how they are counted.

    All matches of a search are looked up in its index, unless there are samples or filters.
    """
    values = _parameters(filters, after=None, is_counted=True)
    how = counting.How(samples=samples, checks_links=samples > 0 and _is_large(values))
    search = backend(Product).prepare(filters.q) if filters.q else None
    if search is None:
        return values, how
    finds_all = not samples and not filters.condition_count
    shape = (finds_all and search.counted_shape) or search.shape
    return {**values, **search.values}, how._replace(search=shape)


def _for_other_order() -> InvalidCursor:
    return InvalidCursor(
        _("The cursor was created for a different sort order. Request the first page again, without a cursor.")
    )


def _unknown(slug: str) -> UnknownCategory:
    return UnknownCategory(_("There is no category %(slug)s.") % {"slug": slug})


def _parameters(filters: Filters, *, after: Place | None, is_counted: bool = False) -> dict[str, Any]:
    values: dict[str, Any] = {
        "now": timezone.now(),
        "min_price": filters.min_price,
        "max_price": filters.max_price,
        "rating": filters.rating,
        "related_to": filters.related_to,
        "stock": IN_STOCK if filters.in_stock else SOLD_OUT,
        **filters.attribute_terms(),
    }
    if after is not None:
        values |= {"after_value": after.value, "after_id": after.id}
    if filters.category:
        bounds = queries.subtree_bounds(filters.category)
        if bounds is None:
            raise _unknown(filters.category)
        values |= bounds._asdict()
        if filters.condition_count > 1 or is_counted:
            values["below"] = facets.subtree_terms(categories.current_tree(), bounds.category_id)
    return values


def _reading(filters: Filters, values: Mapping[str, Any], *, ordering: str, limit: int) -> Reading:
    """How to find the page.

    The database estimates a single condition well. It cannot estimate how many products meet two conditions at once,
    nor, in a prepared statement, how many are in a range of prices or ratings, nor that a brand is in one part of the
    list because its name begins the products' names. It might then search the whole shop.
    """
    if filters.q:
        return Reading.FREELY
    others = replace(filters, category="", related_to="", with_unpublished=False)
    if others == Filters() and filters.category and not filters.related_to:
        return _reading_of_category(values, ordering=ordering, limit=limit)
    if others == Filters() and filters.related_to and not filters.category:
        return Reading.FROM_RELATED if _is_newest_first(ordering) and _has_arrays() else Reading.FREELY
    column = ORDERINGS[ordering].column
    if filters == filters.only_for(column):
        return Reading.FREELY
    ranges = {"price": (filters.min_price, filters.max_price), "rating_average": (filters.rating,)}
    has_other_range = any(value is not None for name, given in ranges.items() if name != column for value in given)
    has_terms = bool(filters.attributes) or filters.in_stock is not None
    if filters.condition_count > 1 or has_other_range or (has_terms and not _is_newest_first(ordering)):
        return Reading.IN_WINDOW
    return Reading.FREELY


def _reading_of_category(values: Mapping[str, Any], *, ordering: str, limit: int) -> Reading:
    """How to find a page of a category without other filters.

    ``below`` is the number of products in the subtree, ``all`` the number in the shop, estimated by the newest key.
    ``IN_ORDER`` reads about ``limit * all / below`` products, ``FROM_LEAVES`` reads ``limit`` of each category, and
    ``ALL_BELOW`` sorts all ``below`` products, each of which costs four times as much.
    """
    newest_first = _is_newest_first(ordering)
    below, newest = values["product_count"], values["newest_id"] or 0
    categories_below = (values["rght"] - values["lft"] + 1) // 2
    in_order = (limit + 1) * newest / below if below else float("inf")
    if newest_first and categories_below == 1:
        return Reading.FROM_LEAF
    most = min(MOST_LEAVES, 2 * in_order / (limit + 1))
    if newest_first and _has_arrays() and categories_below <= most:
        return Reading.FROM_LEAVES
    if below is None:
        return Reading.FREELY
    return Reading.IN_ORDER if 4 * below >= in_order else Reading.ALL_BELOW


def _is_newest_first(ordering: str) -> bool:
    """Whether a list without a search is in the order in which an index has the links of each category."""
    return ORDERINGS[ordering].column in {"created_at", "relevance"}


def _has_arrays() -> bool:
    return connections[router.db_for_read(Product)].vendor == "postgresql"
