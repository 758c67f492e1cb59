"""The product source: sells loaves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F
from shop_orders.product_sources import ProductSource

from bakery.models import Loaf


@dataclass(frozen=True)
class SoldLoaf:
    ref: str
    name: str
    unit_price: Decimal
    available: int | None
    sku: str = ""
    currency: str = "KES"
    tax_class: str = "bread"
    price_includes_tax: bool = True
    weight: Decimal | None = None
    url: str = ""
    image: str = ""


class LoafSource:
    stock_model = Loaf

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, SoldLoaf]:
        loaves = Loaf.objects.filter(code__in=list(refs))
        return {loaf.code: SoldLoaf(loaf.code, loaf.title, loaf.price, loaf.baked) for loaf in loaves}

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        rows = {loaf.code: loaf for loaf in Loaf.objects.select_for_update().filter(code__in=list(quantities))}
        baked = {ref: rows[ref].baked if ref in rows else 0 for ref in quantities}
        short = {ref: baked[ref] for ref, units in quantities.items() if baked[ref] < units}
        if not short:
            self._add(quantities, sign=-1)
        return short

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        self._add(quantities, sign=1)

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """The loaves were taken when they were reserved."""

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Bread that comes back is not sold again."""

    def _add(self, quantities: Mapping[str, int], *, sign: int) -> None:
        for ref, units in sorted(quantities.items()):
            Loaf.objects.filter(code=ref).update(baked=F("baked") + sign * units)


source: ProductSource = LoafSource()
"""mypy reports here if a method of the protocol is missing."""
