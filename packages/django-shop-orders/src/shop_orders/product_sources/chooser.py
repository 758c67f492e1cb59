"""A source that joins several others, each for some refs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.utils.module_loading import import_string

from shop_orders.models import Order
from shop_orders.product_sources.base import ProductSource, SourceProduct
from shop_orders.product_sources.facts import stock_of


class SourceChooser:
    """Sells the products of several sources. A ref belongs to the first source whose entry fits it.

    Each entry of ``sources`` has a BACKEND and OPTIONS, as PRODUCT_SOURCE has, and says which refs are its own:

    - ``"prefix": "ticket-"``: refs that begin with it. The source gets them without the prefix.
    - ``"matches": "mysite.sources.is_ticket"``: the refs for which this function returns True.
    - neither, in the last entry: all others.

    The sources are called one after the other, always in this order, and each sorts its own locks, so that orders of
    the same products do not deadlock. If one is short, what the others have reserved is rolled back.
    """

    def __init__(self, *, sources: Sequence[Mapping[str, Any]]) -> None:
        self.entries = [_entry(values) for values in sources]
        if not self.entries:
            raise ImproperlyConfigured("SourceChooser needs `sources`: a list with at least one BACKEND.")

    @property
    def sources(self) -> list[ProductSource]:
        """The joined sources, in their order."""
        return [entry.source for entry in self.entries]

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, SourceProduct]:
        """The products of all sources, as ``{ref: product}``."""
        found: dict[str, SourceProduct] = {}
        for entry, own in self._divided(dict.fromkeys(refs, 0)):
            stocks = self.entries.index(entry)
            for ref, product in entry.source.fetch([*own], customer=customer).items():
                found[entry.prefix + ref] = cast("SourceProduct", _Joined(product, entry.prefix, stocks))
        return found

    def refuses_options(self, ref: str, options: Mapping[str, str]) -> str:
        """Why the product's source does not accept these options; "" if it does, or does not check them."""
        for entry, own in self._divided({ref: 0}):
            if method := getattr(entry.source, "refuses_options", None):
                return str(method(*own, options) or "")
        return ""

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:
        """Reserve in each source, or nowhere if one of them is short."""
        parts = self._divided(quantities)
        known = {entry.prefix + ref for entry, own in parts for ref in own}
        short = {ref: 0 for ref in quantities if ref not in known}
        if len(parts) == 1 and not short:
            return self._reserve(parts, reference)
        using = router.db_for_write(Order)
        with transaction.atomic(using=using):
            short |= self._reserve(parts, reference)
            if short:
                transaction.set_rollback(True, using=using)
        return short

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Release reserved stock, each in its own source."""
        for entry, own in self._divided(quantities):
            entry.source.release(own, reference=reference)

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Record that reserved goods were sent, each in its own source."""
        for entry, own in self._divided(quantities):
            entry.source.ship(own, reference=reference)

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Take shipped goods back into stock, each in its own source."""
        for entry, own in self._divided(quantities):
            entry.source.restock(own, reference=reference)

    def _reserve(self, parts: Sequence[tuple[_Entry, dict[str, int]]], reference: str) -> dict[str, int]:
        """Reserve in each source, also after one was short, so that everything that is short is reported."""
        short: dict[str, int] = {}
        for entry, own in parts:
            found = entry.source.reserve(own, reference=reference)
            short.update({entry.prefix + ref: left for ref, left in found.items()})
        return short

    def _divided(self, quantities: Mapping[str, int]) -> list[tuple[_Entry, dict[str, int]]]:
        """The entries that have some of the refs, in their order, each with its own refs without the prefix."""
        own: list[dict[str, int]] = [{} for _entry in self.entries]
        for ref, quantity in quantities.items():
            for place, entry in enumerate(self.entries):
                if entry.fits(ref):
                    own[place][ref[len(entry.prefix) :]] = quantity
                    break
        return [(entry, part) for entry, part in zip(self.entries, own, strict=True) if part]


class _Entry(NamedTuple):
    source: ProductSource
    prefix: str
    matches: Callable[[str], bool] | None

    def fits(self, ref: str) -> bool:
        if self.matches is not None:
            return self.matches(ref)
        return ref.startswith(self.prefix)


class _Joined:
    """A product with the prefix of its source in its ref. It shares stock only with products of its own source."""

    def __init__(self, product: SourceProduct, prefix: str, stocks: int) -> None:
        self._product = product
        self.ref = prefix + product.ref
        self.stock_ref = f"{stocks}:{stock_of(product)}"

    def __getattr__(self, name: str) -> Any:
        if name == "_product":  # it has no attributes yet while it is being copied or unpickled
            raise AttributeError(name)
        return getattr(self._product, name)


def _entry(values: Mapping[str, Any]) -> _Entry:
    if unknown := set(values) - {"prefix", "matches", "BACKEND", "OPTIONS"}:
        raise ImproperlyConfigured(f"SourceChooser: an entry of `sources` has {min(unknown)!r}, which is unknown.")
    if "BACKEND" not in values or ("prefix" in values and "matches" in values):
        raise ImproperlyConfigured("SourceChooser: an entry of `sources` has a BACKEND, and `prefix` or `matches`.")
    source = cast("ProductSource", import_string(values["BACKEND"])(**values.get("OPTIONS", {})))
    matches = values.get("matches")
    return _Entry(source, values.get("prefix", ""), import_string(matches) if isinstance(matches, str) else matches)
