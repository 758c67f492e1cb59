"""Imports in the product admin: upload a file, check the preview, confirm."""

from __future__ import annotations

import io
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext

from shop_catalog import imports
from shop_catalog.admin.forms import ChoicesForm, UploadForm
from shop_catalog.admin.pages import PageAdmin, staff_user
from shop_catalog.exceptions import ShopCatalogError
from shop_catalog.imports.files import table_of
from shop_catalog.models import ProductUpload

TABLES = (imports.CSV, imports.XLSX, imports.ODS)


class ImportPages(PageAdmin):
    """Upload and preview of a file of products."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name="shop_catalog_product_import"),
            path("import/<uuid:public_id>/", wrap(self.confirm_view), name="shop_catalog_product_import_confirm"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """A form for a file; POST stores it and shows its preview."""
        self._require_import(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            file = form.cleaned_data["file"]
            upload = ProductUpload.objects.create(
                file_name=file.name[-200:],
                file_format=imports.FORMAT_BY_SUFFIX[file.name.rpartition(".")[2].lower()],
                content=file.read(),
                created_by_id=staff_user(request).pk,
            )
            return self.redirect_to_page("import_confirm", upload.public_id)
        return self.render_page(request, "import", gettext("Import products"), {"form": form})

    def confirm_view(self, request: HttpRequest, public_id: Any) -> HttpResponse:
        """Show how an uploaded file is understood, and let it be corrected; POST imports it."""
        self._require_import(request)
        own = ProductUpload.objects.filter(public_id=public_id, created_by=staff_user(request).pk)
        upload = own.first()
        if upload is None and request.method != "POST":
            raise Http404(gettext("This upload was deleted. Upload the file again."))
        # Deleted before the import, so that pressing the button twice imports once.
        if upload is None or (request.method == "POST" and not own.delete()[0]):
            self.message_user(request, gettext("This was already done. Nothing was changed."), messages.WARNING)
            return self.redirect_to_page("changelist")
        if request.method == "POST":
            return self._import(request, upload)
        if "corrections" in request.GET:
            return self._corrections(request, upload)
        return self._preview(request, upload)

    def _preview(self, request: HttpRequest, upload: ProductUpload) -> HttpResponse:
        try:
            return self._page(request, upload, _choices(request))
        except ShopCatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
        if upload.file_format not in TABLES:
            ProductUpload.objects.filter(pk=upload.pk).delete()
            return self.redirect_to_page("import")
        # Without a preview there is still the form, in which another encoding or row can be chosen.
        context = {"upload": upload, "choices": ChoicesForm(request.GET)}
        return self.render_page(request, "import_preview", gettext("Import products: preview"), context)

    def _page(self, request: HttpRequest, upload: ProductUpload, choices: imports.Choices) -> HttpResponse:
        file = _opened(upload)
        table = table_of(file, choices, is_preview=True)
        context: dict[str, Any] = {"upload": upload, "query": request.GET.urlencode()}
        if table is not None:
            context |= {
                "table": table,
                "understood": imports.describe(table),
                "warnings": imports.warnings(table),
                "choices": ChoicesForm(request.GET, table=table),
                "columns": _columns(table, choices),
                "targets": sorted(table.column_map.targets()),
            }
        if table is not None and not table.problem:
            context["rows"] = [(row.number, row.problem, _shown(row)) for row in table.preview()]
        if table is None or not table.problem:
            context["report"] = imports.import_file(file, table=table, dry_run=True)
        return self.render_page(request, "import_preview", gettext("Import products: preview"), context)

    def _import(self, request: HttpRequest, upload: ProductUpload) -> HttpResponse:
        file = _opened(upload)
        only_good = request.POST.get("on_error") == "report"
        try:
            report = imports.import_file(
                file,
                table=table_of(file, _choices(request)),
                on_error="report" if only_good else "stop",
                by=staff_user(request),
            )
        except ShopCatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
            return self.redirect_to_page("import")
        if not report.is_written:
            message = gettext("Nothing was imported: %(failed)d rows have errors. Upload the file again.")
            self.message_user(request, message % {"failed": report.failed}, messages.ERROR)
            return self.redirect_to_page("import")
        done = gettext(
            "%(written)d products written: %(created)d created, %(updated)d updated. %(failed)d rows failed."
        )
        self.message_user(request, done % {**vars(report), "written": report.written}, messages.SUCCESS)
        return self.redirect_to_page("changelist")

    def _corrections(self, request: HttpRequest, upload: ProductUpload) -> HttpResponse:
        """The rows with errors as a file, to be corrected and uploaded again."""
        file, out = _opened(upload), io.StringIO(newline="")
        table = table_of(file, _choices(request))
        imports.import_file(file, table=table, dry_run=True, corrections=out)
        suffix = "csv" if table is not None else "jsonl"
        response = HttpResponse(f"\ufeff{out.getvalue()}" if table is not None else out.getvalue())
        response["Content-Type"] = "text/csv; charset=utf-8" if table is not None else "application/jsonl"
        response["Content-Disposition"] = f'attachment; filename="corrections.{suffix}"'
        return response

    def _require_import(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request) or not self.has_change_permission(request):
            raise PermissionDenied


def _opened(upload: ProductUpload) -> imports.ImportFile:
    content = io.BytesIO(bytes(upload.content))
    return imports.ImportFile(content, name=upload.file_name, file_format=upload.file_format)


def _choices(request: HttpRequest) -> imports.Choices:
    return ChoicesForm(request.GET).choices()


def _columns(table: imports.Table, choices: imports.Choices) -> list[dict[str, str]]:
    """The columns with what they hold, and what was chosen for them."""
    return [
        {
            "letter": column.letter,
            "header": column.header,
            "holds": column.target,
            "example": column.example,
            "chosen": choices.columns.get(f"#{column.letter}", "")
            or ("-" if f"#{column.letter}" in choices.columns else ""),
        }
        for column in table.named_columns
    ]


def _shown(row: imports.RawRow) -> str:
    return "; ".join(f"{name}: {str(value)[:60]}" for name, value in row.values.items())
