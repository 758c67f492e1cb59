"""Looks at all cells of a table, and decides how the numbers and dates of each column are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shop_catalog.imports.understanding import cells, numbers, times
from shop_catalog.imports.understanding.cells import AMOUNT, NUMERIC, TIME, WHOLE, Reading, Target

MAX_SHOWN = 80
"""The characters of a cell that reports and previews show."""

SIGN_BY_DELIMITER = {",": numbers.POINT, ";": numbers.COMMA}
"""Spreadsheets separate cells by semicolons where a comma begins the decimals."""


class Survey:
    """What the cells of the columns show. ``targets``: what each column holds, ``None`` if it is not used."""

    def __init__(self, targets: Sequence[Target | None]) -> None:
        self.evidence: dict[int, numbers.Evidence] = {}
        self.orders: dict[int, set[str]] = {}
        self.examples: dict[int, str] = {}
        self._without_example = set(range(len(targets)))
        for index, target in enumerate(targets):
            if target is not None and target.kind in NUMERIC:
                self.evidence[index] = numbers.Evidence()
            elif target is not None and target.kind == TIME:
                self.orders[index] = set()

    def add(self, line: Sequence[Any]) -> None:
        """Look at one row."""
        width = len(line)
        for index, found in self.evidence.items():
            if index < width:
                found.add(line[index])
        for index, shown in self.orders.items():
            if index < width and (order := times.order_shown(line[index])):
                shown.add(order)
        for index in [index for index in self._without_example if index < width]:
            if text := cells.as_text(line[index]).strip():
                self.examples[index] = text[:MAX_SHOWN]
                self._without_example.discard(index)

    def reading(
        self, index: int, target: Target, *, delimiter: str, decimal: str, date_order: str, decimals: int
    ) -> Reading:
        """How a column is read. ``decimal`` and ``date_order`` were chosen by hand, or are empty.

        ``decimals`` is the number of decimals of an amount.
        """
        if index in self.evidence:
            return self._number_reading(index, target, delimiter, decimal, decimals)
        if index in self.orders:
            shown = self.orders[index]
            return Reading(target, date_order=date_order or (next(iter(shown)) if len(shown) == 1 else ""))
        return Reading(target)

    def signs_beside(self, targets: Mapping[int, Target]) -> set[str]:
        """The signs and words beside the amounts of the file, such as ``€``."""
        found = [units for index, units in self._units() if targets[index].kind == AMOUNT]
        return {unit for units in found for unit in units if unit != "%"}

    def _units(self) -> list[tuple[int, set[str]]]:
        return [(index, found.units) for index, found in self.evidence.items()]

    def _number_reading(self, index: int, target: Target, delimiter: str, chosen: str, decimals: int) -> Reading:
        found = self.evidence[index]
        if chosen or found.decimal:
            return Reading(target, decimal=chosen or found.decimal)
        if found.is_mixed:
            return Reading(target, is_certain=False)
        signs = {other.decimal for other in self.evidence.values()} - {""}
        sign_of_file = signs.pop() if len(signs) == 1 else SIGN_BY_DELIMITER.get(delimiter, "")
        if sign_of_file or not found.undecided:
            return Reading(target, decimal=sign_of_file or numbers.POINT)
        has_three_decimals = target.kind != WHOLE and (target.kind != AMOUNT or decimals > 2)
        return Reading(target, decimal=found.undecided if has_three_decimals else numbers.OTHER[found.undecided])
