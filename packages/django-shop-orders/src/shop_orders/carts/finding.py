"""Whose cart it is: found by its customer or by a guest's token, opened, locked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import FilteredRelation, Q, QuerySet
from django.utils import timezone

from shop_orders import customers
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartClosed, CartNotFound
from shop_orders.hot_query import HotQuery, Word
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.money import exponent


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Whose cart it is and what is in it. ``cart`` is None before the first write, ``customer`` None for a guest."""

    customer: Customer | None = None
    cart: Cart | None = None
    items: tuple[CartItem, ...] = ()


def contents(*, user: Any = None, token: str = "", with_items: bool = True) -> Contents:
    """The open cart of a user, who becomes a customer on first use, or of a guest's token, in one statement.

    ``with_items=False`` is for who reads the lines later, under the lock of a checkout.

    Raises:
        CartNotFound: as in ``find``.
    """
    if user is None:
        return _open_of_token(token) if token else Contents()
    rows = _OF_USER.rows(with_items, user=user.pk)
    if not rows:
        return Contents(customer=customers.for_user(user))
    customer = Customer.from_db(router.db_for_write(Customer), _CUSTOMER, rows[0][: len(_CUSTOMER)])
    customer.user = user
    return replace(_cart_of([row[len(_CUSTOMER) :] for row in rows], customer), customer=customer)


def find(*, customer: Customer | None = None, token: str = "") -> Cart | None:
    """The open cart of a customer, or the one that a guest's token opens; None before the first write.

    A customer's token is left alone: it waits for ``merge``.

    Raises:
        CartNotFound: nobody has this token, or its cart went into another one.
    """
    if customer is not None:
        mine = Cart.objects.open().filter(customer=customer).first()
        if mine is not None:
            mine.customer = customer
        return mine
    return _open_of_token(token).cart if token else None


def by_token(token: str) -> Cart | None:
    """The cart of a guest's token, whatever its status."""
    return _of_token(token).cart if token else None


def find_or_open(*, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """The cart to write into, and the new token of a guest whose cart was just opened ("" otherwise).

    Raises:
        CartNotFound: as in ``find``.
    """
    cart = find(customer=customer, token=token)
    if cart is not None:
        return cart, ""
    exponent(app_settings.CURRENCY)  # no cart before the shop knows its currency
    if customer is None:
        new_token = secrets.token_urlsafe(24)
        return Cart.objects.create(token_hash=hash_token(new_token)), new_token
    try:
        with transaction.atomic():
            return Cart.objects.create(customer=customer), ""
    except IntegrityError:
        return Cart.objects.open().get(customer=customer), ""


def new_cart(customer: Customer | None) -> tuple[Cart, str]:
    """A cart that is not written yet, and the token of a guest's."""
    exponent(app_settings.CURRENCY)  # no cart before the shop knows its currency
    token = "" if customer else secrets.token_urlsafe(24)
    return Cart(customer=customer, token_hash=hash_token(token) if token else None), token


def lock(cart: Cart) -> Cart:
    """Lock an open cart's row by noting that it is used; it stays locked until the transaction ends."""
    if not Cart.objects.open().filter(pk=cart.pk).update(updated_at=timezone.now()):
        raise CartClosed
    return cart


def items(cart: Cart) -> list[CartItem]:
    """The lines as they are stored now."""
    alias = router.db_for_write(CartItem)
    return [CartItem.from_db(alias, _ITEM, row) for row in _ITEMS.rows(cart=cart.pk)]


def hash_token(token: str) -> str:
    """What is stored of a token. It has 192 random bits, so a plain digest will do."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _of_token(token: str) -> Contents:
    return _cart_of(_OF_TOKEN.rows(token_hash=hash_token(token)), None)


def _open_of_token(token: str) -> Contents:
    found = _of_token(token)
    if found.cart is None or found.cart.status == Cart.Status.MERGED:
        raise CartNotFound
    return found if found.cart.is_open else Contents()


def _cart_of(rows: Sequence[Sequence[Any]], customer: Customer | None) -> Contents:
    """What rows say that hold the columns of a cart and maybe of one of its lines each; both may be NULL."""
    if not rows or rows[0][0] is None:
        return Contents()
    alias, width = router.db_for_write(Cart), len(_CART)
    cart = Cart.from_db(alias, _CART, rows[0][:width])
    if customer is not None:
        cart.customer = customer
    lines = [CartItem.from_db(alias, _ITEM, row[width:]) for row in rows if row[width:] and row[width] is not None]
    return Contents(cart=cart, items=tuple(lines))


_CUSTOMER = [field.attname for field in Customer._meta.concrete_fields]
_CART = [field.attname for field in Cart._meta.concrete_fields]
_ITEM = [field.attname for field in CartItem._meta.concrete_fields]


def _build_of_user(p: Any, with_items: bool) -> QuerySet[Any, Any]:  # noqa: FBT001 - a shape
    mine = Customer.objects.filter(user=p("user", Customer._meta.get_field("user")))
    joined = mine.annotate(cart=FilteredRelation("carts", condition=Q(carts__status=Word("open"))))
    columns = [*_CUSTOMER, *(f"cart__{name}" for name in _CART)]
    if with_items:
        columns += [f"cart__items__{name}" for name in _ITEM]
    rows: QuerySet[Any, Any] = joined.order_by("cart__items__id" if with_items else "id").values_list(*columns)
    return rows


def _build_of_token(p: Any) -> QuerySet[Any, Any]:
    known = Cart.objects.filter(token_hash=p("token_hash", Cart._meta.get_field("token_hash")))
    rows: QuerySet[Any, Any] = known.order_by("items__id").values_list(*_CART, *(f"items__{name}" for name in _ITEM))
    return rows


def _build_items(p: Any) -> QuerySet[Any, Any]:
    items = CartItem.objects.filter(cart=p("cart", Cart._meta.get_field("id")))
    rows: QuerySet[Any, Any] = items.order_by("id").values_list(*_ITEM)
    return rows


_OF_USER = HotQuery(Customer, _build_of_user)
_OF_TOKEN = HotQuery(Cart, _build_of_token)
_ITEMS = HotQuery(CartItem, _build_items)
