"""Statements of the stored counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Aggregate, BigIntegerField, Count, Exists, F, OuterRef, QuerySet, Sum, Value
from django.db.models.lookups import In
from shop_core.db.compiled import CompiledQuery
from shop_core.db.transactions import connection_of

from shop_catalog.bulk.queries import insert_values
from shop_catalog.facets.terms import EVERY, FIRST_VALUE
from shop_catalog.managers import published_at
from shop_catalog.models import FacetChange, FacetCount, FacetValue, Product, ProductCategory, ProductTerms
from shop_catalog.models.numbers import EachNumber, NumbersField, Overlaps, each_number

EVERYTHING = 0
"""The ``category_id`` of counts of the whole shop."""

FOLDED = -1
"""The ``category_id`` of one row that belongs to no category. Its ``number`` is the sum of ``random`` of all changes
that were folded."""


class Version(NamedTuple):
    """The version of the counts. Every change of the catalogue changes one of these numbers.

    The first two are sums of random numbers: of the changes that were folded, and of those that are not folded yet.
    ``due`` is the number of products whose publication has begun or ended since they were counted.
    """

    folded: int
    unfolded: int
    due: int


class FacetNumber(NamedTuple):
    """A row of the union of stored counts and changes. A number of ``None``: the category has to be counted again."""

    facet: Any
    number: int | None


class CategoryNumber(NamedTuple):
    """A number of ``None``: the category has to be counted again."""

    category_id: int
    number: int | None


class CategoriesNumber(NamedTuple):
    """A number of products that appeared in, or disappeared from, these categories."""

    categories: Any
    number: int


class FacetName(NamedTuple):
    key: int
    name: str
    value: str | None
    is_complete: bool


class ListedRow(NamedTuple):
    """The columns of a listed product from which its terms are made."""

    id: int
    kind: str
    price: Any
    is_active: bool
    publish_from: datetime | None
    publish_until: datetime | None
    attributes: dict[str, Any]
    options: dict[str, Any]
    stock_quantity: int
    reserved_quantity: int
    rating_average: Any


class VariantRow(NamedTuple):
    parent_id: int
    attributes: dict[str, Any]
    options: dict[str, Any]
    stock_quantity: int
    reserved_quantity: int


def version(*, now: datetime) -> Version:
    rows = _VERSION.rows(now=now)
    numbers = {row.facet: int(row.number or 0) for row in rows}
    return Version(numbers.get(0, 0), numbers.get(1, 0), numbers.get(2, 0))


def facet_numbers(category_id: int, below: list[int], *, now: datetime) -> dict[int, int] | None:
    """The number of products by facet: stored counts, changes that are not folded, and publications that are due.

    ``below`` are the terms of the category and all below it, empty for the whole shop. One statement. ``None`` if the
    category has to be counted again.
    """
    rows = _NUMBERS.rows(category_id == EVERYTHING, category=category_id, below=below, now=now)
    return None if any(row.number is None for row in rows) else _summed(rows)


def unfolded_numbers(category_id: int, below: list[int]) -> dict[int, int]:
    """The part of ``facet_numbers`` that is not folded."""
    return _summed(_UNFOLDED.rows(category_id == EVERYTHING, below=below))


def counted_numbers(category_id: int, below: list[int]) -> dict[int, int]:
    """As ``facet_numbers``, counted from all products, without publications that are due. This is slow."""
    return _summed(_COUNTED.rows(category_id == EVERYTHING, below=below))


def add_counts(rows: Sequence[tuple[int, int, int]]) -> None:
    """Add to the stored counts: rows of category, facet and number, in the order of their keys."""
    connection = connection_of(FacetCount)
    table = connection.ops.quote_name(FacetCount._meta.db_table)
    add = f"ON CONFLICT (category_id, facet) DO UPDATE SET number = {table}.number + excluded.number"
    if connection.vendor != "postgresql":
        insert_values(FacetCount, ("category_id", "facet", "number"), rows, on_conflict=add)
        return
    sql = f"""
        INSERT INTO {table} (category_id, facet, number)
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) {add}
    """  # noqa: S608 - the names are ours, the values are parameters
    columns = [NumbersField().get_db_prep_value(column, connection) for column in zip(*rows, strict=True)]
    if columns:
        with connection.cursor() as cursor:
            cursor.execute(sql, columns)


def _summed(rows: Iterable[FacetNumber]) -> dict[int, int]:
    numbers: dict[int, int] = {}
    for facet, number in rows:
        for each in each_number(facet):
            numbers[each] = numbers.get(each, 0) + int(number or 0)
    return numbers


def stored_totals(category_ids: list[int]) -> dict[int, int | None]:
    """The stored number of products in each category's subtree; ``None`` if it has to be counted again."""
    if not category_ids:
        return {}
    padded = category_ids + category_ids[-1:] * (-len(category_ids) % 16)
    values = {f"id{place}": pk for place, pk in enumerate(padded)}
    rows = _TOTALS.rows(len(padded), **values)
    stale = {row.category_id for row in rows if row.number is None}
    return {row.category_id: None if row.category_id in stale else row.number for row in rows}


