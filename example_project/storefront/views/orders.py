"""Pages about one order, for its customer or for guests with its link."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.core.cache import cache
from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from shop_orders import form_tokens, lifecycle, pages, payments, tracking
from shop_orders.exceptions import ShopOrdersError, UnknownPaymentProvider
from shop_orders.models import Order, OrderStatus, Payment, PaymentStatus
from shop_orders.payment_providers import PaymentProvider, obstacle, payment_provider

from storefront import links, lost_links, shipping, timeline
from storefront.forms import FindOrderForm
from storefront.limits import limited

STEPS = {
    OrderStatus.PENDING: pgettext_lazy("step of an order", "Placed"),
    OrderStatus.CONFIRMED: pgettext_lazy("step of an order", "Accepted"),
    OrderStatus.PROCESSING: pgettext_lazy("step of an order", "Packing"),
    OrderStatus.SHIPPED: pgettext_lazy("step of an order", "On its way"),
    OrderStatus.DELIVERED: pgettext_lazy("step of an order", "Delivered"),
}

ASK_EVERY_SECONDS = 8
"""A page that refreshes itself asks the provider at most this often."""


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def find(request: HttpRequest) -> HttpResponse:
    """Show customers their orders; let guests request the link to an order again.

    The response does not show whether the order exists."""
    if request.user.is_authenticated:
        return redirect("storefront:account_orders")
    form = FindOrderForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        visitor = get_adapter(request).get_client_ip(request)
        lost_links.send(form.cleaned_data["number"], form.cleaned_data["email"], visitor=visitor)
        return redirect(f"{reverse('storefront:orders')}?sent=1")
    context = {"form": form, "sent": "sent" in request.GET and not form.is_bound}
    return render(request, "storefront/find_order.html", context)


@require_safe
@never_cache
def show(request: HttpRequest, number: str) -> HttpResponse:
    order = own_order(request, number)
    return render(request, "storefront/order.html", _order_page(request, order))


@non_atomic_requests  # asks the payment provider
@require_safe
@never_cache
def thanks(request: HttpRequest, number: str) -> HttpResponse:
    """The confirmation, right after the order was placed or paid."""
    order = own_order(request, number)
    _look_at_payment(order)
    context = {**_order_page(request, order), "is_new": True}
    return render(request, "storefront/order.html", context)


@non_atomic_requests  # asks the payment provider
@require_safe
@never_cache
def waiting(request: HttpRequest, number: str) -> HttpResponse:
    """For the order page while a payment waits: an empty response that reloads the page once that is over."""
    order = own_order(request, number)
    _look_at_payment(order)
    response = HttpResponse(status=204)
    if not _waits_until(order):
        response["HX-Refresh"] = "true"
    return response


@non_atomic_requests  # calls the payment provider
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@limited("payments")
def pay(request: HttpRequest, number: str) -> HttpResponse:
    """Choose a payment provider and start the payment.

    GET shows the form, with the provider that was chosen at checkout already selected.
    """
    order = own_order(request, number)
    if not _awaits_money(order):
        return redirect(links.order_path(number, token_of(request), name="order_thanks"))
    ways = _ways(order)
    alias = request.POST.get("payment", "") or order.payment_provider
    context: dict[str, Any] = {"order": order, "ways": ways, "chosen": alias, "token": token_of(request)}
    context["phone"] = request.POST.get("phone", order.phone)
    context["asks_for_phone"] = any(way.start_once_for is not None for way in ways)
    context["form_token"] = form_tokens.new_token()
    if request.method != "POST":
        return render(request, "storefront/pay.html", context)

    def start() -> str:
        payment = payments.start(
            order.pk,
            provider=alias,
            phone=request.POST.get("phone", ""),
            return_url=request.build_absolute_uri(links.order_path(number, token_of(request), name="order_thanks")),
            base_url=request.build_absolute_uri("/").rstrip("/"),
        )
        return str(payment.public_id)

    if alias not in {way.alias for way in ways}:
        return render(request, "storefront/pay.html", {**context, "error": str(UnknownPaymentProvider(alias))})
    try:
        sent = form_tokens.once(
            request.POST,
            owner=order.customer.key,
            route=f"pay by {alias} {order.number}",
            work=start,
            in_transaction=False,
        )
    except ShopOrdersError as error:
        return render(request, "storefront/pay.html", {**context, "error": str(error)})
    return _go_on(request, order, order.payments.get(public_id=sent.body))


@require_POST
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    order = own_order(request, number)

    def cancel_order() -> None:
        lifecycle.cancel(
            order.pk,
            by=request.user if request.user.is_authenticated else None,
            reason=request.POST.get("reason", "").replace("\0", "")[:500],
        )

    try:
        sent = form_tokens.once(
            request.POST, owner=order.customer.key, route=f"cancel {order.number}", work=cancel_order
        )
    except ShopOrdersError as error:
        messages.error(request, str(error))
    else:
        if sent.is_replay:
            messages.info(request, _("This was already done."))
        else:
            messages.success(request, _("Your order is cancelled."))
    return redirect(links.order_path(number, token_of(request)))


def own_order(request: HttpRequest, number: str) -> Order:
    """The visitor's order.

    Raises:
        Http404: it does not exist or belongs to somebody else; the response is the same.
    """
    order = None if "\0" in number else pages.own_order(request, number, token_of(request))
    if order is None:
        raise Http404
    return order


def token_of(request: HttpRequest) -> str:
    """The token of a guest's link; forms pass it on."""
    return request.POST.get("token", "") or request.GET.get("token", "")


