"""The cart."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from shop_orders import carts, pages
from shop_orders.conf import app_settings
from shop_orders.contrib.pages import refusals
from shop_orders.contrib.pages.views.base import Page
from shop_orders.exceptions import InvalidQuantity, ShopOrdersError
from shop_orders.models import Cart

OPTION = "option."
"""The prefix of the names of form fields with line options."""

LARGEST_QUANTITY = 1_000_000_000
"""A quantity that every shop refuses. Larger numbers are replaced by it."""


class ShowCart(Page):
    """The cart with current prices, and what changed since the products were added."""

    template_name = "shop_orders_pages/cart.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        view = pages.current_view(request)
        problem = " ".join(refusals.sentence(error) for error in view.problems)
        return self.render(view=view, problem=problem, max_quantity=app_settings.MAX_QUANTITY)


class AddToCart(Page):
    """Add a product of a form with ``product``, ``quantity`` (1 if it is left out) and ``back``, the form's page.

    A field ``option.NAME`` is a text for the option NAME of the line. Empty fields are ignored.
    """

    throttle = "cart"

    def post(self, request: HttpRequest) -> HttpResponse:
        ref, response = ref_of(request), self.response()
        name = pages.product_name(ref)
        try:
            quantity = quantity_of(request, default=1)
            cart = pages.add_to_cart(request, response, ref, quantity, options=options_of(request))
        except ShopOrdersError as error:
            return self.refused(name, refusals.sentence(error, {ref: name}))
        return self.added(response, name, cart)

    def response(self) -> HttpResponse:
        """The response to a product that was added. A guest's cookie is set on it."""
        return redirect("shop_orders_pages:cart")

    def added(self, response: HttpResponse, name: str, cart: Cart) -> HttpResponse:
        """Show that a product was added. ``response`` was returned by ``response()``."""
        del cart
        messages.success(self.request, _("%(name)s is in your cart.") % {"name": name})
        return response

    def refused(self, name: str, problem: str) -> HttpResponse:
        """Show why a product was not added, on the page with the form if it is a page of this site."""
        del name
        messages.error(self.request, problem)
        return redirect(_back(self.request))


class ChangeCart(Page):
    """Set the quantity of a ``line``, or of a ``product`` that only one line has. 0 or the field ``remove`` removes
    it.

    ``name`` is shown after it was removed.
    """

    throttle = "cart"

    def post(self, request: HttpRequest) -> HttpResponse:
        line, ref = request.POST.get("line", ""), ref_of(request)
        cart = pages.current_cart(request)
        if cart is not None:
            try:
                quantity = 0 if "remove" in request.POST else quantity_of(request)
                _change(cart, line, ref, quantity)
            except ShopOrdersError as error:
                messages.error(request, refusals.sentence(error, {ref: pages.product_name(ref)}))
            else:
                self.changed(request.POST.get("name", "")[:200] or ref, is_removed=quantity == 0)
        return redirect("shop_orders_pages:cart")

    def changed(self, name: str, *, is_removed: bool) -> None:
        """Show a message if a product was removed. A changed quantity is visible in the cart."""
        if is_removed and name:
            messages.success(self.request, _("%(name)s was removed.") % {"name": name})


class ClearCart(Page):
    """Remove all products."""

    throttle = "cart"

    def post(self, request: HttpRequest) -> HttpResponse:
        cart = pages.current_cart(request)
        if cart is not None:
            carts.clear(cart)
            messages.success(request, _("Your cart is empty."))
        return redirect("shop_orders_pages:cart")


def _change(cart: Cart, line: str, ref: str, quantity: int) -> None:
    if line and quantity:
        carts.set_line_quantity(cart, line, quantity)
    elif line:
        carts.remove_line(cart, line)
    elif quantity:
        carts.set_quantity(cart, ref, quantity)
    else:
        carts.remove_item(cart, ref)


def options_of(request: HttpRequest) -> dict[str, str]:
    """The texts of the fields ``option.NAME`` by their names, without those that are empty."""
    found = {name.removeprefix(OPTION): value for name, value in request.POST.items() if name.startswith(OPTION)}
    return {name: str(value) for name, value in found.items() if str(value).strip()}


def ref_of(request: HttpRequest) -> str:
    """The product reference of the form without NUL, which PostgreSQL refuses in a query."""
    return request.POST.get("product", "").replace("\0", "")


def quantity_of(request: HttpRequest, *, default: int | None = None) -> int:
    """The quantity in the form, or ``default`` if the field is missing or empty.

    Raises:
        InvalidQuantity: it is not a whole number.
    """
    text = request.POST.get("quantity", "").strip()
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise InvalidQuantity(_("Enter the quantity as a whole number."))
    return int(text) if len(text) < len(str(LARGEST_QUANTITY)) else LARGEST_QUANTITY


def _back(request: HttpRequest) -> str:
    url = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_ours and url.startswith("/") else "shop_orders_pages:cart"
