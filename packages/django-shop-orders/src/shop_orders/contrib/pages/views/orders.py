"""Pages about one order, for its customer or for guests with its link."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from shop_orders import customers, form_tokens, lifecycle, payments, tracking, visitors
from shop_orders.contrib.pages import links, lost_links, timeline
from shop_orders.contrib.pages.delivery import DeliveryOption, by_code
from shop_orders.contrib.pages.forms import FindOrderForm
from shop_orders.contrib.pages.views.base import OrderPage, Page
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Customer, IncomingPayment, Order, OrderStatus, Payment, PaymentStatus
from shop_orders.payment_providers import obstacle, payment_provider
from shop_orders.pricing import Draft

logger = logging.getLogger(__name__)

STEPS = {
    OrderStatus.PENDING: pgettext_lazy("step of an order", "Placed"),
    OrderStatus.CONFIRMED: pgettext_lazy("step of an order", "Accepted"),
    OrderStatus.PROCESSING: pgettext_lazy("step of an order", "Packing"),
    OrderStatus.SHIPPED: pgettext_lazy("step of an order", "On its way"),
    OrderStatus.DELIVERED: pgettext_lazy("step of an order", "Delivered"),
}

ASK_EVERY_SECONDS = 8
"""The provider is asked about a payment at most this often, even if the page refreshes itself."""


class FindOrder(Page):
    """Show customers their orders; let guests request the link to an order again.

    The response does not show whether the order exists."""

    template_name = "shop_orders_pages/find_order.html"
    form_class = FindOrderForm
    newest = 20
    """The number of orders that a customer sees."""

    def get(self, request: HttpRequest) -> HttpResponse:
        customer = customers.for_request(request)
        if customer is not None:
            return self.of_customer(customer)
        return self.show(self.form_class(), sent="sent" in request.GET)

    def post(self, request: HttpRequest) -> HttpResponse:
        customer = customers.for_request(request)
        if customer is not None:
            return self.of_customer(customer)
        form = self.form_class(request.POST)
        if not form.is_valid():
            return self.show(form, sent=False)
        number, email = form.cleaned_data["number"], form.cleaned_data["email"]
        if not lost_links.send(number, email, visitor=visitors.of(request)):
            self.not_sent()
        return redirect(f"{reverse('shop_orders_pages:orders')}?sent=1")

    def show(self, form: FindOrderForm, *, sent: bool) -> HttpResponse:
        """The page for guests; ``sent`` says that a link was asked for."""
        return self.render(form=form, sent=sent, sends_links=lost_links.are_sent())

    def not_sent(self) -> None:
        """Called if no link is sent. If receivers of the signal wake a queue after the commit, wake it here too, so
        that the response time does not show which orders exist.
        """

    def of_customer(self, customer: Customer) -> HttpResponse:
        """The customer's newest orders."""
        rows = Order.objects.of(customer).order_by("-placed_at", "-pk").annotate(item_count=Sum("lines__quantity"))
        return self.render(orders=list(rows[: self.newest]))


class ShowOrder(OrderPage):
    """The order with its timeline."""

    template_name = "shop_orders_pages/order.html"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:  # noqa: ARG002
        return self.render(**self.values(self.own_order(number)))

    def values(self, order: Order) -> dict[str, Any]:
        """What the page shows of the order."""
        seen = tracking.of(order)
        lines = list(order.lines.all())
        charges = list(order.charges.all())
        delivery = self.delivery_of(order)
        is_delivery_free = delivery is not None and not any(charge.kind == "shipping" for charge in charges)
        reached = list(STEPS).index(OrderStatus(order.status)) if order.status in STEPS else -1
        refunds = [row for row in tracking.refunds_of(order) if row.kind == "refund"]
        return {
            "order": order,
            "lines": lines,
            "charges": charges,
            "free_delivery": delivery.label if delivery is not None and is_delivery_free else "",
            "steps": [(label, index <= reached, index == reached) for index, label in enumerate(STEPS.values())],
            "entries": timeline.entries(seen),
            "shipments": seen.shipments,
            "delivery": delivery,
            "refunds": [(row, timeline.REFUND[row.status]) for row in refunds],
            "payment": _provider_label(order.payment_provider),
            "instructions": _instructions(order),
            "is_open": order.payments.filter(status__in=Payment.OPEN).exclude(instructions="").exists(),
            "waits_until": waits_until(order),
            "is_on_its_way": _is_on_its_way(order),
            "held_money": _held_money(order),
            "can_be_paid": awaits_money(order) and not _confirms_at_placement(order),
            "can_be_cancelled": OrderStatus.CANCELLED in lifecycle.allowed(order.status)
            and not any(line.shipped_quantity for line in lines),
            "token": self.token,
            "form_token": form_tokens.new_token(),
        }

    def delivery_of(self, order: Order) -> DeliveryOption | None:
        """The delivery option of an order; None if the shop has none or no longer has it."""
        options = by_code(self.delivery_options(Draft(lines=(), currency=order.currency)))
        return options.get(order.delivery) if order.delivery else None


class Thanks(ShowOrder):
    """The confirmation, right after the order was placed or paid: the page to which a provider's page returns."""

    calls_provider = True

    def get(self, request: HttpRequest, number: str) -> HttpResponse:  # noqa: ARG002
        order = self.own_order(number)
        look_at_payment(order)
        return self.render(**self.values(order), is_new=order.status != OrderStatus.CANCELLED)


class CancelOrder(OrderPage):
    """Cancel the order once, however often the form is sent."""

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = self.own_order(number)

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
        return redirect(links.order_path(number, self.token))


def look_at_payment(order: Order) -> None:
    """Ask the provider about an open payment: its webhook may arrive after the customer returns."""
    payment = order.payments.filter(status__in=Payment.OPEN).order_by("-id").first()
    if payment is None or _was_asked(payment):
        return
    try:
        payments.refresh(payment)
    except ShopOrdersError:
        return
    order.refresh_from_db()


def _was_asked(payment: Payment) -> bool:
    """Whether the provider was asked less than ASK_EVERY_SECONDS ago; False if the cache fails."""
    try:
        return not cache.add(f"look-at-payment-{payment.pk}", 1, ASK_EVERY_SECONDS)
    except Exception:  # each cache backend raises its own errors
        logger.exception("The cache failed: providers are asked each time that the page of a payment is opened.")
        return False


def waits_until(order: Order) -> datetime | None:
    """When a payment request, such as one on the customer's phone, ends; None if no request is open."""
    if not awaits_money(order):
        return None
    payment = order.payments.filter(status=Payment.Status.PENDING, redirect_url="").order_by("-id").first()
    is_waiting = payment is not None and payment.expires_at is not None and payment.expires_at > timezone.now()
    return payment.expires_at if payment is not None and is_waiting else None


def awaits_money(order: Order) -> bool:
    """Whether an amount is due that no provider has authorised yet, and that no payment under way will cover."""
    is_due = order.amount_due > 0 and order.payment_status != PaymentStatus.AUTHORISED
    return is_due and not _is_on_its_way(order)


def _held_money(order: Order) -> Decimal:
    """The amount that the customer sent by hand for the order and that is held for staff."""
    is_held = {"status": IncomingPayment.Status.HELD, "is_confirmed": True}
    held = order.incoming_payments.filter(**is_held, currency=order.currency)
    return sum(held.values_list("amount", flat=True), Decimal(0))


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
