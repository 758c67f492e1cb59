"""Writing a chunk of product rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _

from shop_catalog import bulk, facets, images, inventory, product_changes, products, search, statistics
from shop_catalog.imports.category_index import CategoryIndex
from shop_catalog.imports.columns import ProductRow
from shop_catalog.imports.preparing import COMPARED, Entry, Preparation, values_of
from shop_catalog.imports.queries import Staged, Store
from shop_catalog.models import MovementKind, PriceChange, Product, ProductCategory, ProductKind, StockMovement

RATING_COLUMNS = ("rating_average", "rating_count")
WRITTEN = (*COMPARED, "updated_at")
INSERTED = ("sku", "kind", *WRITTEN, "stock_quantity", "reserved_quantity", *RATING_COLUMNS, "created_at")


class Batch:
    """Rows that are written together. The number of statements does not depend on the number of rows."""

    def __init__(
        self,
        rows: Sequence[tuple[Staged, ProductRow]],
        store: Store,
        categories: CategoryIndex,
        *,
        by: AbstractBaseUser | None,
        import_id: uuid.UUID,
    ) -> None:
        self.preparation = Preparation(rows, store, categories, locks=True)
        self.by_id = None if by is None else by.pk
        self.import_id = import_id
        self.now = self.preparation.now
        self.entries: list[Entry] = []
        self.created = self.updated = self.pictures = 0

    def write(self) -> None:
        """Write the rows that have no fault; the others are in ``preparation.refused``."""
        self.preparation.prepare()
        self.entries = self.preparation.entries
        if not self.entries:
            return
        listed = {entry.product.listed.sku: entry.product.listed for entry in self.entries if entry.is_changed}
        listed |= {entry.old_group.sku: entry.old_group for entry in self.entries if entry.old_group is not None}
        groups = [product for product in listed.values() if product.kind == ProductKind.GROUP]
        simple = [entry for entry in self.entries if entry.product.kind == ProductKind.SIMPLE]
        before = statistics.contributions(group.pk for group in groups if group.pk is not None)
        before |= {entry.product.pk: entry.old_figures for entry in simple if not entry.is_new}
        self._write_products()
        search.record(entry.text_change for entry in self.entries if entry.product.kind != ProductKind.GROUP)
        self._write_prices()
        relinked = self._write_links()
        products.refresh_groups(groups)
        changed = self._changed_listed(relinked)
        product_changes.record(changed)
        after = statistics.contributions(group.pk for group in groups)
        after |= {entry.product.pk: statistics.contribution(entry.product) for entry in simple}
        nothing = statistics.Figures()
        statistics.record_many((pk, figures.minus(before.get(pk, nothing))) for pk, figures in after.items())
        facets.refresh({product.pk for product in changed})
        self._request_pictures()

    def _changed_listed(self, relinked: set[int]) -> list[Product]:
        """The listed products that changed. A change of stock is not included: see ``inventory``."""
        changed = [entry for entry in self.entries if entry.is_changed or entry.product.pk in relinked]
        left = [entry.old_group for entry in self.entries if entry.old_group is not None]
        return [*(entry.product.listed for entry in changed), *left]

    def _request_pictures(self) -> None:
        wanted = [
            images.WantedImage(entry.product.pk, picture.address, place, picture.alt)
            for entry in self.entries
            for place, picture in enumerate(entry.staged.pictures)
        ]
        self.pictures = images.request_fetches(wanted, import_id=self.import_id) if wanted else 0

    def _write_products(self) -> None:
        new = [entry for entry in self.entries if entry.is_new]
        old = [entry for entry in self.entries if not entry.is_new]
        for entry in self.entries:
            entry.product.updated_at = self.now
        for entry in new:
            entry.product.stock_quantity = entry.row.stock_quantity or 0
        self._insert([entry.product for entry in new])
        changed = (values_of(entry.product, ("id", *WRITTEN)) for entry in old if entry.is_changed)
        bulk.update(Product, ("id", *WRITTEN), changed)
        self.created, self.updated = len(new), len(old)
        self._write_stock(new, old)

    def _insert(self, new: list[Product]) -> None:
        keys = bulk.take_keys(Product, len(new))
        for product, key in zip(new, keys, strict=bool(keys)):
            product.pk = key
        names = ("id", *INSERTED) if keys else INSERTED
        bulk.insert(Product, names, (values_of(product, names) for product in new))
        if not keys:
            keys_by_sku = dict(
                Product.objects.filter(sku__in=[product.sku for product in new]).values_list("sku", "pk")
            )
            for product in new:
                product.pk = keys_by_sku[product.sku]

    def _write_stock(self, new: list[Entry], old: list[Entry]) -> None:
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
