"""Lists of products: filters, orders and keyset pages, constant in statements and flat in cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    Expression,
    F,
    Field,
    FilteredRelation,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.db.models.lookups import In
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog import category_tree, cursors
from shop_catalog.exceptions import InvalidCursor, UnknownCategory
from shop_catalog.hot_query import HotQuery, LiteralInteger
from shop_catalog.managers import is_linked_below, published_at
from shop_catalog.models import Category, Product, ProductCategory, ProductKind
from shop_catalog.search import backend

COUNT_CAP = 1000
"""An exact count is made up to here; beyond, it is said that there are more."""


class Ordering(NamedTuple):
    column: str
    is_descending: bool


ORDERINGS = {
    "newest": Ordering("created_at", is_descending=True),
    "price": Ordering("price", is_descending=False),
    "-price": Ordering("price", is_descending=True),
    "name": Ordering("name", is_descending=False),
    "-name": Ordering("name", is_descending=True),
    "rating": Ordering("rating_average", is_descending=True),
    "relevance": Ordering("relevance", is_descending=True),
}


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to. ``None`` and empty mean: not narrowed.

    ``attributes`` are (name, value) pairs: any of the values of one name, and that for every name.
    """

    q: str = ""
    category: str = ""
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    in_stock: bool | None = None
    featured: bool | None = None
    rating: Decimal | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    related_to: str = ""
    with_unpublished: bool = False


class Row(NamedTuple):
    """A product as lists show it. ``sort_value`` is what it is ordered by."""

    id: int
    slug: str
    sku: str
    name: str
    kind: str
    price: Decimal
    compare_at_price: Decimal | None
    in_stock: bool
    is_featured: bool
    is_active: bool
    rating_average: Decimal
    rating_count: int
    image: str | None
    image_alt: str | None
    image_has_renditions: bool | None
    sort_value: Any


class Place(NamedTuple):
    """Where a page ends: the sort value and the key of its last row."""

    value: Any
    id: int


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    next: Place | None
    categories: dict[int, list[category_tree.Node]]


def page(filters: Filters, *, ordering: str = "newest", after: Place | None = None, limit: int = 20) -> Page:
    """One page of listed products and what comes after it: two statements, one more each for a category and a search.

    Raises:
        UnknownCategory: the category of the filter does not exist.
    """
    values = _parameters(filters, after=after)
    search = backend(Product).prepare(filters.q) if filters.q else None
    if search is not None:
        values |= search.values
    walks = _walks(filters, values, limit=limit)
    shape = (_shape(filters), search and search.shape, walks, ordering, after is not None, limit + 1)
    if filters.attributes or (filters.q and search is None):
        rows = list(_queryset(lambda name, field: Value(values[name], output_field=field), filters, *shape[1:]))
    else:
        rows = _PAGE.rows(*shape, **values)
    found = [Row(*row) for row in rows]
    last = found[limit - 1] if len(found) > limit else None
    found = found[:limit]
    place = Place(last.sort_value, last.id) if last is not None else None
    return Page(found, place, categories_of([row.id for row in found]))


def count(filters: Filters) -> tuple[int, bool]:
    """How many products match, up to a cap, and whether that is all."""
    found = matching(filters).order_by()[: COUNT_CAP + 1].count()
    return min(found, COUNT_CAP), found <= COUNT_CAP


def matching(filters: Filters) -> QuerySet[Any, Any]:
    """The listed products that match, as a plain queryset."""
    values = _parameters(filters, after=None)
    return _matching(lambda name, field: Value(values[name], output_field=field), filters)


def categories_of(product_ids: list[int]) -> dict[int, list[category_tree.Node]]:
    """The categories of listed products, by product: one statement, names from the tree kept in memory."""
    if not product_ids:
        return {}
    padded = product_ids + product_ids[-1:] * (-len(product_ids) % 10)
    rows = _LINKS.rows(len(padded), **{f"id{index}": pk for index, pk in enumerate(padded)})
    found: dict[int, list[category_tree.Node]] = {pk: [] for pk in product_ids}
    tree = category_tree.at_version(rows[0][2]) if rows else None
    for product_id, category_id, _version in rows:
        node = tree.nodes.get(category_id) if tree is not None else None
        if node is not None and node.is_visible:
            found[product_id].append(node)
    return found


def cursor_of(place: Place, *, ordering: str) -> str:
    """A place as an opaque cursor, good for this order only."""
    value = place.value.isoformat() if isinstance(place.value, datetime) else str(place.value)
    return cursors.seal([ordering, value, place.id])


