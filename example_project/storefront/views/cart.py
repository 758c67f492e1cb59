"""The cart."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from shop_orders import carts, pages
from shop_orders.conf import app_settings
from shop_orders.exceptions import ShopOrdersError
from shop_orders.product_sources import product_source

from storefront import refusals
from storefront.context_processors import cart_count
from storefront.limits import limited
from storefront.origins import confirmed


@require_safe
@never_cache
def show(request: HttpRequest) -> HttpResponse:
    view = pages.current_view(request)
    problem = " ".join(refusals.sentence(error) for error in view.problems)
    context = {"view": view, "problem": problem, "max_quantity": app_settings.MAX_QUANTITY}
    return render(request, "storefront/cart.html", context)


@require_POST
@confirmed("storefront/confirm_add.html")
@limited("cart")
def add(request: HttpRequest) -> HttpResponse:
    """Add a product and show the cart; htmx gets a short message and the new count instead."""
    get_token(request)  # sets the cookie by which scripts know that a visitor has a cart (shop.js)
    ref, quantity = ref_of(request), quantity_of(request, default=1)
    is_htmx = request.headers.get("HX-Request") == "true"
    response = HttpResponse() if is_htmx else redirect("storefront:cart")
    name, problem = _name(ref), ""
    try:
        cart = pages.add_to_cart(request, response, ref, quantity)
    except ShopOrdersError as error:
        problem = refusals.sentence(error, {ref: name})
        count = cart_count(request)
    else:
        count = sum(cart.items.values_list("quantity", flat=True))
    if is_htmx:
        context = {"name": name, "problem": problem, "cart_count": count, "oob": True}
        response.content = render(request, "storefront/parts/added.html", context).content
        return response
    if problem:
        messages.error(request, problem)
        return redirect(_back(request))
    messages.success(request, _("%(name)s is in your cart.") % {"name": name})
    return response


@require_POST
@limited("cart")
def change(request: HttpRequest) -> HttpResponse:
    """Set the quantity of a product; 0 removes it."""
    ref, quantity = ref_of(request), quantity_of(request, default=-1)
    if "remove" in request.POST:
        quantity = 0
    cart = pages.current_cart(request)
    if cart is not None and quantity == 0:
        carts.remove_item(cart, ref)
        messages.success(request, _("%(name)s was removed.") % {"name": request.POST.get("name", "")[:200] or ref})
    elif cart is not None:
        try:
            carts.set_quantity(cart, ref, quantity)
        except ShopOrdersError as error:
            messages.error(request, refusals.sentence(error, {ref: _name(ref)}))
    return redirect("storefront:cart")


@require_POST
@limited("cart")
def clear(request: HttpRequest) -> HttpResponse:
    cart = pages.current_cart(request)
    if cart is not None:
        carts.clear(cart)
        messages.success(request, _("Your cart is empty."))
    return redirect("storefront:cart")


def ref_of(request: HttpRequest) -> str:
    """The product reference of the form without NUL, which PostgreSQL refuses in a query."""
    return request.POST.get("product", "").replace("\0", "")


def quantity_of(request: HttpRequest, *, default: int) -> int:
    """A whole number from the form, or ``default`` if it is not a number; the action refuses numbers below 1."""
    text = request.POST.get("quantity", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _name(ref: str) -> str:
    product = product_source().fetch([ref]).get(ref) if ref else None
    return product.name if product is not None else ref


def _back(request: HttpRequest) -> str:
    """The page with the form, if it is a page of this site."""
    url = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_ours and url.startswith("/") else "storefront:cart"
