"""Helpers for sites with their own pages: the cart of a request, a guest's cookie, and the merge at log-in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from shop_core.db.transactions import outside_event_loop

from shop_orders import carts, customers, guest_links
from shop_orders.exceptions import Busy, CartNotFound
from shop_orders.models import Cart, Order
from shop_orders.product_sources.reading import read

logger = logging.getLogger(__name__)

COOKIE = "shop_cart"
COOKIE_MAX_AGE_SECONDS = 60 * 24 * 3600
_SALT = "shop_orders.cart"


def cart_token(request: HttpRequest) -> str:
    """The guest's token in the signed cookie; "" if there is none or its signature is wrong."""
    try:
        return request.get_signed_cookie(COOKIE, default="", salt=_SALT) or ""
    except BadSignature:
        return ""


def current_cart(request: HttpRequest) -> Cart | None:
    """The open cart of the customer or guest; None before the first product was added."""
    try:
        return carts.find(customer=customers.for_request(request), token=cart_token(request))
    except CartNotFound:
        return None


def current_view(request: HttpRequest, **options: Any) -> carts.CartView:
    """The cart with current prices; ``options`` as for ``carts.view``."""
    return carts.view(current_cart(request), customer=customers.for_request(request), **options)


def own_cart(request: HttpRequest, public_id: str) -> Cart | None:
    """The visitor's cart with this id, in any status: a checkout that is posted twice finds the ordered cart."""
    customer = customers.for_request(request)
    if customer is not None:
        mine = Cart.objects.filter(customer=customer)
    else:
        mine = Cart.objects.filter(token_hash=carts.hash_token(cart_token(request)))
    try:
        return mine.filter(public_id=public_id).first()
    except ValidationError:
        return None


def own_order(request: HttpRequest, number: str, token: str = "") -> Order | None:
    """The visitor's order, or the one that a guest's link opens; None for an order of somebody else."""
    order = Order.objects.select_related("customer").numbered(number).first()
    customer = customers.for_request(request)
    if order is None:
        return None
    is_mine = customer is not None and order.customer_id == customer.pk
    return order if is_mine or guest_links.is_valid(order, token) else None


def add_to_cart(
    request: HttpRequest,
    response: HttpResponseBase,
    ref: str,
    quantity: int = 1,
    *,
    options: Mapping[str, str] | None = None,
) -> Cart:
    """``carts.add_to_cart`` for a page. For a guest's new cart, the cookie is set on ``response``."""
    customer, token = customers.for_request(request), cart_token(request)
    try:
        cart, new_token = carts.add_to_cart(ref, quantity, customer=customer, token=token, options=options)
    except CartNotFound:
        cart, new_token = carts.add_to_cart(ref, quantity, customer=customer, options=options)
    if new_token:
        remember(response, new_token, secure=request.is_secure())
    return cart


def product_name(ref: str) -> str:
    """The name of a product; its ref if it cannot be bought or read."""
    product = read([ref]).get(ref) if ref else None
    return ref if product is None else product.name


def remember(response: HttpResponseBase, token: str, *, secure: bool) -> None:
    """Set the signed cookie with a guest's cart token, which scripts cannot read."""
    response.set_signed_cookie(
        COOKIE, token, salt=_SALT, max_age=COOKIE_MAX_AGE_SECONDS, httponly=True, samesite="Lax", secure=secure
    )


def forget(response: HttpResponseBase) -> None:
    """Delete the guest's cookie, after log-in or after the order."""
    response.delete_cookie(COOKIE, samesite="Lax")


def cart(request: HttpRequest) -> dict[str, Any]:
    """A context processor: ``{{ cart.item_count }}``, read when a template asks for it, also in an async view."""
    return {"cart": SimpleLazyObject(lambda: outside_event_loop(lambda: current_view(request)))}


def connect() -> None:
    """Merge a guest's cart, and claim a guest's orders, when their owner logs in."""
    user_logged_in.connect(_merge_and_claim, dispatch_uid="shop_orders.pages")


def _merge_and_claim(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:  # noqa: ARG001
    """A log-in never fails because of the cart, whose token can be merged later, or of a hook of the site."""
    try:
        customers.claim_orders(user)
    except Exception:
        logger.exception(
            "Guest orders were not claimed at log-in. It uses the hooks VERIFIED_EMAILS and NEW_CUSTOMER."
        )
    token = cart_token(request) if request is not None else ""
    if not token:
        return
    try:
        carts.merge(token, customer=customers.for_user(user))
    except CartNotFound:
        return
    except Busy:
        logger.warning("A guest's cart was not merged at log-in: its row was locked for too long")
    except Exception:
        logger.exception("A guest's cart was not merged at log-in. It uses the hook NEW_CUSTOMER and PRODUCT_SOURCE.")
