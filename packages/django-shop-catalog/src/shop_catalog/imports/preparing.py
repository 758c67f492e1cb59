"""Compares the rows of an import with the catalogue, and finds every fault of every row. Writes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog import money, products, search, statistics
from shop_catalog.exceptions import DuplicateValue, InvalidProduct
from shop_catalog.imports.category_index import CategoryIndex
from shop_catalog.imports.columns import PRODUCT_COLUMNS, ProductRow
from shop_catalog.imports.queries import Staged, Store
from shop_catalog.imports.rows import Fault
from shop_catalog.imports.understanding.cells import bare
from shop_catalog.models import Product, ProductKind
from shop_catalog.slugs import refuse_reserved, slug_of, unreserved

COMPARED = (*PRODUCT_COLUMNS, "parent", "search_text", "is_scheduled")


@dataclass
class Entry:
    """A row without faults, and the product to write."""

    staged: Staged
    row: ProductRow
    product: Product
    category_ids: list[int] | None
    old_values: list[Any] | None
    old_figures: statistics.Figures
    old_group: Product | None = None

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
        return self.old_values != values_of(self.product, COMPARED)


@dataclass
class Faults:
    """The faults of one row. Fields that could not be read have theirs already, and get no more."""

    bad_fields: Sequence[str]
    found: list[Fault] = field(default_factory=list)

    def check(self, function: Callable[[], Any]) -> Any:
        """Call a function, and keep the fault that it raises."""
        try:
            return function()
        except (DuplicateValue, InvalidProduct) as error:
            if error.field not in self.bad_fields:
                self.found.append(Fault(error.field or "", error.code, str(error)))
            return None

    def add(self, name: str, reason: str) -> None:
        if name not in self.bad_fields:
            self.found.append(Fault(name, InvalidProduct.code, reason))


class Preparation:
    """The products of some rows with their new values.

    ``locks=True`` is for writing: it locks those that exist, and their groups, and computes derived values. Without it
    the rows are only checked, and groups that the same file creates count as existing.
    """

    def __init__(
        self,
        rows: Sequence[tuple[Staged, ProductRow]],
        store: Store,
        categories: CategoryIndex,
        *,
        locks: bool,
    ) -> None:
        self.rows = rows
        self.store = store
        self.categories = categories
        self.locks = locks
        self.now = timezone.now()
        self.existing: dict[str, Product] = {}
        self.entries: list[Entry] = []
        self.refused: list[tuple[Staged, list[Fault]]] = []

    def prepare(self) -> None:
        """Sort the rows into ``entries`` and ``refused``. Called again, it begins again."""
        self.entries, self.refused = [], []
        self.existing = self._read()
        planned = self._planned_groups()
        taken, given = self._slugs()
        for staged, row in self.rows:
            faults = Faults(staged.bad_fields)
            entry = self._prepare(staged, row, planned, taken, given, faults)
            if faults.found or entry is None:
                self._restore(row.sku, entry)
                self.refused.append((staged, faults.found))
            elif not staged.bad_fields:
                self.entries.append(entry)

    def _read(self) -> dict[str, Product]:
        """The existing products of these SKUs with their groups, in the order of their keys."""
        skus = {row.sku for _staged, row in self.rows} | {row.parent for _staged, row in self.rows if row.parent}
        groups = Product.objects.filter(sku__in=skus, parent__isnull=False).values_list("parent", flat=True)
        rows = Product.objects.order_by("pk")
        if self.locks:
            rows = rows.select_for_update()
        found = list(rows.filter(sku__in=skus)) + list(rows.filter(pk__in=list(groups)))
        by_pk = {product.pk: product for product in found}
        for product in by_pk.values():
            if product.parent_id is not None:
                product.parent = by_pk[product.parent_id]
        return {product.sku: product for product in by_pk.values()}

    def _planned_groups(self) -> dict[str, Product]:
        """Groups that the same file creates, and that the catalogue does not have yet."""
        if self.locks:
            return {}
        wanted = {row.parent for _staged, row in self.rows if row.parent and row.parent not in self.existing}
        return {sku: _planned(staged) for sku, staged in self.store.products(wanted).items()}

    def _slugs(self) -> tuple[set[str], dict[str, str]]:
        """The slugs that products have, and the ``{slug: sku}`` that rows of the file give."""
        wanted = set()
        for _staged, row in self.rows:
            if row.slug:
                wanted.add(row.slug)
            elif self.locks and row.sku not in self.existing:
                wanted.update(_slug_choices(row))
        taken = set(Product.objects.filter(slug__in=wanted).values_list("slug", flat=True))
        return taken, self.store.given_slugs(wanted)

    def _prepare(
        self,
        staged: Staged,
        row: ProductRow,
        planned: Mapping[str, Product],
        taken: set[str],
        given: Mapping[str, str],
        faults: Faults,
    ) -> Entry | None:
        product = self.existing.get(row.sku)
        old_values, old_figures, old_group = None, statistics.Figures(), None
        parent = self._parent(row, planned, faults)
        if product is None:
            product = self._new_product(row, parent, faults)
        else:
            old_values = values_of(product, COMPARED)
            if self.locks and product.kind == ProductKind.SIMPLE:
                old_figures = statistics.contribution(product)
            if row.kind is not None and row.kind != product.kind:
                faults.add("kind", _("The product already exists with another kind."))
            if parent is not None and product.kind == ProductKind.VARIANT and parent.sku != _sku_of_group(product):
                old_group, product.parent = product.parent, parent
            elif parent is not None and product.kind != ProductKind.VARIANT:
                faults.add("parent", _("Only a variant has a parent."))
        entry = Entry(staged, row, product, None, old_values, old_figures, old_group)
        _check_kind(product, row, faults)
        self._choose_slug(product, row, taken, given, faults)
        slug = product.slug
        for name in row.model_fields_set.intersection(PRODUCT_COLUMNS):
            value = getattr(row, name)
            if (name != "price" or value is not None) and not _is_stripped(value, getattr(product, name)):
                setattr(product, name, value)
        product.slug = slug
        _check_amounts(product, row, faults)
        if self.locks:
            self._derive(product)
        if "categories" in row.model_fields_set:
            entry.category_ids = faults.check(lambda: self.categories.find(row.categories))
        return entry

    def _derive(self, product: Product) -> None:
        product.is_scheduled = products.is_scheduled(product, at=self.now)
        if product.kind != ProductKind.GROUP:
            product.search_text = search.searchable_text(product)

    def _parent(self, row: ProductRow, planned: Mapping[str, Product], faults: Faults) -> Product | None:
        if not row.parent:
            return None
        parent = self.existing.get(row.parent) or planned.get(row.parent)
        refused = self.store.refused([row.parent]) if parent is None or parent.pk is None else {}
        if row.parent in refused:
            message = _("The group %(sku)s in row %(row)d has errors.")
            faults.add("parent", message % {"sku": row.parent, "row": refused[row.parent]})
        elif parent is None:
            faults.add("parent", _("There is no group %(sku)s.") % {"sku": row.parent})
        return parent

    def _new_product(self, row: ProductRow, parent: Product | None, faults: Faults) -> Product:
        name = row.name or (parent.name if parent is not None else "")
        if not name and not row.parent:
            faults.add("name", _("The name is missing."))
        kind = row.kind or (ProductKind.VARIANT if row.parent else ProductKind.SIMPLE)
        tax_class = row.tax_class if parent is None else parent.tax_class
        return Product(sku=row.sku, kind=kind, parent=parent, name=name, tax_class=tax_class)

    def _choose_slug(
        self, product: Product, row: ProductRow, taken: set[str], given: Mapping[str, str], faults: Faults
    ) -> None:
        if row.slug:
            if row.slug != product.slug:
                faults.check(lambda: refuse_reserved(Product, row.slug))
            if row.slug != product.slug and (row.slug in taken or given.get(row.slug) != row.sku):
                faults.add("slug", _("The slug is already used by another product."))
            product.slug = row.slug
        elif self.locks and not product.slug:
            choices = _slug_choices(row)
            free = next((choice for choice in choices if choice not in taken and choice not in given), "")
            product.slug = free or f"{choices[0][:80]}-{uuid.uuid4().hex[:8]}"
        taken.add(product.slug)

    def _restore(self, sku: str, entry: Entry | None) -> None:
        """Restore the values of a refused row's product, which may be the group of other rows."""
        if entry is None or entry.old_values is None:
            return
        product = self.existing[sku]
        group = entry.old_group or product.parent
        for name, value in zip(COMPARED, entry.old_values, strict=True):
            if name != "parent":
                setattr(product, name, value)
        product.parent = group


