"""Products from rows: all of them are read and checked, and then those without faults are written by SKU.

The rows wait in a temporary store, so that memory stays flat and nothing is locked while a file is read and checked.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, router, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import TypeAdapter, ValidationError
from shop_core.db.transactions import connection_of, in_transaction

from shop_catalog import bulk, images, signals
from shop_catalog.exceptions import InvalidProduct
from shop_catalog.imports.batches import Batch
from shop_catalog.imports.categories import import_categories
from shop_catalog.imports.category_index import CategoryIndex
from shop_catalog.imports.columns import ProductRow
from shop_catalog.imports.preparing import Preparation
from shop_catalog.imports.queries import Staged, Store
from shop_catalog.imports.reports import MAX_ERRORS, Report, RowError
from shop_catalog.imports.rows import Fault, Picture, RawRow
from shop_catalog.models import Product, ProductCategory, ProductTerms, StatisticsChange
from shop_catalog.types import explain

CHUNK = 1000
AT_ONCE = 10_000
"""The most products that one transaction writes. See ``import_products``."""

MAX_SHOWN = 80

SENTENCES: Mapping[str, str | Promise] = {
    "bool_type": _("Write yes or no."),
    "decimal_max_places": _("The number has too many decimals."),
    "decimal_whole_digits": _("The number is too large."),
    "greater_than_equal": _("The number is too small."),
    "int_type": _("Write a whole number."),
    "less_than_equal": _("The number is too large."),
    "literal_error": _("Write simple, group or variant."),
    "missing": _("The value is missing."),
    "string_pattern_mismatch": _("A SKU has single blanks at most; a slug has letters, digits, - and _ only."),
    "string_too_long": _("The text is too long."),
    "string_too_short": _("The value is missing."),
}
"""The sentence for each type of error of ``ProductRow``."""

OnError = Literal["stop", "report"]
Progress = Callable[[str, int], None]
"""Called with ``"read"``, ``"checked"`` or ``"written"``, and the number of rows or products so far."""

_ROW = TypeAdapter(ProductRow)


def import_products(
    rows: Iterable[RawRow],
    *,
    on_error: OnError = "stop",
    dry_run: bool = False,
    creates_categories: bool = False,
    by: AbstractBaseUser | None = None,
    progress: Progress | None = None,
) -> Report:
    """Create and update products by SKU. If a SKU is repeated, the values of the later row count.

    All rows are read and checked before the first is written. ``on_error="stop"`` writes all or none; ``"report"``
    writes the rows without errors. A dry run writes nothing. Sends ``products_imported`` after commit.

    Up to ``AT_ONCE`` products are written in one transaction. More are written a chunk at a time, so that no product
    is locked for longer than a chunk takes. If the process ends, or the catalogue has changed since the check so that
    a row no longer fits, the chunks before it stay written. The report has the number of their products. The same
    file can be imported again.
    """
    with Store() as store:
        run = ImportRun(store, creates_categories=creates_categories, by=by, progress=progress)
        run.read(rows)
        return run.finish(on_error=on_error, dry_run=dry_run)


class ImportRun:
    """One import: ``read`` all rows, then ``finish``. The store keeps the rows and their faults until it is closed."""

    def __init__(
        self,
        store: Store,
        *,
        creates_categories: bool = False,
        by: AbstractBaseUser | None = None,
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.headers = headers or {}
        self.by = by
        self.creates_categories = creates_categories
        self.progress = progress or (lambda _step, _count: None)
        self.report = Report()

    def read(self, rows: Iterable[RawRow]) -> None:
        """Read all rows into the store, with the faults that can be found without the catalogue."""
        source = iter(rows)
        numbers = 0
        last = -1
        while chunk := list(islice(source, CHUNK)):
            for raw in chunk:
                numbers += raw.number != last
                last = raw.number
            self._stage(chunk)
            self.report.rows = numbers
            self.progress("read", numbers)
        self.store.resolve_aliases()

    def finish(self, *, on_error: OnError = "stop", dry_run: bool = False) -> Report:
        """Check the rows against the catalogue, and write them."""
        report, store = self.report, self.store
        categories = CategoryIndex(creates=self.creates_categories)
        self._check(categories)
        report.new_categories = categories.count_missing()
        report.failed = store.failed()
        if not dry_run and (on_error == "report" or not report.failed) and report.created + report.updated:
            self._write(categories, on_error)
        report.failed = store.failed()
        report.errors = [
            RowError(number, sku, fault.field, fault.code, fault.reason, fault.column, fault.value)
            for number, sku, fault in store.faults(MAX_ERRORS)
        ]
        if report.is_written:
            using = router.db_for_write(Product)
            transaction.on_commit(lambda: _announce(report), using=using, robust=True)
        return report

    def _stage(self, chunk: list[RawRow]) -> None:
        known = self.store.products(sku for raw in chunk if (sku := _sku(raw)))
        for raw in chunk:
            sku = _sku(raw)
            row, faults = _parse(raw)
            self.store.add_faults(raw.number, sku, map(self._with_header, faults))
            if row is None:
                continue
            values = {name: raw.values[name] for name in row.model_fields_set}
            sources: dict[str, Sequence[str]] = dict(raw.sources)
            pictures = list(raw.pictures)
            if (earlier := known.get(row.sku)) is not None:
                self.report.repeated += 1
                values = {**earlier.values, **values}
                sources = {**earlier.sources, **sources}
                pictures = pictures or list(earlier.pictures)
            bad = [fault.field for fault in faults]
            known[row.sku] = Staged(
                row.sku,
                raw.number,
                int(values.get("kind") == "variant" or bool(values.get("parent"))),
                str(values.get("parent") or ""),
                str(values.get("slug") or ""),
                raw.alias,
                values,
                sources,
                pictures,
                bad,
            )
        self.store.put(known.values())

    def _check(self, categories: CategoryIndex) -> None:
        checked = 0
        for chunk in self.store.chunks(CHUNK):
            preparation = Preparation(_parsed(chunk), self.store, categories, locks=False)
            preparation.prepare()
            self._refuse(preparation)
            for entry in preparation.entries:
                self.report.created += entry.is_new
                self.report.updated += not entry.is_new
                self.report.pictures += len(entry.staged.pictures)
            checked += len(chunk)
            self.progress("checked", checked)

    def _write(self, categories: CategoryIndex, on_error: OnError) -> None:
        report, using = self.report, router.db_for_write(Product)
        planned = (report.created, report.updated)
        report.created = report.updated = report.pictures = 0
        if on_error == "stop" and sum(planned) <= AT_ONCE:
            with transaction.atomic(using=using):  # not in_transaction: it would repeat all chunks
                self._lock()
                self._write_chunks(categories, on_error)
                if self.store.failed():
                    report.created, report.updated = planned
                    report.is_written = False
                    transaction.set_rollback(True, using=using)
        else:
            self._write_chunks(categories, on_error)
        if sum(planned) >= CHUNK:
            bulk.analyse(Product, ProductCategory, ProductTerms, StatisticsChange)

    def _lock(self) -> None:
        """Lock all products of the import that exist, and their groups, in the order of their keys.

        Otherwise each chunk would lock its own products. With several chunks in one transaction, the order of the keys
        would be lost, and another transaction could cause a deadlock.
        """
        if connection_of(Product).features.has_select_for_update:
            named = Product.objects.filter(sku__in=self.store.skus()).values_list("pk", "parent")
            keys = {key for pair in named for key in pair if key is not None}
            list(Product.objects.filter(pk__in=keys).order_by("pk").select_for_update().values_list("pk", flat=True))

    def _write_chunks(self, categories: CategoryIndex, on_error: OnError) -> None:
        if categories.missing:
            import_categories(categories.missing)
            categories = CategoryIndex(creates=True)
        for chunk in self.store.chunks(CHUNK, only_good=True):
            batch = self._write_one(chunk, categories)
            self._refuse(batch.preparation)
            self.report.created += batch.created
            self.report.updated += batch.updated
            self.report.pictures += batch.pictures
            self.report.is_written |= bool(batch.created or batch.updated)
            self.progress("written", self.report.created + self.report.updated)
            if on_error == "stop" and batch.preparation.refused:
                return

    def _write_one(self, chunk: list[Staged], categories: CategoryIndex) -> Batch:
        """Write a chunk. If another process took a SKU or a slug at the same time, prepare and write it again."""
        try:
            return self._write_batch(chunk, categories)
        except IntegrityError:
            return self._write_batch(chunk, categories)

    def _write_batch(self, chunk: list[Staged], categories: CategoryIndex) -> Batch:
        batch = Batch(_parsed(chunk), self.store, categories, by=self.by, import_id=self.report.import_id)
        in_transaction(Product)(batch.write)()
        return batch

    def _refuse(self, preparation: Preparation) -> None:
        """Record the faults of refused rows, each with the column and the value of the file."""
        for staged, faults in preparation.refused:
            self.store.add_faults(
                staged.number,
                staged.sku,
                (
                    self._with_header(fault._replace(**_source(staged.sources, staged.values, fault.field)))
                    for fault in faults
                ),
            )

    def _with_header(self, fault: Fault) -> Fault:
        """A fault of an empty cell, by the header of the file instead of the catalogue's name."""
        return fault if fault.value else fault._replace(column=self.headers.get(fault.column, fault.column))


