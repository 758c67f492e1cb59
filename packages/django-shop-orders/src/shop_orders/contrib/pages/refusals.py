"""The error messages that visitors see when an action is refused."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop_orders.contrib.pages.templatetags.shop_orders_pages import money
from shop_orders.exceptions import (
    InsufficientStock,
    PricingFailed,
    ProductsGone,
    ShopOrdersError,
    TotalChanged,
    UnknownPaymentProvider,
    ValidatorFailed,
)


def sentence(error: ShopOrdersError, names: Mapping[str, str] | None = None) -> str:
    """The message of an error, with product names instead of references and amounts in local format.

    ``names`` is ``{product ref: name}``.
    """
    known = names or {}
    if isinstance(error, InsufficientStock):
        return " ".join(_shortage(known.get(ref, ref), left) for ref, left in error.shortages.items())
    if isinstance(error, ProductsGone):
        gone = ", ".join(known.get(ref, ref) for ref in error.extra["products"])
        return _("No longer on sale: %(names)s. Remove it from the cart to continue.") % {"names": gone}
    if isinstance(error, TotalChanged):
        return _("Prices changed: the total is now %(total)s. Please check it before you place the order.") % {
            "total": money(error.total)
        }
    if isinstance(error, UnknownPaymentProvider):
        return _("This payment method is no longer offered. Choose another one.")
    if isinstance(error, PricingFailed):
        return _("The total cannot be computed at the moment. Please contact us.")
    if isinstance(error, ValidatorFailed):
        return _("We cannot take orders at the moment. Please contact us.")
    return str(error)


def _shortage(name: str, left: int) -> str:
    if left <= 0:
        return _("%(name)s is sold out.") % {"name": name}
    return ngettext("Only %(left)s of %(name)s is left.", "Only %(left)s of %(name)s are left.", left) % {
        "left": left,
        "name": name,
    }