def _is_stripped(value: Any, old: Any) -> bool:
    """Whether a text of a file is the stored one. A file is read without the blanks around texts."""
    return isinstance(value, str) and isinstance(old, str) and bare(old) == bare(value)


def _planned(staged: Staged) -> Product:
    values = staged.values
    kind = values.get("kind") or (ProductKind.VARIANT if staged.parent else ProductKind.SIMPLE)
    return Product(
        sku=staged.sku,
        kind=str(kind),
        name=str(values.get("name", "")),
        tax_class=str(values.get("tax_class", "standard")),
    )


def _sku_of_group(product: Product) -> str:
    return product.parent.sku if product.parent is not None else ""


def _check_kind(product: Product, row: ProductRow, faults: Faults) -> None:
    """Check kind and parent. If they fit, check that price and categories are possible for this kind."""
    if any(fault.field in ("parent", "kind") for fault in faults.found):
        return
    before = len(faults.found)
    faults.check(lambda: products.check_kind(product, has_price=False, has_categories=False))
    if len(faults.found) == before:
        faults.check(lambda: products.check_kind(product, has_price=row.price is not None, has_categories=False))
        faults.check(lambda: products.check_kind(product, has_price=False, has_categories=bool(row.categories)))


def _check_amounts(product: Product, row: ProductRow, faults: Faults) -> None:
    if not any(fault.field in ("price", "kind", "parent") for fault in faults.found):
        faults.check(lambda: products.check_priced(product))
    for name in ("price", "compare_at_price"):
        amount = getattr(product, name)
        if amount is not None:
            faults.check(lambda amount=amount, name=name: money.check(amount, field=name))  # type: ignore[misc]
    if product.publish_from and product.publish_until and product.publish_from >= product.publish_until:
        faults.add("publish_until", _("The publication must end after it begins."))
    if row.stock_quantity is None:
        return
    if product.kind == ProductKind.GROUP:
        faults.add("stock_quantity", _("A group has no stock of its own. Set the stock of its variants."))
    elif row.stock_quantity < product.reserved_quantity:
        message = _("Stock cannot be lower than the %(reserved)s units reserved.")
        faults.add("stock_quantity", message % {"reserved": product.reserved_quantity})


def values_of(product: Product, names: Sequence[str]) -> list[Any]:
    return [product.parent_id if name == "parent" else getattr(product, name) for name in names]


def _slug_choices(row: ProductRow) -> list[str]:
    """Slugs for a new product, the best first."""
    end = unreserved(Product, slug_of(row.sku)[:90])
    stem = unreserved(Product, slug_of(row.name))
    choices = [stem, f"{stem[: 100 - len(end) - 1]}-{end}" if stem else end, end]
    return [choice[:100] for choice in choices if choice.strip("-")] or ["item"]
