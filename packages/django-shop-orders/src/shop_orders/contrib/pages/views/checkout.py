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
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from shop_orders import carts, checkout, customers, guest_links, pages, payments, visitors
from shop_orders.conf import app_settings
from shop_orders.contrib.pages import links, refusals
from shop_orders.contrib.pages.forms import CheckoutForm
from shop_orders.contrib.pages.views.base import Page
from shop_orders.exceptions import InvalidAddress, InvalidInput, PaymentNotPossible, ShopOrdersError, TotalChanged
from shop_orders.models import Cart, Customer, Order
from shop_orders.payment_providers import payment_provider

REMIND_SHOWN = "remind_shown"
"""A hidden field beside the checkbox for the reminder, so that a page without the checkbox withdraws no consent."""
SESSION_KEY = "shop_checkout"
"""The session key under which the first step saves its values for the second."""


class EnterDetails(Page):
    """Contact, delivery, address and payment on one page."""

    template_name = "shop_orders_pages/checkout.html"
    form_class = CheckoutForm

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.handle(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.handle(request)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or keep its values for the review if it was sent and is valid."""
        view = pages.current_view(request)
        if not view.can_be_ordered:
            return redirect("shop_orders_pages:cart")
        customer = customers.for_request(request)
        if customer is None and not app_settings.GUEST_CHECKOUT:
            return redirect_to_login(request.path)
        addresses = list(customer.addresses.all()) if customer else []
        deliveries = self.deliveries(view.draft)
        if request.method == "POST":
            form = self.form_class(request.POST, addresses=addresses, deliveries=deliveries, draft=view.draft)
            if form.is_valid() and _can_be_paid(form, view.cart) and _can_be_reminded(form, view.cart):
                request.session[SESSION_KEY] = _kept(form)
                return redirect("shop_orders_pages:checkout_review")
        else:
            initial = _known(request, customer) | {"remind": carts.reminder_of(view.cart) is not None}
            form = self.form_class(initial=initial, addresses=addresses, deliveries=deliveries, draft=view.draft)
        return self.render(form=form, view=view)


class ReviewOrder(Page):
    """A review of everything, with the total that the customer agrees to by placing the order."""

    template_name = "shop_orders_pages/checkout_review.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        cart = pages.current_cart(request)
        if cart is None:
            return redirect("shop_orders_pages:cart")
        kept = request.session.get(SESSION_KEY)
        if kept is None:
            return _ask_again(request)
        try:
            view = _preview(cart, kept)
        except ShopOrdersError as error:
            messages.error(request, refusals.sentence(error))
            return redirect("shop_orders_pages:checkout")
        if not view.can_be_ordered:
            return redirect("shop_orders_pages:cart")
        delivery = self.deliveries(view.draft).get(kept["delivery"])
        if delivery is None:
            return redirect("shop_orders_pages:checkout")
        return self.render(
            view=view,
            kept=kept,
            details=_digest(kept, [(line.line, line.quantity) for line in view.lines]),
            delivery=delivery,
            free_delivery=delivery.label if delivery.price == 0 else "",
            payment=payment_provider(kept["payment"]),
        )


class PlaceOrder(Page):
    """Place the order of the cart that the page showed. A second click or a second tab leads to the same order."""

    throttle = "orders"
    calls_provider = True

    def post(self, request: HttpRequest) -> HttpResponse:
        cart = pages.own_cart(request, request.POST.get("cart", ""))
        if cart is None:
            messages.error(request, _("Your cart has changed since that page was opened. Please check it."))
            return redirect("shop_orders_pages:cart")
        order = Order.objects.filter(cart=cart).select_related("customer").first()
        kept: dict[str, Any] = request.session.get(SESSION_KEY) or {}
        if order is None and not kept:
            return _ask_again(request)
        expected = _amount(request.POST.get("expected_total", ""))
        if order is None and (expected is None or request.POST.get("details") != _digest(kept, _lines(cart))):
            messages.error(
                request, _("Your cart or your details were changed in another window. Please check them again.")
            )
            return redirect("shop_orders_pages:checkout_review")
        try:
            order = order or self.place(cart, kept, expected)
        except ShopOrdersError as error:
            return self.refused(cart, error)
        request.session.pop(SESSION_KEY, None)
        token = guest_links.token_for(order.number) if order.customer.is_guest else ""
        page = "order_pay" if _asks_to_pay(order) else "order_thanks"
        return redirect(links.order_path(order.number, token, name=page))

    def place(self, cart: Cart, kept: dict[str, Any], expected: Decimal | None) -> Order:
        """Place the order with the values of the first step. ``kept["form"]`` has all fields of its form."""
        user = self.request.user
        order = checkout.place_order(
            cart,
            contact=checkout.Contact(**kept["contact"]),
            shipping_address=kept["address"],
            delivery=kept["delivery"],
            provider=kept["payment"],
            note=kept["note"],
            expected_total=expected,
            visitor=visitors.of(self.request),
            by=user if user.is_authenticated else None,
        )
        if kept["save_address"] and cart.customer is not None:
            with suppress(InvalidAddress):  # the address book is full, which is no reason to refuse the order
                customers.save_address(cart.customer, kept["address"])
        return order

    def refused(self, cart: Cart, error: ShopOrdersError) -> HttpResponse:
        """Show why the order was not placed, on the page where the customer can correct it."""
        names = dict(cart.items.values_list("product_ref", "name"))
        messages.error(self.request, refusals.sentence(error, names))
        if not carts.view(cart, customer=cart.customer).can_be_ordered:
            return redirect("shop_orders_pages:cart")
        step = "checkout_review" if isinstance(error, TotalChanged) else "checkout"
        return redirect(f"shop_orders_pages:{step}")


def _ask_again(request: HttpRequest) -> HttpResponse:
    """Redirect to the first step: the session has ended, or was too large for a cookie."""
    messages.error(request, _("Your details are no longer stored. Please enter them again."))
    return redirect("shop_orders_pages:checkout")


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
    """Whether the order has what its payment provider needs. If not, the error is added to the field."""
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


def _can_be_reminded(form: CheckoutForm, cart: Cart | None) -> bool:
    """Record or withdraw the consent to a reminder, if the page asked for it. Returns False, and adds the error to the
    form, if no mail can be sent to the address."""
    if cart is None or REMIND_SHOWN not in form.data or "remind" not in form.fields:
        return True
    try:
        if form.cleaned_data["remind"]:
            carts.agree_to_reminder(cart, email=form.cleaned_data["email"])
        else:
            carts.withdraw_reminder(cart)
    except InvalidInput as error:
        form.add_error("email", str(error))
        return False
    except ShopOrdersError:
        return True  # the next page says what is wrong
    return True


def _asks_to_pay(order: Order) -> bool:
    """Whether the customer must go to the payment page.

    A payment that staff record, such as a transfer, is started here: the confirmation says where to send the money.
    """
    try:
        provider = payment_provider(order.payment_provider)
        if order.amount_due <= 0 or provider.confirms_at_placement:
            return False
        if not provider.is_manual:
            return True
        payments.start(order.pk)
    except ShopOrdersError:
        return True
    return False


def _amount(text: str) -> Decimal | None:
    """An amount as the review page writes it; None for any other text."""
    return Decimal(text) if re.fullmatch(r"[0-9]{1,14}(\.[0-9]{1,4})?", text) else None


def _lines(cart: Cart) -> list[tuple[str, int]]:
    """The lines of a cart, with their quantities."""
    return [(item.line, item.quantity) for item in cart.items.all()]


def _digest(kept: dict[str, Any], lines: list[tuple[str, int]]) -> str:
    """A hash of the details and lines that a review page showed. The total can stay the same when they change."""
    return hashlib.sha256(json.dumps([kept, sorted(lines)], sort_keys=True).encode()).hexdigest()


def _kept(form: CheckoutForm) -> dict[str, Any]:
    """The values for the second step, as plain data for the session."""
    values = form.cleaned_data
    address = form.shipping_address()
    return {
        "contact": {name: values[name] for name in ("name", "email", "phone")},
        "address": address,
        "delivery": values.get("delivery", ""),
        "payment": values["payment"],
        "note": values["note"],
        "save_address": bool(address and values["save_address"] and not values.get("address")),
        "form": {name: value for name, value in values.items() if name not in ("save_address", "remind")},
    }


def _known(request: HttpRequest, customer: Customer | None) -> dict[str, Any]:
    """The initial values of the form: those entered before, else those of the account."""
    kept = request.session.get(SESSION_KEY)
    if kept is not None:
        return dict(kept["form"])
    if customer is None:
        return {}
    return {"name": customer.name, "email": customer.email, "phone": customer.phone}