def place_of(cursor: str, *, ordering: str) -> Place:
    """
    Raises:
        InvalidCursor: it is no cursor of ours, or one of another order.
    """
    values = cursors.unseal(cursor)
    if len(values) != 3 or values[0] != ordering:
        raise InvalidCursor(_("The cursor belongs to another order. Begin again without one."))
    _ordering, text, pk = values
    column = ORDERINGS[ordering].column
    if column == "created_at" or (column == "relevance" and not text.isdigit()):
        return Place(datetime.fromisoformat(text), pk)
    if column in {"price", "rating_average"}:
        return Place(Decimal(text), pk)
    return Place(int(text) if column == "relevance" else text, pk)


class _RowIsBeyond(Expression):
    """``(a, b) < (c, d)``: the condition of a keyset page, which an index on both columns answers."""

    def __init__(self, column: Any, key: Any, *, value: Any, id: Any, is_descending: bool) -> None:  # noqa: A002
        super().__init__(output_field=BooleanField())
        self.parts = [column, key, value, id]
        self.operator = "<" if is_descending else ">"

    conditional = True

    def get_source_expressions(self) -> list[Any]:
        return self.parts

    def set_source_expressions(self, expressions: Any) -> None:
        self.parts = list(expressions)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:  # noqa: ARG002
        texts, parameters = [], []
        for part in self.parts:
            sql, values = compiler.compile(part)
            texts.append(sql)
            parameters += values
        column, key, value, pk = texts
        return f"({column}, {key}) {self.operator} ({value}, {pk})", parameters


def _field(name: str) -> Field[Any, Any]:
    return Product._meta.get_field(name)  # type: ignore[return-value]


def _shape(filters: Filters) -> Filters:
    """The filters with their values taken out: what decides the SQL text."""
    return replace(
        filters,
        q="x" if filters.q else "",
        category="x" if filters.category else "",
        min_price=None if filters.min_price is None else Decimal(0),
        max_price=None if filters.max_price is None else Decimal(0),
        rating=None if filters.rating is None else Decimal(0),
        related_to="x" if filters.related_to else "",
    )


def _parameters(filters: Filters, *, after: Place | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "now": timezone.now(),
        "min_price": filters.min_price,
        "max_price": filters.max_price,
        "rating": filters.rating,
        "related_to": filters.related_to,
    }
    if after is not None:
        values |= {"after_value": after.value, "after_id": after.id}
    if filters.category:
        rows = _BOUNDS.rows(slug=filters.category)
        if not rows:
            raise UnknownCategory(_("There is no category %(slug)s.") % {"slug": filters.category})
        values |= dict(zip(("tree_id", "lft", "rght", "below", "newest"), rows[0], strict=True))
    return values


def _walks(filters: Filters, values: Mapping[str, Any], *, limit: int) -> bool:
    """Whether a page of a category is looked for along the order, asking each product for a link.

    The walk passes ``limit * all / below`` products; from its links the subtree's ``below`` products are read and
    sorted, a row at four times the cost. The newest key stands for the number of all. Other filters make the walk
    longer by a factor that only the database can guess: then, and where nothing is kept yet, the choice is its own.
    """
    below, newest = values.get("below"), values.get("newest")
    if below is None or newest is None or filters != Filters(category=filters.category):
        return False
    return bool(4 * below * below >= limit * newest)


def _matching(
    p: Any, filters: Filters, *, search: Hashable = None, walks: bool = False, is_best: bool = False
) -> QuerySet[Any, Any]:
    """``search`` is the shape of a prepared search, ``is_best`` says that the list is ordered by relevance."""
    products: QuerySet[Any, Any] = Product.objects.filter(parent__isnull=True)
    if not filters.with_unpublished:
        products = products.filter(published_at(p("now", _field("publish_from"))))
    if filters.category:
        products = products.filter(_in_subtree(p, walks=walks))
    products = products.filter(*_conditions(p, filters))
    if filters.in_stock is not None:
        products = products.filter(has_stock()) if filters.in_stock else products.exclude(has_stock())
    if filters.related_to:
        products = _related(p, products)
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in filters.attributes:
        wanted[name].append(value)
    for name, values in wanted.items():
        products = _with_attribute(products, name, values)
    if filters.q and search is not None:
        products = backend(Product).narrow(products, p, search, is_best=is_best)
    elif filters.q:
        found = backend(Product).best if is_best else backend(Product).search
        products = found(products, filters.q)
    return products


