"""From the cart to the order in two steps: contact, delivery and payment; then a review of everything."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from shop_orders import carts, checkout, customers, guest_links, pages, payments, visitors
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartClosed, InvalidAddress, PaymentNotPossible, ShopOrdersError, TotalChanged
from shop_orders.models import Cart, Customer, Order
from shop_orders.payment_providers import payment_provider

from storefront import links, refusals, shipping
from storefront.forms import CheckoutForm
from storefront.limits import limited

SESSION_KEY = "checkout"
"""The session key under which the first step saves its values for the second."""


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def details(request: HttpRequest) -> HttpResponse:
    """Contact, delivery, address and payment on one page."""
    view = pages.current_view(request)
    if not view.can_be_ordered:
        return redirect("storefront:cart")
    customer = customers.for_request(request)
    if customer is None and not app_settings.GUEST_CHECKOUT:
        return redirect_to_login(request.path)
    addresses = list(customer.addresses.all()) if customer else []
    if request.method == "POST":
        form = CheckoutForm(request.POST, addresses=addresses, draft=view.draft)
        if form.is_valid() and _can_be_paid(form, view.cart):
            request.session[SESSION_KEY] = _kept(form)
            return redirect("storefront:checkout_review")
    else:
        form = CheckoutForm(initial=_known(request, customer), addresses=addresses, draft=view.draft)
    context = {"form": form, "view": view, "deliveries": shipping.choices()}
    return render(request, "storefront/checkout.html", context)


@require_safe
@never_cache
def review(request: HttpRequest) -> HttpResponse:
    """A review of everything, with the total that the customer agrees to by placing the order."""
    kept = request.session.get(SESSION_KEY)
    if kept is None:
        return redirect("storefront:checkout")
    cart = pages.current_cart(request)
    delivery = shipping.choices().get(kept["delivery"])
    if cart is None or delivery is None:
        return redirect("storefront:cart" if cart is None else "storefront:checkout")
    try:
        view = _preview(cart, kept)
    except ShopOrdersError as error:
        messages.error(request, refusals.sentence(error))
        return redirect("storefront:checkout")
    if not view.can_be_ordered:
        return redirect("storefront:cart")
    context = {
        "view": view,
        "kept": kept,
        "details": _digest(kept),
        "delivery": delivery,
        "free_delivery": "" if delivery.price_for(view.draft.subtotal) else delivery.label,
        "payment": payment_provider(kept["payment"]),
    }
    return render(request, "storefront/checkout_review.html", context)


@non_atomic_requests  # starts a payment
@require_POST
@limited("orders")
def place(request: HttpRequest) -> HttpResponse:
    """Place the order of the cart that the page showed. A second click or a second tab leads to the same order."""
    cart = pages.own_cart(request, request.POST.get("cart", ""))
    if cart is None:
        messages.error(request, str(CartClosed()))
        return redirect("storefront:cart")
    order = Order.objects.filter(cart=cart).select_related("customer").first()
    kept: dict[str, Any] = request.session.get(SESSION_KEY) or {}
    if order is None and not kept:
        return redirect("storefront:checkout")
    expected = _amount(request.POST.get("expected_total", ""))
    if order is None and (expected is None or request.POST.get("details") != _digest(kept)):
        messages.error(request, _("Your details were changed in another window. Please check them again."))
        return redirect("storefront:checkout_review")
    try:
        order = order or _place(request, cart, kept, expected)
    except ShopOrdersError as error:
        names = dict(cart.items.values_list("product_ref", "name"))
        messages.error(request, refusals.sentence(error, names))
        is_cart_wrong = not carts.view(cart, customer=cart.customer).can_be_ordered
        return redirect("storefront:cart" if is_cart_wrong else _step_after(error))
    request.session.pop(SESSION_KEY, None)
    token = guest_links.token_for(order.number) if order.customer.is_guest else ""
    return redirect(links.order_path(order.number, token, name="order_pay" if _asks_to_pay(order) else "order_thanks"))


def _preview(cart: Cart, kept: dict[str, Any]) -> carts.CartView:
    """The cart as it would be ordered with these values."""
    return checkout.preview(
        cart,
        contact=checkout.Contact(**kept["contact"]),
        shipping_address=kept["address"],
        delivery=kept["delivery"],
        provider=kept["payment"],
    )


def _can_be_paid(form: CheckoutForm, cart: Cart | None) -> bool:
    """Whether the order has what its payment provider needs. If not, the form gets the error at the field."""
    if cart is None:
        return True
    try:
        _preview(cart, _kept(form))
    except PaymentNotPossible as error:
        (field,) = error.extra["fields"]
        form.add_error("payment" if field == "payment_provider" else field, str(error))
        return False
    except ShopOrdersError:
        return True  # the next page says what is wrong
    return True


def _asks_to_pay(order: Order) -> bool:
    """Whether the customer must go to the payment page.

    A payment that staff record, such as a transfer, is started here: the confirmation says where to send the money.
    """
    provider = payment_provider(order.payment_provider)
    if order.amount_due <= 0 or provider.confirms_at_placement:
        return False
    if not provider.is_manual:
        return True
    try:
        payments.start(order.pk)
    except ShopOrdersError:
        return True
    return False


def _place(request: HttpRequest, cart: Cart, kept: dict[str, Any], expected: Decimal | None) -> Order:
    order = checkout.place_order(
        cart,
        contact=checkout.Contact(**kept["contact"]),
        shipping_address=kept["address"],
        delivery=kept["delivery"],
        provider=kept["payment"],
        note=kept["note"],
        expected_total=expected,
        visitor=visitors.of(request),
        by=request.user if request.user.is_authenticated else None,
    )
    if kept["save_address"] and cart.customer is not None:
        with suppress(InvalidAddress):  # the address book is full, which is no reason to refuse the order
            customers.save_address(cart.customer, kept["address"])
    return order


def _step_after(error: ShopOrdersError) -> str:
    return "storefront:checkout_review" if isinstance(error, TotalChanged) else "storefront:checkout"


def _amount(text: str) -> Decimal | None:
    """An amount as the review page writes it; None for any other text."""
    return Decimal(text) if re.fullmatch(r"[0-9]{1,14}(\.[0-9]{1,4})?", text) else None


def _digest(kept: dict[str, Any]) -> str:
    """Identifies the details that a review page showed."""
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _kept(form: CheckoutForm) -> dict[str, Any]:
    """The values for the second step, as plain data for the session."""
    values = form.cleaned_data
    address = form.shipping_address()
    return {
        "contact": {name: values[name] for name in ("name", "email", "phone")},
        "address": address,
        "delivery": values["delivery"],
        "payment": values["payment"],
        "note": values["note"],
        "save_address": bool(address and values["save_address"] and not values.get("address")),
        "form": {name: value for name, value in values.items() if name != "save_address"},
    }


def _known(request: HttpRequest, customer: Customer | None) -> dict[str, Any]:
    """The initial values of the form: those entered before, else those of the account."""
    kept = request.session.get(SESSION_KEY)
    if kept is not None:
        return dict(kept["form"])
    if customer is None:
        return {}
    return {"name": customer.name, "email": customer.email, "phone": customer.phone}
