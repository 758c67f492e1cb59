"""Checks the charges that a hook returned. The error names the hook and the wrong value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, get_args

from django.utils.functional import Promise
from shop_core.money import MAX_AMOUNT, quantise, unit

from shop_orders.exceptions import PricingFailed
from shop_orders.pricing.amounts import ZERO, spread
from shop_orders.pricing.drafts import Charge, Draft, Kind

KINDS = frozenset(get_args(Kind))
MAX_RATE = Decimal(10)
RATE_DECIMALS = 6


def checked(returned: Iterable[Any], draft: Draft, hook: str) -> list[Charge]:
    """The charges of one hook, rounded. Charges of zero are left out, except tax at a rate of zero.

    Taxes with the same label and rate become one.

    Raises:
        PricingFailed: a charge is not possible.
    """
    refs = {line.product_ref for line in draft.lines}
    found: dict[Any, Charge] = {}
    for position, value in enumerate(returned):
        try:
            charge = _charge(value, draft, refs, hook)
        except PricingFailed:
            raise
        except Exception as error:
            problem = f"a value of a Charge cannot be used: {type(error).__name__}"
            raise PricingFailed(hook, problem) from error
        if charge.amount or charge.base:
            key = position if charge.rate is None else (str(charge.label), charge.rate, charge.is_included)
            found[key] = _merged(found[key], charge) if key in found else charge
    for charge in found.values():
        _check_base(charge, draft, hook)
    return list(found.values())


def _charge(charge: Any, draft: Draft, refs: set[str], hook: str) -> Charge:
    """One charge as the columns can hold it."""
    if not isinstance(charge, Charge):
        raise PricingFailed(hook, f"{charge!r} is not a Charge")
    if not isinstance(charge.kind, str) or charge.kind not in KINDS:
        raise PricingFailed(hook, f"kind={charge.kind!r} is none of {', '.join(sorted(KINDS))}")
    if not isinstance(charge.is_included, bool):
        raise PricingFailed(hook, f"is_included={charge.is_included!r} is not True or False")
    if charge.kind != "tax":
        _check_not_tax(charge, hook)
    if not isinstance(charge.tax_class, str | None):
        raise PricingFailed(hook, f"tax_class={charge.tax_class!r} is not text")
    amount = _rounded(charge.amount, "amount", draft, hook)
    if charge.kind == "discount" and amount > 0:
        raise PricingFailed(hook, f"the amount {charge.amount} of a discount must not be above zero")
    if charge.kind != "discount" and amount < 0:
        raise PricingFailed(hook, f"the amount {charge.amount} of a {charge.kind} must not be negative")
    lines, charges = charge.lines or {}, charge.charges or {}
    if lines or charges:
        lines, charges = _parts(replace(charge, lines=lines, charges=charges), amount, draft, refs, hook)
    return Charge(
        kind=charge.kind,
        label=_label(charge, hook),
        amount=amount,
        is_included=charge.is_included,
        rate=_rate(charge, hook),
        base=_base(charge, draft, hook),
        tax_class=charge.tax_class,
        lines=lines,
        charges=charges,
    )


def _label(charge: Charge, hook: str) -> str:
    """The label as text that the databases store."""
    if not isinstance(charge.label, str | Promise):
        raise PricingFailed(hook, f"label={charge.label!r} is not text")
    label = str(charge.label)
    if "\0" in label or (not label.isascii() and any("\ud800" <= character <= "\udfff" for character in label)):
        raise PricingFailed(hook, f"label={label!r} has a character that cannot be stored")
    return label


def _check_not_tax(charge: Charge, hook: str) -> None:
    for name in ("is_included", "rate", "base", "charges"):
        value = getattr(charge, name)
        if value not in (False, None, {}):
            raise PricingFailed(hook, f"a {charge.kind} has {name}={value!r}, which only a tax has")


def _rate(charge: Charge, hook: str) -> Decimal | None:
    if charge.rate is None:
        return None
    rate = _amount(charge.rate, "rate", hook)
    if not 0 <= rate < MAX_RATE or rate != round(rate, RATE_DECIMALS):
        raise PricingFailed(hook, f"rate={charge.rate!r} must be from 0 to below 10, with at most 6 decimals")
    return rate


def _base(charge: Charge, draft: Draft, hook: str) -> Decimal | None:
    if charge.base is None:
        return None
    base = _rounded(charge.base, "base", draft, hook)
    if base < 0:
        raise PricingFailed(hook, f"base={charge.base!r} must not be negative")
    return base


def _amount(value: Any, name: str, hook: str) -> Decimal:
    """A value as an amount that the columns can hold."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise PricingFailed(hook, f"{name}={value!r} is not a finite Decimal")
    if abs(value) > MAX_AMOUNT:
        raise PricingFailed(hook, f"{name}={value!r} is larger than {MAX_AMOUNT}")
    return value


