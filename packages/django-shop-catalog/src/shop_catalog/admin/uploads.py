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
from shop_catalog.admin.forms import UploadForm
from shop_catalog.admin.pages import PageAdmin, staff_user
from shop_catalog.exceptions import ShopCatalogError
from shop_catalog.models import ProductUpload


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
                file_format=imports.FORMAT_BY_SUFFIX[form.suffix(file.name)],
                content=file.read(),
                created_by_id=staff_user(request).pk,
            )
            return self.redirect_to_page("import_confirm", upload.public_id)
        return self.render_page(request, "import", gettext("Import products"), {"form": form})

    def confirm_view(self, request: HttpRequest, public_id: Any) -> HttpResponse:
        """Show the preview of an uploaded file; POST imports it."""
        self._require_import(request)
        own = ProductUpload.objects.filter(public_id=public_id, created_by=staff_user(request).pk)
        upload = own.first()
        if upload is None and request.method != "POST":
            raise Http404(gettext("This upload was deleted. Upload the file again."))
        # Deleted before the import, so that pressing the button twice imports once.
        if upload is None or (request.method == "POST" and not own.delete()[0]):
            self.message_user(request, gettext("This was already done. Nothing was changed."), messages.WARNING)
            return self.redirect_to_page("changelist")
        try:
            report = self._import(request, upload, dry_run=request.method != "POST")
        except ShopCatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
            own.delete()
            return self.redirect_to_page("import")
        if request.method == "POST":
            done = gettext("%(created)d created, %(updated)d updated, %(failed)d failed.")
            self.message_user(request, done % vars(report), messages.SUCCESS)
            return self.redirect_to_page("changelist")
        context = {"report": report, "upload": upload}
        return self.render_page(request, "import_preview", gettext("Import products: preview"), context)

    def _import(self, request: HttpRequest, upload: ProductUpload, *, dry_run: bool) -> imports.Report:
        rows = imports.read_rows(io.BytesIO(bytes(upload.content)), file_format=upload.file_format)
        return imports.import_products(rows, dry_run=dry_run, by=staff_user(request))

    def _require_import(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request) or not self.has_change_permission(request):
            raise PermissionDenied
