"""Keeping the terms of products up to date, in the transaction of each change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from shop_catalog import bulk
from shop_catalog.facets import queries, terms, values
from shop_catalog.facets.queries import ListedRow, VariantRow
from shop_catalog.models import FacetChange, ProductCategory, ProductKind, ProductTerms
from shop_catalog.models.facet_change import random_number

CHUNK = 1000
COLUMNS = ("product_id", "terms", "facets", "is_counted", "changes_at")


class Entry(NamedTuple):
    """A row of ``ProductTerms``."""

    product_id: int
    terms: list[int]
    facets: list[int]
    is_counted: bool
    changes_at: datetime | None

    @property
    def categories(self) -> list[int]:
        """The terms of its categories."""
        return [term for term in self.terms if term < 0]

    @property
    def is_hidden(self) -> bool:
        """Whether the product is not listed, and will not be without a change."""
        return not self.is_counted and self.changes_at is None

    @property
    def counted(self) -> set[int]:
        return set(self.facets) if self.is_counted else set()


def refresh(listed_ids: Iterable[int]) -> None:
    """Write the terms of simple products and groups, after they or their variants were changed or deleted.

    Call it in the transaction of the change. It locks the rows in primary-key order, after those of the products. A
    fixed number of statements for each thousand products.
    """
    ids = sorted(set(listed_ids))
    for start in range(0, len(ids), CHUNK):
        _refresh(ids[start : start + CHUNK])


def mark_changed(listed_ids: Iterable[int]) -> None:
    """Record that products changed although no facet did, so that cached counts of filtered lists are discarded."""
    FacetChange.objects.bulk_create(FacetChange() for _pk in listed_ids)


def _refresh(ids: list[int]) -> None:
    old = {entry.product_id: entry for entry in _locked(ids)}
    new = {entry.product_id: entry for entry in _entries(ids)}
    _write(old, new)
    _hide_links(old, new)
    changes = [(*change, random_number()) for pk in ids for change in _changes(old.get(pk), new.get(pk))]
    bulk.insert(FacetChange, ("categories", "added", "removed", "random"), changes)


def _locked(ids: list[int]) -> list[Entry]:
    rows = ProductTerms.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return [Entry(*row) for row in rows.values_list(*COLUMNS)]


def _entries(ids: list[int]) -> list[Entry]:
    now = timezone.now()
    rows = queries.listed_rows(ids)
    groups = [row.id for row in rows if row.kind == ProductKind.GROUP]
    variants: defaultdict[int, list[VariantRow]] = defaultdict(list)
    for variant in queries.variant_rows(groups) if groups else ():
        variants[variant.parent_id].append(variant)
    links: defaultdict[int, list[int]] = defaultdict(list)
    for product_id, category_id in queries.links(ids):
        links[product_id].append(category_id)
    pairs = {row.id: _pairs(row, variants[row.id]) for row in rows}
    known = values.facets_of(set().union(*pairs.values()))
    return [_entry(row, variants[row.id], pairs[row.id], links[row.id], known, now) for row in rows]


def _pairs(row: ListedRow, variants: Iterable[VariantRow]) -> set[tuple[str, str]]:
    found = terms.pairs(row.attributes)
    for variant in variants:
        found |= terms.pairs(variant.options, variant.attributes)
    return found


def _entry(
    row: ListedRow,
    variants: Iterable[VariantRow],
    pairs: set[tuple[str, str]],
    category_ids: list[int],
    known: Mapping[tuple[str, str], int],
    now: datetime,
) -> Entry:
    items: list[ListedRow | VariantRow] = [row, *variants]
    has_stock = any(item.stock_quantity > item.reserved_quantity for item in items)
    rating = terms.rating_facet(row.rating_average)
    facets = {terms.EVERY, *(known[pair] for pair in pairs if pair in known)}
    if has_stock:
        facets.add(terms.STOCKED)
    if rating is not None:
        facets.add(rating)
    if row.price is not None:
        facets.add(terms.band_facet(row.price))
    numbers = [
        *(terms.category_term(pk) for pk in category_ids),
        terms.IN_STOCK if has_stock else terms.SOLD_OUT,
        terms.sample_term(row.id),
        *(terms.attribute_term(*pair) for pair in pairs),
    ]
    is_counted, changes_at = _publication(row, now)
    return Entry(row.id, sorted(numbers), sorted(facets), is_counted, changes_at)


def _publication(row: ListedRow, now: datetime) -> tuple[bool, datetime | None]:
    """Whether a product is listed now, and when that changes."""
    if not row.is_active or row.price is None:
        return False, None
    if row.publish_from is not None and row.publish_from > now:
        return False, row.publish_from
    if row.publish_until is not None and row.publish_until <= now:
        return False, None
    return True, row.publish_until


def _write(old: Mapping[int, Entry], new: Mapping[int, Entry]) -> None:
    bulk.insert(ProductTerms, COLUMNS, [entry for pk, entry in new.items() if pk not in old])
    bulk.update(ProductTerms, COLUMNS, [entry for pk, entry in new.items() if pk in old and old[pk] != entry])


def _hide_links(old: Mapping[int, Entry], new: Mapping[int, Entry]) -> None:
    """Write ``is_hidden`` of the links of products that are hidden, or were. New links are not hidden."""
    hidden = [pk for pk, entry in new.items() if entry.is_hidden and old.get(pk) != entry]
    shown = [pk for pk, entry in new.items() if pk in old and old[pk].is_hidden and not entry.is_hidden]
    for ids, is_hidden in ((hidden, True), (shown, False)):
        if ids:
            links = ProductCategory.objects.filter(product__in=ids, is_hidden=not is_hidden)
            links.update(is_hidden=is_hidden)


def _changes(old: Entry | None, new: Entry | None) -> list[tuple[Sequence[int], Sequence[int], Sequence[int]]]:
    """One row of ``FacetChange``, or two if the categories changed: one for the old ones and one for the new ones."""
    before, after = (entry.counted if entry is not None else set() for entry in (old, new))
    above_before, above_after = (entry.categories if entry is not None else [] for entry in (old, new))
    if before and after and above_before != above_after:
        return [(above_before, [], sorted(before)), (above_after, sorted(after), [])]
    return [(above_after if after else above_before, sorted(after - before), sorted(before - after))]