def _rounded(value: Any, name: str, draft: Draft, hook: str) -> Decimal:
    """A value in whole units of the currency."""
    return _amount(quantise(_amount(value, name, hook), draft.currency), name, hook)


def _parts(
    charge: Charge, amount: Decimal, draft: Draft, refs: set[str], hook: str
) -> tuple[Mapping[str, Decimal], Mapping[int, Decimal]]:
    """The ``lines`` and ``charges`` of a charge in whole units of the currency. They add up to its amount."""
    unknown = [*(set(charge.lines) - refs), *(set(charge.charges) - set(range(len(draft.charges))))]
    if unknown:
        raise PricingFailed(hook, f"lines or charges name {unknown[0]!r}, which the draft does not have")
    raw = [_amount(value, "lines", hook) for value in (*charge.lines.values(), *charge.charges.values())]
    values = ", ".join(map(str, raw))
    if abs(sum(raw, ZERO) - charge.amount) >= unit(draft.currency):
        raise PricingFailed(hook, f"the parts {values} of a {charge.kind} do not add up to its amount {charge.amount}")
    if charge.kind == "discount" and max(raw) > 0:
        raise PricingFailed(hook, f"of the parts {values} of a discount, none must be above zero")
    if charge.kind != "discount" and min(raw) < 0:
        raise PricingFailed(hook, f"of the parts {values} of a {charge.kind}, none must be negative")
    parts = [quantise(value, draft.currency) for value in raw]
    if sum(parts, ZERO) != amount:
        parts = [part.copy_sign(amount) for part in spread(abs(amount), list(map(abs, raw)), draft.currency)]
    whole = dict(zip((*charge.lines, *charge.charges), parts, strict=True))
    return {ref: whole[ref] for ref in charge.lines}, {place: whole[place] for place in charge.charges}


def _merged(first: Charge, second: Charge) -> Charge:
    """Merge two taxes of one hook at one rate. If one of them lacks a base or its parts, the sum has none."""
    is_known = first.base is not None and second.base is not None
    is_divided = all(tax.lines or tax.charges for tax in (first, second))
    return replace(
        first,
        amount=first.amount + second.amount,
        base=(first.base or ZERO) + (second.base or ZERO) if is_known else None,
        lines=_sums(first.lines, second.lines) if is_divided else {},
        charges=_sums(first.charges, second.charges) if is_divided else {},
    )


def _sums(first: Mapping[Any, Decimal], second: Mapping[Any, Decimal]) -> dict[Any, Decimal]:
    return {key: first.get(key, ZERO) + second.get(key, ZERO) for key in {**first, **second}}


def _check_base(charge: Charge, draft: Draft, hook: str) -> None:
    """Check that base times rate is the amount, except for the rounding of each line and charge."""
    if charge.rate is None or charge.base is None:
        return
    _amount(charge.base, "base", hook)
    exact = charge.base * charge.rate
    roundings = len(draft.lines) + 2 * len(draft.charges) + 1
    tolerance = unit(draft.currency) * roundings * (1 + charge.rate) / 2
    if abs(charge.amount - exact) > tolerance:
        expected = exact.quantize(unit(draft.currency), rounding=ROUND_HALF_UP)
        raise PricingFailed(
            hook,
            f"the tax {charge.amount} is not the base {charge.base} times the rate {charge.rate}, which is {expected}",
        )
