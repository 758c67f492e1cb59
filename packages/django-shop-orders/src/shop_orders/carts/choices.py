"""The options that a buyer has chosen for a product, as the product source accepts them."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from shop_orders.exceptions import InvalidOptions
from shop_orders.product_sources import SourceProduct
from shop_orders.product_sources.facts import options_of
from shop_orders.product_sources.reading import refuses_options


def check(product: SourceProduct, options: Mapping[str, str]) -> None:
    """Check cleaned options. The source is asked only about a product that takes options.

    Raises:
        InvalidOptions: the product does not take one of them, or the source refuses them.
        ProductUnreadable: the source raised an error.
    """
    takes = options_of(product)
    if options and not takes:
        message = _("“%(product)s” takes no options. Add it without options.")
        raise InvalidOptions(message % {"product": product.name}, ref=product.ref, takes=())
    if unknown := [name for name in options if name not in takes]:
        message = _("“%(product)s” has no option “%(option)s”. It takes: %(names)s.")
        values = {"product": product.name, "option": unknown[0], "names": ", ".join(takes)}
        raise InvalidOptions(message % values, ref=product.ref, takes=takes)
    if takes and (why := refuses_options(product, options)):
        raise InvalidOptions(why, ref=product.ref, takes=takes)
