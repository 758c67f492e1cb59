"""Reads products from the site's source. If the source fails for one product, the rest of the cart stays usable."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import Error as DatabaseError
from django.utils.functional import Promise
from shop_core.db.rows import UNSAFE
from shop_core.exceptions import Busy
from shop_core.money import MAX_AMOUNT, quantise

from shop_orders.conf import app_settings
from shop_orders.exceptions import ProductUnreadable
from shop_orders.models import OrderLine
from shop_orders.product_sources import product_source
from shop_orders.product_sources.base import SourceProduct
from shop_orders.product_sources.facts import groups_of, most_of, needs_delivery, options_of, stock_of

logger = logging.getLogger(__name__)

MAX_FAULTS = 20
"""After this many products that could not be read one by one, the rest of the cart is not tried."""
LINE_NUMBER = re.compile("#[0-9]+")
"""Such a text names a line of an order, so it cannot be the ref of a product."""
_TEXTS = (str, Promise)
_AMOUNTS: Any = (Decimal, int)
_NUMBERS: Any = (Decimal, int, float)
_COLUMNS: Any = OrderLine._meta
_LONGEST: dict[str, int] = {name: _COLUMNS.get_field(name).max_length for name in ("sku", "tax_class")}
MAX_WEIGHT = 10**8
"""The column of an order line has 12 digits, 4 of them decimals."""


class Products(dict[str, SourceProduct]):
    """The products on sale, by ref. ``unreadable`` has the refs of products that the source could not read."""

    unreadable: frozenset[str] = frozenset()


def read(refs: Iterable[str], *, customer: object | None = None) -> Products:
    """The products that can be bought. If the source raises an error, the products are read one by one, so that only
    those that fail are missing. Errors are logged; database errors are not caught."""
    wanted = list(dict.fromkeys(refs))
    try:
        return _usable(_fetch(wanted, customer))
    except (DatabaseError, Busy):
        raise
    except Exception:
        logger.exception("`fetch` of PRODUCT_SOURCE failed")
    return _one_by_one(wanted, customer)


def _one_by_one(refs: Sequence[str], customer: object | None) -> Products:
    found: dict[str, SourceProduct] = {}
    unreadable: list[str] = []
    for position, ref in enumerate(refs):
        if len(unreadable) == MAX_FAULTS:
            unreadable += refs[position:]
            break
        try:
            found |= _fetch([ref], customer)
        except (DatabaseError, Busy):
            raise
        except Exception:  # noqa: BLE001 - the first one was logged with its traceback
            unreadable.append(ref)
    if unreadable:
        logger.error("PRODUCT_SOURCE cannot read %d products: %s", len(unreadable), unreadable[:MAX_FAULTS])
    products = _usable(found)
    products.unreadable |= set(unreadable)
    return products


def _fetch(refs: Sequence[str], customer: object | None) -> dict[str, SourceProduct]:
    return dict(product_source().fetch(refs, customer=customer))


def read_one(ref: str, *, customer: object | None = None) -> SourceProduct | None:
    """A product; None if it cannot be bought.

    Raises:
        ProductUnreadable: the source has a fault. It was logged.
    """
    products = read([ref], customer=customer)
    if ref in products.unreadable:
        raise ProductUnreadable(ref)
    return products.get(ref)


def refuses_options(product: SourceProduct, options: Mapping[str, str]) -> str:
    """Why the source does not accept these options of a product, for the buyer; "" if it does.

    Raises:
        ProductUnreadable: the source has a fault. It was logged.
    """
    method = getattr(product_source(), "refuses_options", None)
    if method is None:
        return ""
    try:
        return str(method(product.ref, options) or "")
    except (DatabaseError, Busy):
        raise
    except Exception as error:
        logger.exception("`refuses_options` of PRODUCT_SOURCE failed for %r", product.ref)
        raise ProductUnreadable(product.ref, name=product.name) from error


def _usable(fetched: Mapping[str, SourceProduct]) -> Products:
    found = Products()
    unreadable = set()
    currency, most = app_settings.CURRENCY, app_settings.MAX_QUANTITY
    for ref, product in fetched.items():
        if problem := _problem_of(ref, product, currency, most):
            logger.error("PRODUCT_SOURCE returned for %r a product that cannot be sold: %s", ref, problem)
            unreadable.add(ref)
        else:
            found[ref] = product
    found.unreadable = frozenset(unreadable)
    return found


def _problem_of(ref: str, product: Any, currency: str, most: int) -> str:
    """Why a product cannot be used in a cart or an order; "" if it can. A property that raises an error is logged."""
    try:
        return (
            _problem_of_texts(ref, product)
            or _problem_of_numbers(product, currency)
            or _problem_of_details(product, most)
        )
    except (DatabaseError, Busy):
        raise
    except Exception as error:
        logger.exception("A product of PRODUCT_SOURCE raised an error: %r", ref)
        return type(error).__name__


def _problem_of_texts(ref: str, product: Any) -> str:
    if product.ref != ref:
        return f"its ref is {product.ref!r}"
    if LINE_NUMBER.fullmatch(ref):
        return "its ref looks like the number of a line"
    if not isinstance(product.name, _TEXTS) or UNSAFE.search(str(product.name)):
        return f"its name {product.name!r} is not a text that can be stored"
    for name, text in (("sku", product.sku), ("tax_class", product.tax_class)):
        if not isinstance(text, str) or len(text) > _LONGEST[name] or UNSAFE.search(text):
            return f"its {name} {text!r} is not a text that can be stored"
    for name, text in (("url", product.url), ("image", product.image)):
        if not isinstance(text, str):
            return f"its {name} {text!r} is not a text"
    return ""


def _problem_of_numbers(product: Any, currency: str) -> str:
    price, available, weight = product.unit_price, product.available, product.weight
    if product.currency != currency:
        return f"its currency {product.currency!r} is not the shop's, {currency}"
    if not isinstance(price, _AMOUNTS) or not 0 <= price <= MAX_AMOUNT:
        return f"its unit_price {price!r} is not a Decimal from 0 to {MAX_AMOUNT}"
    if quantise(Decimal(price), currency) != price:
        return f"its unit_price {price!r} has more decimals than {currency}"
    if available is not None and not isinstance(available, int):
        return f"its available {available!r} is not an int"
    if weight is not None and not (
        isinstance(weight, _NUMBERS) and math.isfinite(weight) and abs(weight) < MAX_WEIGHT
    ):
        return f"its weight {weight!r} is not a number that can be stored"
    return ""


def _problem_of_details(product: Any, most: int) -> str:
    for name, value in (("line_options", options_of(product)), ("groups", groups_of(product))):
        if isinstance(value, str) or [text for text in value if not isinstance(text, str)]:
            return f"its {name} {value!r} are not a list of texts"
    most_of(product, most)
    needs_delivery(product)
    stock_of(product)
    return ""
