"""Writing a chunk of valid product rows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from shop_catalog import bulk, facets, inventory, money, product_changes, products, search, slugs, statistics
from shop_catalog.exceptions import DuplicateValue, InvalidProduct
from shop_catalog.imports.columns import PRODUCT_COLUMNS, ProductRow
from shop_catalog.imports.reports import Report, RowError
from shop_catalog.models import MovementKind, PriceChange, Product, ProductCategory, ProductKind, StockMovement

RATING_COLUMNS = ("rating_average", "rating_count")
COMPARED = (*PRODUCT_COLUMNS, "search_text", "is_scheduled")
WRITTEN = (*COMPARED, "updated_at")
INSERTED = ("sku", "kind", "parent", *WRITTEN, "stock_quantity", "reserved_quantity", *RATING_COLUMNS, "created_at")


@dataclass
class _Entry:
    """A valid row and the product to write."""

    number: int
    row: ProductRow
    product: Product
    category_ids: list[int] | None
    old_values: list[Any] | None
    old_figures: statistics.Figures
    is_relinked: bool = False

    @property
    def is_new(self) -> bool:
        return self.old_values is None

    @property
    def old_price(self) -> Decimal | None:
        """The stored price of an existing product."""
        return None if self.old_values is None else self.old_values[COMPARED.index("price")]

    @property
    def text_change(self) -> search.upkeep.TextChange:
        old = "" if self.old_values is None else self.old_values[COMPARED.index("search_text")]
        is_variant = self.product.kind == ProductKind.VARIANT
        return search.upkeep.TextChange(self.product.pk, old, self.product.search_text, is_variant)

    @property
    def is_changed(self) -> bool:
        return self.old_values != _values(self.product, COMPARED)


class Batch:
    """Rows that are written together. The number of statements does not depend on the number of rows."""

    def __init__(
        self,
        parsed: list[tuple[int, ProductRow]],
        lookup: Mapping[str, int],
        report: Report,
        *,
        by: AbstractBaseUser | None,
    ) -> None:
        self.parsed = parsed
        self.lookup = lookup
        self.report = report
        self.by_id = None if by is None else by.pk
        self.now = timezone.now()
        self.existing: dict[str, Product] = {}
        self.stored: dict[str, list[Any]] = {}
        self.entries: list[_Entry] = []

    def write(self) -> None:
        self._lock()
        taken = self._slugs_in_use()
        for number, row in self.parsed:
            try:
                self.entries.append(self._prepare(number, row, taken))
            except (DuplicateValue, InvalidProduct) as error:
                self._restore(row.sku)
                self.report.add(RowError(number, row.sku, error.field or "", error.code, str(error)))
        if not self.entries:
            return
        listed = {entry.product.listed.sku: entry.product.listed for entry in self.entries}
        groups = [product for product in listed.values() if product.kind == ProductKind.GROUP]
        simple = [entry for entry in self.entries if entry.product.kind == ProductKind.SIMPLE]
        before = statistics.contributions(group.pk for group in groups if group.pk is not None)
        before |= {entry.product.pk: entry.old_figures for entry in simple if not entry.is_new}
        self._write_products()
        search.record(entry.text_change for entry in self.entries if entry.product.kind != ProductKind.GROUP)
        self._write_prices()
        moved = self._write_links()
        products.refresh_groups(groups)
        product_changes.record(
            entry.product.listed for entry in self.entries if entry.is_changed or entry.product.pk in moved
        )
        after = statistics.contributions(group.pk for group in groups)
        after |= {entry.product.pk: statistics.contribution(entry.product) for entry in simple}
        nothing = statistics.Figures()
        statistics.record_many((pk, figures.minus(before.get(pk, nothing))) for pk, figures in after.items())
        facets.refresh(self._changed_listed())

    def _changed_listed(self) -> set[int]:
        """The listed products whose facets may have changed. A change of stock is not included: see ``inventory``."""
        changed = [entry for entry in self.entries if entry.is_new or entry.is_changed or entry.is_relinked]
        return {entry.product.listed.pk for entry in changed}

    def _lock(self) -> None:
        """Lock the existing products of these SKUs and their groups, in primary-key order."""
        skus = {row.sku for _number, row in self.parsed} | {row.parent for _number, row in self.parsed if row.parent}
        groups = Product.objects.filter(sku__in=skus, parent__isnull=False).values("parent")
        rows = Product.objects.select_for_update().order_by("pk")
        found = list(rows.filter(sku__in=skus)) + list(
            rows.filter(pk__in=list(groups.values_list("parent", flat=True)))
        )
        by_pk = {product.pk: product for product in found}
        for product in by_pk.values():
            if product.parent_id is not None:
                product.parent = by_pk[product.parent_id]
        self.existing = {product.sku: product for product in by_pk.values()}

    def _restore(self, sku: str) -> None:
        """Restore the values of a refused row's product, which may be the group of other rows."""
        for name, value in zip(COMPARED, self.stored.get(sku, ()), strict=False):
            setattr(self.existing[sku], name, value)

    def _slugs_in_use(self) -> set[str]:
        wanted = set()
        for _number, row in self.parsed:
            if row.slug:
                wanted.add(row.slug)
            elif row.sku not in self.existing:
                wanted.update(_slug_choices(row))
        return set(Product.objects.filter(slug__in=wanted).values_list("slug", flat=True))

    def _prepare(self, number: int, row: ProductRow, taken: set[str]) -> _Entry:
        """The product with the values of the row.

        Raises:
            InvalidProduct: the values do not fit together, or do not fit the stored product.
        """
        given = row.model_fields_set
        product = self.existing.get(row.sku)
        is_new = product is None
        old_values, old_figures = None, statistics.Figures()
        if product is None:
            product = self._new_product(row)
        else:
            old_values = self.stored[row.sku] = _values(product, COMPARED)
            if product.kind == ProductKind.SIMPLE:
                old_figures = statistics.contribution(product)
        if not is_new and row.kind is not None and row.kind != product.kind:
            raise InvalidProduct(_("The product already exists with another kind."), field="kind")
        products.check_kind(product, has_price=row.price is not None, has_categories=bool(row.categories))
        self._check_slug(product, row, taken)
        slug = product.slug if "slug" not in given else row.slug
        for name in given.intersection(PRODUCT_COLUMNS):
            value = getattr(row, name)
            if name != "price" or value is not None:
                setattr(product, name, value)
        product.slug = slug
        self._check_amounts(product, row)
        product.is_scheduled = products.is_scheduled(product, at=self.now)
        if product.kind != ProductKind.GROUP:
            product.search_text = search.searchable_text(product)
        category_ids = self._categories(row) if "categories" in given else None
        return _Entry(number, row, product, category_ids, old_values, old_figures)

    def _new_product(self, row: ProductRow) -> Product:
        parent = self.existing.get(row.parent) if row.parent else None
        if row.parent and parent is None:
            raise InvalidProduct(_("There is no group %(sku)s.") % {"sku": row.parent}, field="parent")
        name = row.name or (parent.name if parent is not None else "")
        if not name:
            raise InvalidProduct(_("The name is missing."), field="name")
        kind = row.kind or (ProductKind.VARIANT if parent is not None else ProductKind.SIMPLE)
        tax_class = row.tax_class if parent is None else parent.tax_class
        return Product(sku=row.sku, kind=kind, parent=parent, name=name, tax_class=tax_class)

    def _check_slug(self, product: Product, row: ProductRow, taken: set[str]) -> None:
        if row.slug:
            if row.slug != product.slug:
                slugs.refuse_reserved(Product, row.slug)
            if row.slug in taken and row.slug != product.slug:
                raise InvalidProduct(_("The slug is already used by another product."), field="slug")
            product.slug = row.slug
        elif not product.slug:
            choices = _slug_choices(row) or ["item"]
            free = next((choice for choice in choices if choice not in taken), "")
            product.slug = free or f"{choices[0][:80]}-{uuid.uuid4().hex[:8]}"
        taken.add(product.slug)

    def _check_amounts(self, product: Product, row: ProductRow) -> None:
        products.check_priced(product)
        if product.price is not None:
            money.check(product.price)
        if product.compare_at_price is not None:
            money.check(product.compare_at_price, field="compare_at_price")
        if product.publish_from and product.publish_until and product.publish_from >= product.publish_until:
            raise InvalidProduct(_("The publication must end after it begins."), field="publish_until")
        if row.stock_quantity is not None:
            if product.kind == ProductKind.GROUP:
                message = _("A group has no stock of its own. Set the stock of its variants.")
                raise InvalidProduct(message, field="stock_quantity")
            if row.stock_quantity < product.reserved_quantity:
                message = _("Stock cannot be lower than the %(reserved)s units reserved.")
                raise InvalidProduct(message % {"reserved": product.reserved_quantity}, field="stock_quantity")

    def _categories(self, row: ProductRow) -> list[int]:
        unknown = [name for name in row.categories if name not in self.lookup]
        if unknown:
            raise InvalidProduct(_("There is no category %(name)s.") % {"name": unknown[0]}, field="categories")
        return list(dict.fromkeys(self.lookup[name] for name in row.categories))

    def _write_products(self) -> None:
        new = [entry for entry in self.entries if entry.is_new]
        old = [entry for entry in self.entries if not entry.is_new]
        for entry in self.entries:
            entry.product.updated_at = self.now
        for entry in new:
            entry.product.stock_quantity = entry.row.stock_quantity or 0
        self._insert([entry.product for entry in new])
        changed = (_values(entry.product, ("id", *WRITTEN)) for entry in old if entry.is_changed)
        bulk.update(Product, ("id", *WRITTEN), changed)
        self.report.created += len(new)
        self.report.updated += len(old)
        self._write_stock(new, old)

    def _insert(self, new: list[Product]) -> None:
        keys = bulk.take_keys(Product, len(new))
        for product, key in zip(new, keys, strict=bool(keys)):
            product.pk = key
        names = ("id", *INSERTED) if keys else INSERTED
        bulk.insert(Product, names, (_values(product, names) for product in new))
        if not keys:
            keys_by_sku = dict(
                Product.objects.filter(sku__in=[product.sku for product in new]).values_list("sku", "pk")
            )
            for product in new:
                product.pk = keys_by_sku[product.sku]

    def _write_stock(self, new: list[_Entry], old: list[_Entry]) -> None:
        """Record the stock of new products as received, and that of existing products as counted."""
        reason, reference = _("Import"), f"import-{uuid.uuid4().hex}"
        received = [(entry, quantity, uuid.uuid4()) for entry in new if (quantity := entry.product.stock_quantity)]
        crossings = {
            event_id: str(inventory.crossing_of(0, quantity, threshold=entry.product.low_stock_threshold))
            for entry, quantity, event_id in received
        }
        bulk.insert(
            StockMovement,
            (
                "product",
                "kind",
                "stock_change",
                "reserved_change",
                "reference",
                "reason",
                "created_at",
                "created_by",
                "event_id",
                "crossing",
            ),
            (
                (
                    entry.product.pk,
                    MovementKind.RECEIVE,
                    quantity,
                    0,
                    reference,
                    reason,
                    self.now,
                    self.by_id,
                    event_id,
                    crossings[event_id],
                )
                for entry, quantity, event_id in received
            ),
        )
        inventory.announce_on_commit(crossings, kind=MovementKind.RECEIVE, reference=reference)
        counted = {
            entry.product.sku: entry.row.stock_quantity
            for entry in old
            if entry.row.stock_quantity is not None and entry.row.stock_quantity != entry.product.stock_quantity
        }
        if counted:
            inventory.count(counted, reason=reason, reference=reference)

    def _write_prices(self) -> None:
        bulk.insert(
            PriceChange,
            ("product", "event_id", "old_price", "new_price", "changed_at", "changed_by"),
            (
                (entry.product.pk, uuid.uuid4(), entry.old_price, entry.product.price, self.now, self.by_id)
                for entry in self.entries
                if not entry.is_new
                and entry.old_price != entry.product.price
                and entry.product.kind != ProductKind.GROUP
            ),
        )

    def _write_links(self) -> set[int]:
        """Returns the keys of the products whose categories changed."""
        wanted = {entry.product.pk: entry.category_ids for entry in self.entries if entry.category_ids is not None}
        existing = {entry.product.pk for entry in self.entries if not entry.is_new}.intersection(wanted)
        old: dict[int, list[int]] = {pk: [] for pk in wanted}
        links = ProductCategory.objects.filter(product__in=existing).order_by("position", "pk")
        for product_id, category_id in links.values_list("product_id", "category_id"):
            old[product_id].append(category_id)
        changed = {pk: ids for pk, ids in wanted.items() if ids != old[pk]}
        listed_at = {entry.product.pk: entry.product.created_at for entry in self.entries}
        moved = existing.intersection(changed)
        for entry in self.entries:
            entry.is_relinked = entry.product.pk in changed
        if moved:
            ProductCategory.objects.filter(product__in=moved).delete()
            left_or_entered = {category_id for pk in moved for category_id in {*old[pk]} ^ {*changed[pk]}}
            statistics.recount(statistics.ancestors_of(left_or_entered))
        bulk.insert(
            ProductCategory,
            ("product", "category", "position", "listed_at"),
            (
                (pk, category_id, place, listed_at[pk])
                for pk, ids in changed.items()
                for place, category_id in enumerate(ids)
            ),
        )
        return set(changed)


def _values(product: Product, names: Sequence[str]) -> list[Any]:
    return [product.parent_id if name == "parent" else getattr(product, name) for name in names]


def _slug_choices(row: ProductRow) -> list[str]:
    """Slugs for a new product, the best first."""
    end = slugs.unreserved(Product, slugify(row.sku))
    stem = slugs.unreserved(Product, slugify(row.name))
    return [choice[:100] for choice in (stem, f"{stem[: 100 - len(end) - 1]}-{end}" if stem else end) if choice]
