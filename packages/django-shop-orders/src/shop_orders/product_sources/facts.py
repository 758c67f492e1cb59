"""Reads the optional attributes of a product, with their defaults. ``DetailedProduct`` describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def options_of(product: Any) -> Sequence[str]:
    """The names of the line options that it takes."""
    names: Sequence[str] = getattr(product, "line_options", ())
    return names


def most_of(product: Any, most: int) -> int:
    """The most units of it that one order may have: ``most``, or fewer."""
    own: int | None = getattr(product, "max_quantity", None)
    return most if own is None else min(own, most)


def groups_of(product: Any) -> Sequence[str]:
    """The groups that it belongs to, for hooks."""
    groups: Sequence[str] = getattr(product, "groups", ())
    return groups


def needs_delivery(product: Any) -> bool:
    """Whether it is sent or picked up. A download or a voucher by e-mail is not."""
    return bool(getattr(product, "needs_delivery", True))


def stock_of(product: Any) -> str:
    """Identifies its stock. Products with the same one share it."""
    return str(getattr(product, "stock_ref", "") or product.ref)


def named_once(shortages: Mapping[str, int], products: Mapping[str, Any]) -> dict[str, int]:
    """Shortages with only one product of each stock that several products share."""
    found: dict[str, str] = {}
    for ref in shortages:
        found.setdefault(stock_of(products[ref]) if ref in products else ref, ref)
    return {ref: shortages[ref] for ref in found.values()}