def total_changes(*, now: datetime) -> list[CategoriesNumber]:
    """The numbers to add to the stored totals: changes that are not folded, and publications that are due."""
    return [row._replace(categories=_as_list(row.categories)) for row in _TOTAL_CHANGES.rows(now=now)]


def names() -> dict[int, FacetName]:
    """The known values of all counted attributes, by facet."""
    return {row.key: row for row in _NAMES.rows()}


def known_keys(keys: list[int]) -> set[int]:
    """Those of the terms that are stored values."""
    return set(FacetValue.objects.filter(key__in=keys).values_list("key", flat=True))


def value_counts() -> dict[str, int]:
    """The number of stored values of each attribute, with the row for those beyond the limit."""
    return dict(FacetValue.objects.values_list("name").annotate(number=Count("key", distinct=True)))


def crowded_names() -> set[str]:
    """The attributes with values that are counted together, by the stored counts."""
    others = dict(FacetValue.objects.filter(value__isnull=True).values_list("key", "name"))
    counted = FacetCount.objects.filter(category_id=EVERYTHING, facet__in=others, number__gt=0)
    return {others[facet] for facet in counted.values_list("facet", flat=True)}


def unused_keys(name: str) -> list[int]:
    """The stored values of an attribute that no product has, whether it is published or not."""
    values = FacetValue.objects.filter(name=name, value__isnull=False)
    counted = FacetCount.objects.filter(category_id=EVERYTHING, facet=OuterRef("key"), number__gt=0)
    having = ProductTerms.objects.filter(Overlaps(F("terms"), OuterRef("key")))
    keys = values.exclude(Exists(counted)).values_list("key", flat=True).distinct()
    return list(keys.exclude(Exists(having)))


def unnamed_facets() -> list[int]:
    """The counted values that are not stored."""
    counted = FacetCount.objects.filter(category_id=EVERYTHING, facet__gte=FIRST_VALUE, number__gt=0)
    return list(
        counted.exclude(Exists(FacetValue.objects.filter(key=OuterRef("facet")))).values_list("facet", flat=True)
    )


def listed_rows(ids: list[int]) -> list[ListedRow]:
    rows = Product.objects.filter(pk__in=ids, parent__isnull=True)
    return [ListedRow(*row) for row in rows.values_list(*ListedRow._fields)]


def variant_rows(group_ids: list[int]) -> list[VariantRow]:
    rows = Product.objects.filter(parent__in=group_ids, is_active=True)
    return [VariantRow(*row) for row in rows.values_list(*VariantRow._fields)]


def links(ids: list[int]) -> Iterable[tuple[int, int]]:
    return ProductCategory.objects.filter(product__in=ids).values_list("product_id", "category_id")


def _as_list(value: Any) -> list[int]:
    numbers: list[int] = json.loads(value) if isinstance(value, str) else value
    return numbers


