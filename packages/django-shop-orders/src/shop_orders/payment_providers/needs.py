"""What a provider needs of an order, and why an order cannot be paid with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.db import Error as DatabaseError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from shop_core.money import MAX_AMOUNT, as_text

from shop_orders.exceptions import PaymentNotPossible

if TYPE_CHECKING:
    from shop_orders.payment_providers.base import PaymentProvider

logger = logging.getLogger(__name__)

Need = Literal["email", "phone", "currencies", "whole_units", "minimum", "amount"]
"""The name of a field of Needs; ``amount`` if ``refuses`` gave the reason."""

CODE = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an order must have so that it can be paid with a provider. It is checked before stock is reserved, and
    again before ``start`` is called, so ``start`` does not check it."""

    email: bool = False
    phone: bool = False
    whole_units: bool = False
    """Whether it takes amounts without decimals only, such as whole shillings."""
    currencies: Collection[str] = ()
    """ISO 4217 codes, such as ``("KES", "UGX")``. Empty: any currency."""
    minimum: Decimal | None = None
    """The smallest amount."""


class Obstacle(NamedTuple):
    """Why an order cannot be paid with a provider."""

    need: Need
    field: Literal["email", "phone", "payment_provider"]
    """What the customer can change."""
    message: str


def obstacle(
    provider: PaymentProvider, *, amount: Decimal, currency: str, email: str | None = None, phone: str | None = None
) -> Obstacle | None:
    """Why an amount cannot be paid with a provider; None if it can.

    ``email`` and ``phone`` are "" if the customer gave none, and None if that is not known yet. Does not use the
    network.
    """
    needs = provider.needs
    names = {"provider": provider.label, "currency": currency}
    if needs.currencies and currency not in needs.currencies:
        return _of_amount("currencies", _("%(provider)s does not take %(currency)s.") % names)
    if needs.whole_units and amount != amount.to_integral_value():
        return _of_amount("whole_units", _("%(provider)s takes whole amounts of %(currency)s only.") % names)
    if needs.minimum is not None and amount < needs.minimum:
        text = _("%(provider)s takes amounts from %(minimum)s %(currency)s.")
        return _of_amount("minimum", text % {**names, "minimum": as_text(needs.minimum, currency)})
    if why := _refusal(provider, amount=amount, currency=currency):
        return Obstacle("amount", "payment_provider", why)
    if needs.email and email == "":
        text = _("Enter an e-mail address: %(provider)s needs it. Or choose another payment method.")
        return Obstacle("email", "email", text % names)
    if needs.phone and phone == "":
        text = _("Enter a phone number: %(provider)s needs it. Or choose another payment method.")
        return Obstacle("phone", "phone", text % names)
    return None


def _refusal(provider: PaymentProvider, *, amount: Decimal, currency: str) -> str:
    """Why the provider refuses an amount. An error in its ``refuses`` is logged, and the other providers stay
    available."""
    try:
        return _as_text(provider.refuses(amount=amount, currency=currency))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("`refuses` of the payment provider %s failed", provider.alias)
        return _("Choose another payment method.")


def _as_text(why: object) -> str:
    if not isinstance(why, str | Promise):
        raise TypeError(f"`refuses` returned {why!r}, which is not a text")
    return str(why)


def _of_amount(need: Need, why: str) -> Obstacle:
    return Obstacle(need, "payment_provider", " ".join([why, _("Choose another payment method.")]))


def check_needs(
    provider: PaymentProvider, *, amount: Decimal, currency: str, email: str | None = None, phone: str | None = None
) -> None:
    """Check that ``obstacle`` finds nothing.

    Raises:
        PaymentNotPossible: the order lacks what the provider needs.
    """
    if found := obstacle(provider, amount=amount, currency=currency, email=email, phone=phone):
        raise PaymentNotPossible(found.message, provider=provider.alias, needs=found.need, field=found.field)


def problem_of_needs(needs: object) -> str:
    """What is wrong with a provider's ``needs``; "" if nothing is. For ``check`` and for the contract kit."""
    if not isinstance(needs, Needs):
        return f"{needs!r} is not a Needs"
    for name in ("email", "phone", "whole_units"):
        if not isinstance(value := getattr(needs, name), bool):
            return f"{name}={value!r} is not True or False"
    codes = needs.currencies
    if isinstance(codes, str) or not isinstance(codes, Collection) or not all(map(_is_code, codes)):
        return f"currencies={codes!r} is not a list of codes of three capital letters"
    minimum = needs.minimum
    if minimum is not None and not (isinstance(minimum, Decimal) and minimum.is_finite() and minimum > 0):
        return f"minimum={minimum!r} is not a Decimal above zero"
    if minimum is not None and minimum > MAX_AMOUNT:
        return f"minimum={minimum!r} is larger than {MAX_AMOUNT}, the largest amount of an order"
    return ""


def _is_code(value: object) -> bool:
    return isinstance(value, str) and CODE.fullmatch(value) is not None