def _sku(raw: RawRow) -> str:
    return str(raw.values.get("sku", "")).strip()[:MAX_SHOWN]


def _parsed(chunk: Iterable[Staged]) -> list[tuple[Staged, ProductRow]]:
    return [
        (staged, _ROW.validate_python({**staged.values, **({"parent": staged.parent} if staged.parent else {})}))
        for staged in chunk
    ]


def _parse(raw: RawRow) -> tuple[ProductRow | None, list[Fault]]:
    """The values of a row that are valid, if they name a product, and the faults of the others."""
    if raw.problem:
        return None, [Fault("", "unreadable", raw.problem)]
    faults = [*map(_named, raw.faults), *_picture_faults(raw.pictures)]
    try:
        return _ROW.validate_python(raw.values), faults
    except ValidationError as error:
        bad = set()
        for found in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in found["loc"])
            bad.add(str(found["loc"][0]) if found["loc"] else "")
            if found["type"] == "missing" and any(fault.field == name for fault in faults):
                continue  # it is there, and cannot be read
            place = _source(raw.sources, raw.values, name.partition(".")[0])
            reason = str(SENTENCES.get(found["type"]) or explain(found["msg"]))
            faults.append(Fault(name, found["type"], reason, **place))
    try:
        return _ROW.validate_python({name: value for name, value in raw.values.items() if name not in bad}), faults
    except ValidationError:
        return None, faults


def _picture_faults(pictures: Iterable[Picture]) -> Iterator[Fault]:
    for picture in pictures:
        try:
            images.check_address(picture.address)
        except InvalidProduct as error:
            yield Fault(error.field, error.code, str(error), "", picture.address[:MAX_SHOWN])


def _named(fault: Fault) -> Fault:
    """The fault with the name of the catalogue's field: ``attributes`` for ``attributes.colour``."""
    return fault._replace(field=fault.field.partition(".")[0])


def _source(sources: Any, values: Any, name: str) -> dict[str, str]:
    """The column and the value of a field as in the file."""
    if name in sources:
        column, value = sources[name]
        return {"column": column, "value": value}
    value = values.get(name)
    return {"column": name, "value": "" if value is None else str(value)[:MAX_SHOWN]}


def _announce(report: Report) -> None:
    payload = {
        "version": 1,
        "created": report.created,
        "updated": report.updated,
        "failed": report.failed,
        "notify": True,
        "recipients": {},
    }
    signals.products_imported.send_robust(sender=Product, payload=payload, event_id=str(uuid.uuid4()))
