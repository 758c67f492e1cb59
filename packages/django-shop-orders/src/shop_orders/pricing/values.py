"""The values that a Charge may have, whatever the order is. What depends on the order is in ``charges``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

from django.utils.functional import Promise
from shop_core.money import MAX_AMOUNT

if TYPE_CHECKING:
    from shop_orders.pricing.drafts import Charge

Kind = Literal["tax", "shipping", "discount", "fee"]
KINDS = frozenset(get_args(Kind))
MAX_RATE = Decimal(10)
RATE_DECIMALS = 6


def problem_of(charge: Any) -> str:
    """The first value of a charge that is not possible, and why; "" if there is none."""
    if not isinstance(charge.kind, str) or charge.kind not in KINDS:
        return f"kind={charge.kind!r} is none of {', '.join(sorted(KINDS))}"
    if not isinstance(charge.is_included, bool):
        return f"is_included={charge.is_included!r} is not True or False"
    if not isinstance(charge.tax_class, str | None):
        return f"tax_class={charge.tax_class!r} is not text"
    return (
        problem_of_label(charge.label)
        or problem_of_amount("amount", charge.amount)
        or (_problem_of_tax(charge) if charge.kind == "tax" else _problem_of_others(charge))
        or _problem_of_parts(charge)
    )


def problem_of_amount(name: str, value: Any) -> str:
    """Why a value is not an amount that the columns can hold; "" if it is."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole and not (isinstance(value, Decimal) and value.is_finite()):
        return f"{name}={value!r} is not a finite Decimal"
    if abs(value) > MAX_AMOUNT:
        return f"{name}={value!r} is larger than {MAX_AMOUNT}"
    return ""


def problem_of_label(label: Any) -> str:
    """Why a label is not a text that the databases store; "" if it is. A lazy text is not evaluated."""
    if not isinstance(label, str):
        return "" if isinstance(label, Promise) else f"label={label!r} is not text"
    if "\0" in label or (not label.isascii() and any("\ud800" <= character <= "\udfff" for character in label)):
        return f"label={label!r} has a character that cannot be stored"
    return ""


def _problem_of_tax(charge: Charge) -> str:
    rate, base = charge.rate, charge.base
    if rate is not None:
        if problem := problem_of_amount("rate", rate):
            return problem
        if not 0 <= rate < MAX_RATE or rate != round(rate, RATE_DECIMALS):
            return f"rate={rate!r} must be from 0 to below {MAX_RATE}, with at most {RATE_DECIMALS} decimals"
    if base is None:
        return ""
    return problem_of_amount("base", base) or (f"base={base!r} must not be negative" if base < 0 else "")


def _problem_of_others(charge: Charge) -> str:
    for name in ("is_included", "rate", "base", "charges"):
        value = getattr(charge, name)
        if value not in (False, None, {}):
            return f"a {charge.kind} has {name}={value!r}, which only a tax has"
    return ""


def _problem_of_parts(charge: Charge) -> str:
    for name in ("lines", "charges"):
        parts = getattr(charge, name)
        if not parts:
            continue
        if not isinstance(parts, Mapping):
            return f"{name}={parts!r} is not a dict"
        for key, value in parts.items():
            if problem := problem_of_amount(f"{name}[{key!r}]", value):
                return problem
    return ""
