"""The lines of an order, and how callers name them.

A line has a *key*: its product's ref while no other line has that product, else its number, such as ``#2``. Amounts
and units of lines are stored by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shop_orders.exceptions import AmbiguousLine
from shop_orders.models.orders import OrderLine


def line_keys(refs: Sequence[str]) -> list[str]:
    """The keys of the lines with these refs, in the order of the lines. A ref that looks like a number is not used."""
    if len(set(refs)) == len(refs) and "#" not in {ref[:1] for ref in refs}:
        return list(refs)
    counts = Counter(refs)
    return [
        f"#{number}" if counts[ref] > 1 or ref.startswith("#") else ref for number, ref in enumerate(refs, start=1)
    ]


def by_key(lines: Iterable[OrderLine]) -> dict[str, OrderLine]:
    """All lines of an order by their keys, in their order."""
    rows = sorted(lines, key=lambda line: line.position)
    return dict(zip(line_keys([line.product_ref for line in rows]), rows, strict=True))


def named(lines: Mapping[str, OrderLine], quantities: Mapping[str, int]) -> dict[str, int]:
    """Convert quantities by ``line`` (``#2``), product or key into units by key. Names that no line has are kept.

    Raises:
        AmbiguousLine: a product that several lines have.
    """
    keys = {line.line: key for key, line in lines.items()}
    found: Counter[str] = Counter()
    for name, units in quantities.items():
        found[keys.get(name) or _key_of_product(lines, name)] += units
    return dict(found)


def by_ref(lines: Mapping[str, OrderLine], units: Mapping[str, int]) -> dict[str, int]:
    """Convert units by key into units by product."""
    found: Counter[str] = Counter()
    for key, count in units.items():
        found[lines[key].product_ref] += count
    return dict(found)


def _key_of_product(lines: Mapping[str, OrderLine], ref: str) -> str:
    same = {key: line for key, line in lines.items() if line.product_ref == ref}
    if len(same) > 1:
        rows = [{"line": row.line, "quantity": row.quantity, "options": row.options} for row in same.values()]
        raise AmbiguousLine(ref, rows)
    return next(iter(same), ref)
