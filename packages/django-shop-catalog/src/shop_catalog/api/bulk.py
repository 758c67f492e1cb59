"""Create and update many products in one upload: JSON, CSV or a spreadsheet, as raw body or as a form."""

import io
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Schema
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import Field
from shop_core.api.problems import responses

from shop_catalog import imports
from shop_catalog.api import auth
from shop_catalog.api.routers import router
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import FileTooLarge, UnreadableFile
from shop_catalog.imports import (
    CSV,
    FORMAT_BY_SUFFIX,
    JSON_ARRAY,
    JSON_LINES,
    ODS,
    XLSX,
    Choices,
    ImportFile,
    LimitedReader,
    Table,
    describe,
)
from shop_catalog.imports.files import rows_of, table_of
from shop_catalog.imports.tables import PREVIEW_ROWS

FORMAT_BY_TYPE = {
    "application/json": JSON_ARRAY,
    "application/x-ndjson": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "text/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": XLSX,
    "application/vnd.oasis.opendocument.spreadsheet": ODS,
}
MULTIPART_SLACK = 64 * 1024

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"}
            },
            "application/vnd.oasis.opendocument.spreadsheet": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


class RowProblem(Schema):
    row: int = Field(
        description="As the spreadsheet numbers it: the header is row 1. In JSON: the line, or the place in the array."
    )
    sku: str
    field: str
    code: str
    reason: str
    column: str = Field(description="The column's header in the file.")
    value: str = Field(description="The value in the file, shortened.")


class BulkReport(Schema):
    rows: int
    created: int
    updated: int
    failed: int = Field(description="Rows with errors.")
    written: int = Field(description="Products that were written.")
    repeated: int = Field(description="Rows whose SKU is in a later row too.")
    pictures: int = Field(description="Pictures that the file names by their address.")
    new_categories: int = Field(description="Categories that were missing, and that the import adds.")
    is_written: bool = Field(description="False after a dry run, and after an error with on_error=stop.")
    errors: list[RowProblem] = Field(description="The first 1000. A row may have several.")
    understood: str = Field(description="How the file was read, in one sentence; empty for JSON.")
    corrections: str = Field(description="With corrections=true: the rows with errors, as a file to correct.")


class FileOptions(Schema):
    encoding: str = Field("", max_length=40, description="Such as utf-8 or windows-1252. Default: found.")
    delimiter: Literal["", ",", ";", "\t", "|"] = Field("", description="Default: found.")
    sheet: str = Field("", max_length=100, description="Default: the first visible sheet with products.")
    header_row: int = Field(0, ge=0, le=100, description="The row that names the columns. Default: found.")
    map: str = Field(
        "", max_length=100, description="shopify, woocommerce, own, or a map of this shop. Default: found."
    )
    decimal: Literal["", ",", "."] = Field("", description="The decimal sign of all numbers. Default: by column.")
    date_order: Literal["", "day", "month"] = Field("", description="Which comes first in 01/02/2026.")
    column: list[str] = Field(
        [], max_length=300, description="What a column holds: header=name, or header= to leave it out. Repeatable."
    )

    def choices(self) -> Choices:
        """What the caller decided about the file."""
        return Choices(
            encoding=self.encoding,
            delimiter=self.delimiter,
            sheet=self.sheet,
            header_row=self.header_row,
            column_map=self.map,
            decimal=self.decimal,
            date_order=self.date_order,
            columns=dict(_column(text) for text in self.column),
        )


class BulkOptions(FileOptions):
    dry_run: bool = Field(default=False, description="Check all rows, write nothing.")
    on_error: Literal["stop", "report"] = Field(
        "stop", description="stop: all rows or none. report: the rows without errors."
    )
    corrections: bool = Field(default=False, description="Return the rows with errors as a file to correct.")


class ColumnUse(Schema):
    letter: str
    header: str
    holds: str = Field(description="What the column is used for; empty: not used.")
    example: str


class PreviewRow(Schema):
    row: int
    values: dict[str, Any]
    problem: str


class ImportPreview(Schema):
    """How a file is understood. Nothing was written."""

    understood: str
    warnings: list[str]
    map: str = Field(description="The column map.")
    maps: list[str] = Field(description="The column maps that can be chosen.")
    encoding: str
    delimiter: str
    sheet: str
    sheets: list[str]
    header_row: int
    rows: int
    columns: list[ColumnUse]
    products: list[PreviewRow] = Field(description="The products of the first rows.")