def _changes(p: Any, everything: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    changes = FacetChange.objects.filter(category_id__isnull=True).order_by()
    if everything:
        return changes
    return changes.filter(Overlaps(F("categories"), p("below", NumbersField()), is_set=True))


def _counts(rows: QuerySet[Any, Any], column: str, sign: int) -> QuerySet[Any, Any]:
    number = Count("pk") * Value(sign, output_field=BigIntegerField())
    counted: QuerySet[Any, Any] = (
        rows.annotate(each=EachNumber(F(column))).values("each").annotate(number=number).values_list("each", "number")
    )
    return counted


def _build_unfolded(p: Any, everything: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    added, removed = (_changes(p, everything) for _turn in range(2))
    return _counts(added, "added", 1).union(_counts(removed, "removed", -1), all=True)


def _due(now: Any, *, is_counted: bool) -> QuerySet[Any, Any]:
    """The products whose publication has begun, or ended, since they were counted."""
    due = ProductTerms.objects.filter(changes_at__lte=now, is_counted=is_counted).order_by()
    return due if is_counted else due.filter(published_at(now, prefix="product__"))


def _build_numbers(p: Any, everything: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    now, category = p("now", ProductTerms._meta.get_field("changes_at")), p("category", BigIntegerField())
    stored = FacetCount.objects.filter(category_id=category).values_list("facet", "number")
    recount = FacetChange.objects.filter(category_id=category).order_by()
    stale = recount.annotate(each=Value(EVERY, output_field=BigIntegerField())).annotate(
        number=Value(None, output_field=BigIntegerField())
    )
    parts = [stale.values_list("each", "number")]
    for column, sign in (("added", 1), ("removed", -1)):
        parts.append(_counts(_changes(p, everything), column, sign))
    for is_counted, sign in ((False, 1), (True, -1)):
        due = _due(now, is_counted=is_counted)
        if not everything:
            due = due.filter(Overlaps(F("terms"), p("below", NumbersField()), is_set=True))
        parts.append(_counts(due, "facets", sign))
    rows: QuerySet[Any, Any] = stored.union(*parts, all=True)
    return rows


def _build_counted(p: Any, everything: bool) -> QuerySet[Any, Any]:  # noqa: FBT001
    rows = ProductTerms.objects.filter(is_counted=True).order_by()
    if not everything:
        rows = rows.filter(Overlaps(F("terms"), p("below", NumbersField()), is_set=True))
    return _counts(rows, "facets", 1)


def _build_version(p: Any) -> QuerySet[Any, Any]:
    now = p("now", ProductTerms._meta.get_field("changes_at"))

    def number(rows: QuerySet[Any, Any], place: int, of_rows: Aggregate) -> QuerySet[Any, Any]:
        named = rows.order_by().annotate(place=Value(place, output_field=BigIntegerField())).values("place")
        found: QuerySet[Any, Any] = named.annotate(number=of_rows).values_list("place", "number")
        return found

    folded = FacetCount.objects.filter(category_id=FOLDED).values_list("facet", "number")
    unfolded = number(FacetChange.objects.all(), 1, Sum("random"))
    due = number(ProductTerms.objects.filter(changes_at__lte=now), 2, Count("pk"))
    return folded.union(unfolded, due, all=True)


def _build_totals(p: Any, size: int) -> QuerySet[Any, Any]:
    wanted = In(F("category_id"), [p(f"id{place}", BigIntegerField()) for place in range(size)])
    stale = FacetChange.objects.filter(wanted).annotate(number=Value(None, output_field=BigIntegerField())).order_by()
    stored = FacetCount.objects.filter(wanted, facet=EVERY).values_list("category_id", "number")
    rows: QuerySet[Any, Any] = stored.union(stale.values_list("category_id", "number"), all=True)
    return rows


def _build_total_changes(p: Any) -> QuerySet[Any, Any]:
    now = p("now", ProductTerms._meta.get_field("changes_at"))

    def signed(rows: QuerySet[Any, Any], column: str, sign: int) -> QuerySet[Any, Any]:
        number = Value(sign, output_field=BigIntegerField())
        found: QuerySet[Any, Any] = rows.annotate(number=number).values_list(column, "number")
        return found

    changes = FacetChange.objects.filter(category_id__isnull=True).order_by()
    every = Value(EVERY)
    parts = [
        signed(changes.filter(Overlaps(F("removed"), every)), "categories", -1),
        signed(_due(now, is_counted=False), "terms", 1),
        signed(_due(now, is_counted=True), "terms", -1),
    ]
    return signed(changes.filter(Overlaps(F("added"), every)), "categories", 1).union(*parts, all=True)


def _build_names(_p: Any) -> QuerySet[Any, Any]:
    return FacetValue.objects.order_by("is_complete").values_list(*FacetName._fields)


_VERSION = CompiledQuery(FacetCount, _build_version, row=FacetNumber, reads=True)
_NUMBERS = CompiledQuery(FacetCount, _build_numbers, row=FacetNumber, reads=True)
_UNFOLDED = CompiledQuery(FacetChange, _build_unfolded, row=FacetNumber)
_COUNTED = CompiledQuery(ProductTerms, _build_counted, row=FacetNumber)
_TOTALS = CompiledQuery(FacetCount, _build_totals, row=CategoryNumber, reads=True)
_TOTAL_CHANGES = CompiledQuery(FacetChange, _build_total_changes, row=CategoriesNumber, reads=True)
_NAMES = CompiledQuery(FacetValue, _build_names, row=FacetName, reads=True)
