"""Amounts in the admin's lists and pages, with the decimals of their currency."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from shop_core.money import as_text


def amount_of(model: type[Model], name: str) -> Any:
    """A column or read-only field that shows the amount ``name`` as ``12.00 KES``.

    The currency is that of the row, or of the order or payment to which it belongs.
    """

    @admin.display(description=model._meta.get_field(name).verbose_name, ordering=name)  # type: ignore[union-attr]
    def column(row: Any) -> str:
        currency = _currency_of(row)
        value = getattr(row, name)
        return "" if value is None else f"{as_text(value, currency)} {currency}"

    column.__name__ = f"{name}_text"
    return column


def _currency_of(row: Any) -> str:
    for owner in ("order", "payment"):
        if not hasattr(row, "currency") and hasattr(row, owner):
            row = getattr(row, owner)
    return str(row.currency)
