"""Checks the charges that a hook returned. The error names the hook and the wrong value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shop_core.money import quantise, unit

from shop_orders.exceptions import PricingFailed
from shop_orders.pricing.amounts import ZERO, spread
from shop_orders.pricing.drafts import Charge, Draft, InvalidCharge
from shop_orders.pricing.values import problem_of_amount, problem_of_label


def checked(returned: Iterable[Any], draft: Draft, hook: str) -> list[Charge]:
    """The charges of one hook, rounded. Charges of zero are left out, except tax at a rate of zero.

    Taxes with the same label and rate become one.

    Raises:
        PricingFailed: a charge is not possible.
    """
    keys = {line.key for line in draft.lines}
    found: dict[Any, Charge] = {}
    for position, value in enumerate(returned):
        try:
            charge = _charge(value, draft, keys, hook)
            if charge.amount or charge.base:
                key = position if charge.rate is None else (str(charge.label), charge.rate, charge.is_included)
                found[key] = _merged(found[key], charge) if key in found else charge
        except PricingFailed:
            raise
        except InvalidCharge as error:
            raise PricingFailed(hook, str(error)) from error
        except Exception as error:
            problem = f"a value of a Charge cannot be used: {type(error).__name__}"
            raise PricingFailed(hook, problem) from error
    for charge in found.values():
        _check_base(charge, draft, hook)
    return list(found.values())


def _charge(charge: Any, draft: Draft, keys: set[str], hook: str) -> Charge:
    """One charge as the columns can hold it. Its own values were checked when it was made."""
    if not isinstance(charge, Charge):
        raise PricingFailed(hook, f"{charge!r} is not a Charge")
    amount = _rounded(charge.amount, "amount", draft, hook)
    if charge.kind == "discount" and amount > 0:
        raise PricingFailed(hook, f"the amount {charge.amount} of a discount must not be above zero")
    if charge.kind != "discount" and amount < 0:
        raise PricingFailed(hook, f"the amount {charge.amount} of a {charge.kind} must not be negative")
    lines, charges = charge.lines or {}, charge.charges or {}
    if lines or charges:
        if not keys.issuperset(lines):
            lines = _of_lines(lines, draft, keys)
        lines, charges = _parts(replace(charge, lines=lines, charges=charges), amount, draft, keys, hook)
    return Charge(
        kind=charge.kind,
        label=_label(charge, hook),
        amount=amount,
        is_included=charge.is_included,
        rate=None if charge.rate is None else Decimal(charge.rate),
        base=None if charge.base is None else _rounded(charge.base, "base", draft, hook),
        tax_class=charge.tax_class,
        lines=lines,
        charges=charges,
    )


def _label(charge: Charge, hook: str) -> str:
    """The label as text; a lazy one is evaluated here."""
    label = str(charge.label)
    if problem := problem_of_label(label):
        raise PricingFailed(hook, problem)
    return label


def _rounded(value: Any, name: str, draft: Draft, hook: str) -> Decimal:
    """A value in whole units of the currency."""
    rounded = quantise(Decimal(value), draft.currency)
    if problem := problem_of_amount(name, rounded):
        raise PricingFailed(hook, problem)
    return rounded


def _parts(
    charge: Charge, amount: Decimal, draft: Draft, keys: set[str], hook: str
) -> tuple[Mapping[str, Decimal], Mapping[int, Decimal]]:
    """The ``lines`` and ``charges`` of a charge in whole units of the currency. They add up to its amount."""
    unknown = [*(set(charge.lines) - keys), *(set(charge.charges) - set(range(len(draft.charges))))]
    if unknown:
        raise PricingFailed(hook, f"lines or charges name {unknown[0]!r}, which the draft does not have")
    raw = [Decimal(value) for value in (*charge.lines.values(), *charge.charges.values())]
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


def _of_lines(lines: Mapping[str, Decimal], draft: Draft, keys: set[str]) -> Mapping[str, Decimal]:
    """Parts by the keys of the lines, where a hook has named a product that several lines have."""
    found: dict[str, Decimal] = {}
    for ref, amount in lines.items():
        same = [] if ref in keys else [line for line in draft.lines if line.product_ref == ref]
        if not same:
            found[ref] = found.get(ref, ZERO) + amount
            continue
        shares = spread(abs(Decimal(amount)), [line.line_total for line in same], draft.currency)
        for line, share in zip(same, shares, strict=True):
            found[line.key] = found.get(line.key, ZERO) + share.copy_sign(Decimal(amount))
    return found


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
    exact = charge.base * charge.rate
    roundings = len(draft.lines) + 2 * len(draft.charges) + 1
    tolerance = unit(draft.currency) * roundings * (1 + charge.rate) / 2
    if abs(charge.amount - exact) > tolerance:
        expected = exact.quantize(unit(draft.currency), rounding=ROUND_HALF_UP)
        raise PricingFailed(
            hook,
            f"the tax {charge.amount} is not the base {charge.base} times the rate {charge.rate}, which is {expected}",
        )