def _in_subtree(p: Any, *, walks: bool) -> Any:
    """Where the database has a choice, the subtree's numbers stand in the statement, so that it plans for them."""
    names = ("tree_id", "lft", "rght")
    if walks:
        return is_linked_below(OuterRef("pk"), **{name: p(name, Category._meta.get_field(name)) for name in names})
    tree_id, lft, rght = (p(name, LiteralInteger()) for name in names)
    return Exists(
        ProductCategory.objects.filter(
            product=OuterRef("pk"),
            category__tree_id=tree_id,
            category__lft__gte=lft,
            category__lft__lte=rght,
        )
    )


def _conditions(p: Any, filters: Filters) -> Iterator[Q]:
    if filters.min_price is not None:
        yield Q(price__gte=p("min_price", _field("price")))
    if filters.max_price is not None:
        yield Q(price__lte=p("max_price", _field("price")))
    if filters.featured is not None:
        yield Q(is_featured=filters.featured)
    if filters.rating is not None:
        yield Q(rating_average__gte=p("rating", _field("rating_average")))


def _related(p: Any, products: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    slug = p("related_to", _field("slug"))
    mine = ProductCategory.objects.filter(Q(product__slug=slug)).values("category")
    shared = ProductCategory.objects.filter(product=OuterRef("pk"), category__in=mine)
    return products.filter(Exists(shared)).exclude(Q(slug=slug))


def _with_attribute(products: QuerySet[Any, Any], name: str, values: list[str]) -> QuerySet[Any, Any]:
    """One of these values among the own attributes, or among a variant's attributes or options."""
    variants = Product.objects.filter(parent=OuterRef("pk"), is_active=True)
    has_variant = Exists(variants.filter(_says("options", name, values) | _says("attributes", name, values)))
    return products.filter(_says("attributes", name, values) | has_variant)


def _says(column: str, name: str, values: list[str]) -> Q:
    """A JSON column holds one of the values under this name, compared as text. The name is no part of a lookup."""
    return Q(In(Cast(KeyTextTransform(name, column), TextField()), values))


def has_stock() -> Q:
    """Something is available: of a simple product itself, of a group any active variant."""
    variants = Product.objects.filter(parent=OuterRef("pk"), is_active=True, stock_quantity__gt=F("reserved_quantity"))
    return Q(stock_quantity__gt=F("reserved_quantity")) | Q(Q(kind=ProductKind.GROUP), Exists(variants))


def has_stock_column() -> Case:
    """``has_stock`` as a column."""
    return Case(When(has_stock(), then=Value(True)), default=Value(False), output_field=BooleanField())  # noqa: FBT003


def _queryset(
    p: Any,
    filters: Filters,
    search: Hashable,
    walks: bool,  # noqa: FBT001
    ordering: str,
    has_after: bool,  # noqa: FBT001
    limit: int,
) -> QuerySet[Any, Any]:
    column, is_descending = ORDERINGS[ordering]
    products = _matching(p, filters, search=search, walks=walks, is_best=column == "relevance")
    if column == "relevance" and not filters.q:
        column = "created_at"
    if has_after:
        field = IntegerField() if column == "relevance" else _field(column)
        beyond = _RowIsBeyond(
            F(column),
            F("pk"),
            value=p("after_value", field),
            id=p("after_id", IntegerField()),
            is_descending=is_descending,
        )
        products = products.filter(beyond)
    sign = "-" if is_descending else ""
    rows: QuerySet[Any, Any] = (
        products.annotate(
            main_image=FilteredRelation("images", condition=Q(images__is_primary=True)),
            has_stock=has_stock_column(),
        )
        .order_by(f"{sign}{column}", f"{sign}pk")
        .values_list(
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
            "main_image__has_renditions",
            column,
        )
    )
    limited: QuerySet[Any, Any] = rows[:limit]
    return limited


def _build_bounds(p: Any) -> QuerySet[Any, Any]:
    slug = p("slug", Category._meta.get_field("slug"))
    newest = Subquery(Product.objects.order_by("-pk").values("pk")[:1])
    rows: QuerySet[Any, Any] = Category.objects.order_by().filter(slug=slug)
    return rows.values_list("tree_id", "lft", "rght", "statistics__product_count", newest)


def _build_links(p: Any, size: int) -> QuerySet[Any, Any]:
    ids: Iterable[Any] = [p(f"id{index}", IntegerField()) for index in range(size)]
    links = ProductCategory.objects.filter(In(F("product_id"), ids)).order_by("product", "position", "pk")
    columns: QuerySet[Any, Any] = links.values_list("product_id", "category_id", category_tree.version_expression())
    return columns


_PAGE = HotQuery(Product, _queryset)
_BOUNDS = HotQuery(Category, _build_bounds)
_LINKS = HotQuery(ProductCategory, _build_links)
