"""Create and update many products in one upload: a JSON array, JSON lines or CSV, as raw body or as a form."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import IO, Any, Literal

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
from shop_catalog.imports import CSV, FORMAT_BY_SUFFIX, JSON_ARRAY, JSON_LINES, LimitedReader, RawRow, read_rows

FORMAT_BY_TYPE = {
    "application/json": JSON_ARRAY,
    "application/x-ndjson": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "text/csv": CSV,
}
MULTIPART_SLACK = 64 * 1024

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
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
    row: int = Field(description="Counted from 1; the header of a CSV file is not counted.")
    sku: str
    field: str
    code: str
    reason: str


class BulkReport(Schema):
    rows: int
    created: int
    updated: int
    failed: int
    is_written: bool = Field(description="False after a dry run, and after an error with on_error=stop.")
    errors: list[RowProblem] = Field(description="The first 1000.")


class BulkOptions(Schema):
    dry_run: bool = Field(default=False, description="Check all rows, write nothing.")
    on_error: Literal["stop", "report"] = Field("report", description="stop: all rows or none.")


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
    stream, file_format = _upload(request)
    rows = _limited(read_rows(LimitedReader(stream, max_bytes=app_settings.BULK_MAX_BYTES), file_format=file_format))
    report = imports.import_products(rows, on_error=options.on_error, dry_run=options.dry_run, by=user)
    status = 207 if report.failed else 200 if options.dry_run else 201
    return Status(status, asdict(report))


def _upload(request: HttpRequest) -> tuple[IO[bytes], str]:
    """The stream and its format, from a raw body or from the file of a form, without reading ``request.body``."""
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
        stream: Any = file
    else:
        file_format = FORMAT_BY_TYPE.get(content_type)
        stream = request
    if file_format is None:
        raise HttpError(415, _("Send application/json, application/x-ndjson, text/csv or a form."))
    return stream, file_format


def _limited(rows: Iterable[RawRow]) -> Iterator[RawRow]:
    max_rows = app_settings.BULK_MAX_ROWS
    for row in rows:
        if row.number > max_rows:
            raise FileTooLarge(_("One upload holds at most %(max_rows)d rows. Split it.") % {"max_rows": max_rows})
        yield row
