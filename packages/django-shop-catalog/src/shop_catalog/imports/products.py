"""Products from a file: validated row by row, written in chunks, matched by SKU."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction
from pydantic import TypeAdapter, ValidationError
from shop_core.db.transactions import in_transaction

from shop_catalog import bulk, signals
from shop_catalog.imports.batches import Batch
from shop_catalog.imports.columns import ProductRow
from shop_catalog.imports.reports import Report, RowError
from shop_catalog.imports.row_readers import RawRow
from shop_catalog.models import Category, Product, ProductCategory, ProductTerms, StatisticsChange
from shop_catalog.types import explain

CHUNK = 1000

OnError = Literal["stop", "report"]

_ROW = TypeAdapter(ProductRow)


def import_products(
    rows: Iterable[RawRow],
    *,
    on_error: OnError = "report",
    dry_run: bool = False,
    by: AbstractBaseUser | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Create and update products by SKU. If a SKU is repeated, the later row changes the product again.

    ``on_error="stop"`` writes all rows or none; ``"report"`` writes the valid ones, a chunk at a time. A dry run
    writes nothing. ``progress`` is called with the number of rows processed. Sends ``products_imported`` after
    commit.
    """
    report, using = Report(), router.db_for_write(Product)
    if on_error == "stop" or dry_run:
        with transaction.atomic(
            using=using
        ):  # not in_transaction, which would repeat it: the rows can be read only once
            _import(rows, report, by=by, progress=progress)
            if dry_run or report.failed:
                report.is_written = False
                transaction.set_rollback(True, using=using)
    else:
        _import(rows, report, by=by, progress=progress)
    report.errors.sort(key=lambda error: error.row)
    if report.is_written and (report.created or report.updated):
        transaction.on_commit(lambda: _announce(report), using=using, robust=True)
    return report


def _import(
    rows: Iterable[RawRow],
    report: Report,
    *,
    by: AbstractBaseUser | None,
    progress: Callable[[int], None] | None,
) -> None:
    lookup = _category_lookup()
    for chunk in _chunks(rows):
        parsed = [pair for raw in chunk if (pair := _parse(raw, report)) is not None]
        report.merge(_write_chunk(parsed, lookup, by=by))
        report.rows += len(chunk)
        if progress is not None:
            progress(report.rows)
    if report.rows >= CHUNK:
        bulk.analyse(Product, ProductCategory, ProductTerms, StatisticsChange)


def _chunks(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Chunks without repeated SKUs: if a SKU is repeated, the earlier row is written before the later one is read."""
    source = iter(rows)
    while block := list(islice(source, CHUNK)):
        seen: set[Any] = set()
        chunk: list[RawRow] = []
        for raw in block:
            sku = str(raw.values.get("sku"))
            if sku in seen:
                yield chunk
                seen, chunk = set(), []
            seen.add(sku)
            chunk.append(raw)
        yield chunk


def _parse(raw: RawRow, report: Report) -> tuple[int, ProductRow] | None:
    sku = str(raw.values.get("sku", ""))[:64]
    if raw.problem:
        report.add(RowError(raw.number, sku, "", "unreadable", raw.problem))
        return None
    try:
        return raw.number, _ROW.validate_python(raw.values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        column = ".".join(str(part) for part in first["loc"])
        report.add(RowError(raw.number, sku, column, first["type"], explain(first["msg"])))
        return None


def _category_lookup() -> dict[str, int]:
    """``{slug or path: id}`` of all categories. An example of a path: ``"Animals > Birds"``."""
    by_id: dict[int, str] = {}
    lookup: dict[str, int] = {}
    for pk, parent_id, slug, name in Category.objects.values_list("pk", "parent_id", "slug", "name"):
        by_id[pk] = f"{by_id[parent_id]} > {name}" if parent_id in by_id else name
        lookup[by_id[pk]] = pk
        lookup[slug] = pk
    return lookup


@in_transaction(Product)
def _write_chunk(
    parsed: list[tuple[int, ProductRow]], lookup: Mapping[str, int], *, by: AbstractBaseUser | None
) -> Report:
    """Write groups and simple products first, so that variants can find their group."""
    report = Report()
    first = [pair for pair in parsed if not _is_variant(pair[1])]
    then = [pair for pair in parsed if _is_variant(pair[1])]
    for part in (first, then):
        if part:
            Batch(part, lookup, report, by=by).write()
    return report


def _is_variant(row: ProductRow) -> bool:
    return row.kind == "variant" or row.parent is not None


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
