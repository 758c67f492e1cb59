"""Finds, opens and locks carts. A cart belongs to a customer or to the guest who has its token."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone
from shop_core.money import exponent

from shop_orders import customers
from shop_orders.carts import queries
from shop_orders.carts.queries import Contents
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartClosed, CartNotFound
from shop_orders.models import Cart, Customer


def contents(*, user: Any = None, token: str = "", with_items: bool = True) -> Contents:
    """The open cart of a user or of a guest's token, read in one statement. A new user is made a customer first.

    ``with_items=False`` is for callers that read the items later, after they have locked the cart.

    Raises:
        CartNotFound: as in ``find``.
    """
    if user is None:
        return _open_of_token(token) if token else Contents()
    return queries.open_cart_of_user(user, with_items=with_items) or Contents(customer=customers.for_user(user))


def find(*, customer: Customer | None = None, token: str = "") -> Cart | None:
    """The open cart of a customer or of a guest's token; None if nothing was added yet.

    With a ``customer``, the token is ignored: pass it to ``merge``.

    Raises:
        CartNotFound: the token is unknown, or its cart was merged into another one.
    """
    if customer is not None:
        cart = Cart.objects.open().filter(customer=customer).first()
        if cart is not None:
            cart.customer = customer
        return cart
    return _open_of_token(token).cart if token else None


def by_token(token: str) -> Cart | None:
    """The cart of a guest's token, whatever its status."""
    return queries.cart_of_token(hash_token(token)).cart if token else None


def find_or_open(*, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """The open cart, created if there is none, and the token of a guest's new cart ("" otherwise).

    Raises:
        CartNotFound: as in ``find``.
    """
    cart = find(customer=customer, token=token)
    if cart is not None:
        return cart, ""
    cart, new_token = new_cart(customer)
    try:
        with transaction.atomic(using=router.db_for_write(Cart)):
            cart.save(force_insert=True)
    except IntegrityError:
        return Cart.objects.open().get(customer=customer), ""
    return cart, new_token


def new_cart(customer: Customer | None) -> tuple[Cart, str]:
    """A cart that is not stored yet, and its token if it is a guest's ("" otherwise)."""
    exponent(app_settings.CURRENCY)  # raises if CURRENCY is not set
    token = "" if customer else secrets.token_urlsafe(24)
    return Cart(customer=customer, token_hash=hash_token(token) if token else None), token


def lock(cart: Cart) -> Cart:
    """Lock an open cart's row until the transaction ends, by updating its time.

    Raises:
        CartClosed: the cart was ordered or merged meanwhile.
    """
    if not Cart.objects.open().filter(pk=cart.pk).update(updated_at=timezone.now()):
        raise CartClosed
    return cart


def hash_token(token: str) -> str:
    """The stored form of a token. A token has 192 random bits, so a plain digest is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _open_of_token(token: str) -> Contents:
    found = queries.cart_of_token(hash_token(token))
    if found.cart is None or found.cart.status == Cart.Status.MERGED:
        raise CartNotFound
    return found if found.cart.is_open else Contents()