def reads_stream(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an operation that reads its body as a stream and has a size limit of its own."""
    operation.reads_stream = True  # type: ignore[attr-defined]
    return operation


@router.post(
    "/products/bulk_create/",
    auth=auth.staff,
    response={200: BulkReport, 201: BulkReport, 207: BulkReport, **responses(401, 403)},
    operation_id="bulk_create_products",
    summary="Create and update many products by SKU",
    description="201: all rows written; 200: a dry run without errors; 207: some rows are wrong, see the report.",
    openapi_extra=BODY,
)
@reads_stream
def bulk_create_products(request: HttpRequest, options: Query[BulkOptions]) -> Any:
    auth.check_permission(request, "shop_catalog.add_product")
    user = auth.check_permission(request, "shop_catalog.change_product")
    corrections = io.StringIO(newline="") if options.corrections else None
    with _upload(request) as file:
        table = _understand(file, options)
        report = imports.import_file(
            file,
            table=table,
            on_error=options.on_error,
            dry_run=options.dry_run,
            by=user,
            max_rows=app_settings.BULK_MAX_ROWS,
            corrections=corrections,
        )
    status = 207 if report.failed else 200 if options.dry_run else 201
    more = {"written": report.written, "understood": describe(table) if table is not None else ""}
    return Status(status, asdict(report) | more | {"corrections": corrections.getvalue() if corrections else ""})


@router.post(
    "/products/bulk_create/preview/",
    auth=auth.staff,
    response={200: ImportPreview, **responses(401, 403)},
    operation_id="preview_products_file",
    summary="Show how a file of products is understood",
    description="Takes the same file and options as the upload, and writes nothing.",
    openapi_extra=BODY,
)
@reads_stream
def preview_products_file(request: HttpRequest, options: Query[FileOptions]) -> Any:
    auth.check_permission(request, "shop_catalog.add_product")
    auth.check_permission(request, "shop_catalog.change_product")
    with _upload(request) as file:
        table = _understand(file, options, is_preview=True)
        rows = list(islice(rows_of(file, None), PREVIEW_ROWS)) if table is None else table.preview()
        products = [{"row": row.number, "values": dict(row.values), "problem": row.problem} for row in rows]
        known = {"products": products, "maps": imports.maps.names()}
        return known | (_table_values(table) if table is not None else _NO_TABLE)


_NO_TABLE: dict[str, Any] = {
    **dict.fromkeys(("understood", "map", "encoding", "delimiter", "sheet"), ""),
    **dict.fromkeys(("header_row", "rows"), 0),
    **{name: [] for name in ("warnings", "sheets", "columns")},
}


def _table_values(table: Table) -> dict[str, Any]:
    return {
        "understood": describe(table),
        "warnings": imports.warnings(table),
        "map": table.column_map.name,
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "sheet": table.sheet,
        "sheets": list(table.sheets),
        "header_row": table.header_row,
        "rows": table.row_count,
        "columns": [
            {"letter": column.letter, "header": column.header, "holds": column.target, "example": column.example}
            for column in table.named_columns
        ],
    }


def _understand(file: ImportFile, options: FileOptions, *, is_preview: bool = False) -> Table | None:
    return table_of(file, options.choices(), max_rows=app_settings.BULK_MAX_ROWS, is_preview=is_preview)


def _column(text: str) -> tuple[str, str]:
    header, equals, name = text.rpartition("=")
    if not equals:
        raise UnreadableFile(_("Write a column as header=name."))
    return header, name


def _upload(request: HttpRequest) -> ImportFile:
    """The file from a raw body or from a form, without reading ``request.body``."""
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > app_settings.BULK_MAX_BYTES + MULTIPART_SLACK:
        raise FileTooLarge(_("The upload is larger than this shop accepts. Split it."))
    content_type = request.content_type or ""
    if content_type == "multipart/form-data":
        file = request.FILES.get("file")
        if file is None:
            raise UnreadableFile(_("Send the file in the form field “file”."))
        suffix = (file.name or "").rpartition(".")[2].lower()
        file_format = FORMAT_BY_SUFFIX.get(suffix) or FORMAT_BY_TYPE.get(file.content_type or "")
        if (file.size or 0) > app_settings.BULK_MAX_BYTES:
            raise FileTooLarge(_("The upload is larger than this shop accepts. Split it."))
        stream: Any = file.file
    else:
        file_format = FORMAT_BY_TYPE.get(content_type)
        stream = LimitedReader(request, max_bytes=app_settings.BULK_MAX_BYTES)  # type: ignore[arg-type]
    if file_format is None:
        raise HttpError(415, _("Send application/json, application/x-ndjson, text/csv, a spreadsheet or a form."))
    return ImportFile(stream, file_format=file_format)
