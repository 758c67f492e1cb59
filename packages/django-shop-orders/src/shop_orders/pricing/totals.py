"""The draft with the charges of all hooks, and what each line and charge costs without tax."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile
from typing import Any

from django.db import Error as DatabaseError
from shop_core.hooks import load_hook
from shop_core.money import MAX_AMOUNT

from shop_orders.conf import app_settings
from shop_orders.exceptions import AmountTooLarge, PricingFailed, ShopOrdersError
from shop_orders.pricing.amounts import ZERO
from shop_orders.pricing.charges import checked
from shop_orders.pricing.discounts import after_discounts
from shop_orders.pricing.drafts import Charge, Draft, InvalidCharge, Taxed

logger = logging.getLogger(__name__)


def price(draft: Draft) -> Draft:
    """The draft with the charges of all PRICING hooks.

    Discounts lower the total to zero at most. A total of zero has no tax.

    Raises:
        PricingFailed: a hook failed, or its charges do not add up. It was logged.
        AmountTooLarge: the columns cannot hold the total.
    """
    try:
        draft = _priced(draft)
    except PricingFailed as error:
        logger.error("Pricing failed: %s: %s", error.hook, error.problem, exc_info=error)  # noqa: TRY400 - with the cause
        raise
    return draft


def _check_size(draft: Draft) -> None:
    """Called before each hook, so that no hook is blamed for a total that was too large before it."""
    if draft.total > MAX_AMOUNT or draft.subtotal > MAX_AMOUNT:
        raise AmountTooLarge


def _priced(draft: Draft) -> Draft:
    _check_size(draft)
    charges: list[Charge] = []
    hooks: list[str] = []
    for entry in app_settings.PRICING:
        hook = entry if isinstance(entry, str) else str(entry["BACKEND"])
        new = checked(_run(entry, hook, draft), draft, hook)
        if new:
            charges += new
            hooks += [hook] * len(new)
            draft = replace(draft, charges=tuple(charges))
            _check_size(draft)
    if not charges:
        return draft.with_taxed([Taxed(ZERO, None, line.line_total, ZERO) for line in draft.lines])
    if _is_free(draft):
        draft = replace(draft, charges=_limited(draft))
        return _taxed(draft, [""] * len(draft.charges))
    _check_order(charges, hooks)
    _check_net(draft, charges, hooks)
    return _taxed(draft, hooks)


def _run(entry: str | Mapping[str, Any], hook: str, draft: Draft) -> list[Any]:
    """The charges that a hook returns. Errors of this package and of the database are not caught."""
    try:
        return list(load_hook(entry)(draft))
    except (ShopOrdersError, DatabaseError):
        raise
    except InvalidCharge as error:
        raise PricingFailed(hook, str(error)) from error
    except Exception as error:
        raise PricingFailed(hook, type(error).__name__) from error


def _is_free(draft: Draft) -> bool:
    """Whether the order costs nothing, or the discounts before the first tax leave nothing that could be taxed."""
    if draft.total <= 0:
        return True
    before_tax = list(takewhile(lambda charge: charge.kind != "tax", draft.charges))
    if not any(charge.kind == "discount" for charge in before_tax):
        return False
    untaxed = sum((charge.amount for charge in draft.charges if charge.kind != "tax"), draft.subtotal)
    return untaxed <= 0 and sum((charge.amount for charge in before_tax), draft.subtotal) <= 0


def _limited(draft: Draft) -> tuple[Charge, ...]:
    """The charges of an order that costs nothing: without tax, and with discounts limited to the other amounts."""
    charges = [charge for charge in draft.charges if charge.kind != "tax"]
    excess = -(draft.subtotal + sum((charge.amount for charge in charges), ZERO))
    for place in reversed(range(len(charges))):
        if charges[place].kind == "discount" and excess:
            given_back = min(excess, -charges[place].amount)
            excess -= given_back
            charges[place] = replace(charges[place], amount=charges[place].amount + given_back, lines={})
    return tuple(charge for charge in charges if charge.amount)


def _check_order(charges: Sequence[Charge], hooks: Sequence[str]) -> None:
    """Refuse a discount after a tax with a rate: the base of the tax would be wrong."""
    is_taxed = False
    for charge, hook in zip(charges, hooks, strict=True):
        is_taxed = is_taxed or (charge.kind == "tax" and charge.rate is not None)
        if is_taxed and charge.kind == "discount":
            raise PricingFailed(
                hook, f"the discount {charge.amount} comes after tax; list the hook before it in PRICING"
            )


def _check_net(draft: Draft, charges: Sequence[Charge], hooks: Sequence[str]) -> None:
    if draft.net_total < 0:
        hook = next(
            hook for charge, hook in zip(reversed(charges), reversed(hooks), strict=True) if charge.kind == "tax"
        )
        raise PricingFailed(hook, f"the tax {draft.tax_total} is more than the total {draft.total}")


def _taxed(draft: Draft, hooks: Sequence[str]) -> Draft:
    """The draft with the net amount and the tax of each line and charge, as far as the hooks divide their taxes."""
    goods, others = after_discounts(draft)
    parts: defaultdict[str | int, _Part] = defaultdict(_Part)
    is_all_known = True
    for charge, hook in zip(draft.charges, hooks, strict=True):
        if charge.kind == "tax":
            is_all_known = is_all_known and bool(charge.lines or charge.charges)
            for ref, amount in charge.lines.items():
                parts[ref].add(charge, amount, hook)
            for place, amount in charge.charges.items():
                parts[place].add(charge, amount, hook)
    lines = [
        parts[line.key].taxed(line.line_total, after, is_all_known=is_all_known)
        for line, after in zip(draft.lines, goods, strict=True)
    ]
    charges = [
        parts[place].taxed(charge.amount, others[place], is_all_known=is_all_known, may_be_split=True)
        if charge.kind in ("shipping", "fee")
        else Taxed(ZERO, charge.rate, None, None)
        for place, charge in enumerate(draft.charges)
    ]
    return draft.with_taxed(lines, charges)


class _Part:
    """The taxes on one line or charge, and the hook of the last one."""

    __slots__ = ("hook", "included", "rates", "tax")

    def __init__(self) -> None:
        self.hook = ""
        self.included = self.tax = ZERO
        self.rates: list[Decimal | None] = []

    def add(self, charge: Charge, amount: Decimal, hook: str) -> None:
        self.hook = hook
        self.tax += amount
        self.rates.append(charge.rate)
        if charge.is_included:
            self.included += amount

    def taxed(self, before: Decimal, after: Decimal, *, is_all_known: bool, may_be_split: bool = False) -> Taxed:
        if self.included > after:
            raise PricingFailed(self.hook, f"the tax {self.included} is more than the price {after} that includes it")
        discount = after - before
        if not self.rates:
            return Taxed(discount, None, after, ZERO) if is_all_known else Taxed(discount, None, None, None)
        is_known = None not in self.rates and (len(self.rates) == 1 or not may_be_split)
        rate = sum((rate for rate in self.rates if rate is not None), ZERO) if is_known else None
        return Taxed(discount, rate, after - self.included, self.tax)