def _order_page(request: HttpRequest, order: Order) -> dict[str, Any]:
    seen = tracking.of(order)
    lines = list(order.lines.all())
    charges = list(order.charges.all())
    delivery = shipping.choices().get(order.delivery)
    is_delivery_free = delivery is not None and not any(charge.kind == "shipping" for charge in charges)
    reached = list(STEPS).index(OrderStatus(order.status)) if order.status in STEPS else -1
    return {
        "order": order,
        "lines": lines,
        "charges": charges,
        "free_delivery": delivery.label if delivery is not None and is_delivery_free else "",
        "steps": [(label, index <= reached, index == reached) for index, label in enumerate(STEPS.values())],
        "entries": timeline.entries(seen),
        "shipments": seen.shipments,
        "delivery": delivery,
        "refunds": [(row, timeline.REFUND[row.status]) for row in tracking.refunds_of(order) if row.kind == "refund"],
        "payment": _provider_label(order.payment_provider),
        "instructions": _instructions(order),
        "is_open": order.payments.filter(status__in=Payment.OPEN).exclude(instructions="").exists(),
        "waits_until": _waits_until(order),
        "is_on_its_way": _is_on_its_way(order),
        "can_be_paid": _awaits_money(order) and not _confirms_at_placement(order),
        "can_be_cancelled": OrderStatus.CANCELLED in lifecycle.allowed(order.status)
        and not any(line.shipped_quantity for line in lines),
        "token": token_of(request),
        "form_token": form_tokens.new_token(),
    }


def _ways(order: Order) -> list[PaymentProvider]:
    """The payment providers for a placed order, without those that would confirm it unpaid."""
    return payments.providers_for(order)


def _go_on(request: HttpRequest, order: Order, payment: Payment) -> HttpResponse:
    """Go on to the provider's page or to the order.

    A page of another site is shown as a link: browsers check a redirect after a form against ``form-action``.
    """
    url = payment.redirect_url
    if not url or not payment.is_open:
        return redirect(links.order_path(order.number, token_of(request), name="order_thanks"))
    if url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure()):
        return redirect(url)
    return render(request, "storefront/pay_elsewhere.html", {"order": order, "url": url, "token": token_of(request)})


def _look_at_payment(order: Order) -> None:
    """Ask the provider about an open payment: its webhook may arrive after the customer returns."""
    payment = order.payments.filter(status__in=Payment.OPEN).order_by("-id").first()
    if payment is None or not cache.add(f"look-at-payment-{payment.pk}", 1, ASK_EVERY_SECONDS):
        return
    try:
        payments.refresh(payment)
    except ShopOrdersError:
        return
    order.refresh_from_db()


def _waits_until(order: Order) -> datetime | None:
    """When a payment request, such as one on the customer's phone, ends; None if no request is open."""
    if not _awaits_money(order):
        return None
    payment = order.payments.filter(status=Payment.Status.PENDING, redirect_url="").order_by("-id").first()
    is_waiting = payment is not None and payment.expires_at is not None and payment.expires_at > timezone.now()
    return payment.expires_at if payment is not None and is_waiting else None


def _awaits_money(order: Order) -> bool:
    """Whether an amount is due that no provider has authorised yet, and that is not on its way."""
    is_due = order.amount_due > 0 and order.payment_status != PaymentStatus.AUTHORISED
    return is_due and not _is_on_its_way(order)


def _is_on_its_way(order: Order) -> bool:
    """Whether the customer has paid in a way that takes days, such as a bank debit."""
    return order.amount_due > 0 and order.payments.filter(status=Payment.Status.PROCESSING).exists()


def _provider_label(alias: str) -> Any:
    try:
        return payment_provider(alias).label
    except ShopOrdersError:
        return alias


def _confirms_at_placement(order: Order) -> bool:
    try:
        return payment_provider(order.payment_provider).confirms_at_placement
    except ShopOrdersError:
        return False


def _instructions(order: Order) -> str:
    """The payment instructions for the customer, such as the bank account, or how to pay by hand."""
    if not order.amount_due:
        return ""
    payment = order.payments.filter(status__in=Payment.OPEN).exclude(instructions="").order_by("-id").first()
    if payment is not None:
        return payment.instructions
    try:
        provider = payment_provider(order.payment_provider)
    except ShopOrdersError:
        return ""
    if obstacle(provider, amount=order.amount_due, currency=order.currency):
        return ""
    return provider.by_hand(order_number=order.number, amount=order.amount_due)
