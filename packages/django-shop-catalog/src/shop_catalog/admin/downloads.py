"""Exports in the product admin: the products of the list, as it is filtered and searched."""

from __future__ import annotations

import tempfile
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext

from shop_catalog import exports
from shop_catalog.admin.pages import PageAdmin
from shop_catalog.exceptions import ShopCatalogError

FILES = {
    "products.csv": ("own", exports.CSV),
    "products.xlsx": ("own", exports.XLSX),
    "shopify.csv": ("shopify", exports.CSV),
}
MOST_IN_XLSX = 20_000
"""More products than this take longer than a request should. CSV is sent while it is written."""

IN_MEMORY = 1024 * 1024


class ExportPages(PageAdmin):
    """Downloads of the products that the list shows."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/<str:file>", view, name="shop_catalog_product_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, file: str) -> HttpResponseBase:
        """The products of the list with these filters, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if file not in FILES:
            raise Http404
        column_map, file_format = FILES[file]
        try:
            products = self.get_changelist_instance(request).queryset.select_related(None)
            if file_format == exports.XLSX:
                return self._xlsx(products, column_map, file)
        except IncorrectLookupParameters:
            return self.redirect_to_page("changelist", query="?e=1")
        except ShopCatalogError as error:
            self.message_user(request, str(error), messages.ERROR)
            return self.redirect_to_page("changelist")
        base_url = request.build_absolute_uri("/")
        lines = exports.csv_lines(products, column_map=column_map, base_url=base_url)
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{file}"'
        return response

    def _xlsx(self, products: Any, column_map: str, name: str) -> FileResponse:
        if products.order_by()[MOST_IN_XLSX : MOST_IN_XLSX + 1].exists():
            text = gettext("More than 20,000 products. Filter the list, export as CSV, or use the command.")
            raise ShopCatalogError(text)
        out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the response closes it
        exports.write_xlsx(out, products, column_map=column_map)
        out.seek(0)
        return FileResponse(out, as_attachment=True, filename=name)
