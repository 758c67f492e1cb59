"""Sells pages that are live. The stock has a table of its own (docs/howto/orders-sell-your-own-model.md)."""

from dataclasses import dataclass
from decimal import Decimal

from hosts.models import CupStock


@dataclass(frozen=True)
class SoldPage:
    ref: str
    name: str
    unit_price: Decimal
    available: int
    image: str
    sku: str = ""
    currency: str = "KES"
    tax_class: str = ""
    price_includes_tax: bool = False
    weight: Decimal | None = None
    url: str = ""


class PageSource:
    stock_model = CupStock

    def fetch(self, refs, *, customer=None):
        return {str(row.page_id): self._sold(row) for row in self._rows(refs).filter(page__live=True)}

    def _sold(self, row):
        page = row.page
        image = page.picture.file.url if page.picture is not None else ""
        return SoldPage(str(row.page_id), page.title, page.price, row.units, image)

    def _rows(self, refs):
        keys = [int(ref) for ref in refs if ref.isdecimal()]
        return CupStock.objects.filter(page__in=keys).select_related("page__picture")

    def reserve(self, quantities, *, reference):
        rows = self._lock(quantities)
        left = {ref: rows[ref].units if ref in rows else 0 for ref in quantities}
        short = {ref: left[ref] for ref, units in quantities.items() if left[ref] < units}
        if not short:
            self._change(rows, quantities, sign=-1)
        return short

    def release(self, quantities, *, reference):
        self._change(self._lock(quantities), quantities, sign=1)

    def ship(self, quantities, *, reference):
        """The units were taken when they were reserved."""

    restock = release

    def _lock(self, refs):
        rows = self._rows(refs).order_by("pk").select_for_update(of=("self",))
        return {str(row.page_id): row for row in rows}

    def _change(self, rows, quantities, *, sign):
        for ref, row in rows.items():
            row.units += sign * quantities[ref]
        CupStock.objects.bulk_update(rows.values(), ["units"])
