"""The page on which a customer chooses a payment provider and pays."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from shop_orders import form_tokens, payments
from shop_orders.contrib.pages import links, refusals
from shop_orders.contrib.pages.views.base import OrderPage
from shop_orders.contrib.pages.views.orders import awaits_money
from shop_orders.exceptions import ShopOrdersError, UnknownPaymentProvider
from shop_orders.models import Order, Payment


class PayOrder(OrderPage):
    """Choose a payment provider and start the payment. The provider that was chosen at checkout is selected."""

    template_name = "shop_orders_pages/pay.html"
    elsewhere_template_name = "shop_orders_pages/pay_elsewhere.html"
    throttle = "payments"
    calls_provider = True

    def get(self, request: HttpRequest, number: str) -> HttpResponse:  # noqa: ARG002
        order = self.own_order(number)
        return self.show(order, order.payment_provider) if awaits_money(order) else self.to_order(order)

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = self.own_order(number)
        if not awaits_money(order):
            return self.to_order(order)
        alias = request.POST.get("payment", "") or order.payment_provider
        if alias not in {way.alias for way in payments.providers_for(order)}:
            return self.show(order, alias, error=refusals.sentence(UnknownPaymentProvider(alias)))
        try:
            sent = form_tokens.once(
                request.POST,
                owner=order.customer.key,
                route=f"pay by {alias} {order.number}",
                work=lambda: self.start(order, alias),
                in_transaction=False,
            )
        except ShopOrdersError as error:
            return self.show(order, alias, error=str(error))
        return self.go_on(order, order.payments.get(public_id=sent.body))

    def show(self, order: Order, chosen: str, error: str = "") -> HttpResponse:
        """The form with the providers for the order, one of them selected, and why the last try failed."""
        ways = payments.providers_for(order)
        values: dict[str, Any] = {"order": order, "ways": ways, "chosen": chosen, "error": error}
        return self.render(
            **values,
            token=self.token,
            phone=self.request.POST.get("phone", order.phone),
            asks_for_phone=any(way.start_once_for is not None for way in ways),
            form_token=form_tokens.new_token(),
        )

    def start(self, order: Order, alias: str) -> str:
        """Start the payment, or find the one that was started. Returns its public id."""
        request = self.request
        payment = payments.start(
            order.pk,
            provider=alias,
            phone=request.POST.get("phone", ""),
            return_url=request.build_absolute_uri(links.order_path(order.number, self.token, name="order_thanks")),
            base_url=request.build_absolute_uri("/").rstrip("/"),
        )
        return str(payment.public_id)

    def go_on(self, order: Order, payment: Payment) -> HttpResponse:
        """Go on to the provider's page or to the order.

        A page of another site is shown as a link: browsers check a redirect after a form against ``form-action``.
        """
        request, url = self.request, payment.redirect_url
        if not url or not payment.is_open:
            return self.to_order(order)
        if url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure()):
            return redirect(url)
        context = self.context(order=order, url=url, token=self.token)
        return render(request, self.elsewhere_template_name, context)

    def to_order(self, order: Order) -> HttpResponse:
        """Go on to the confirmation, which needs no payment or asks again."""
        return redirect(links.order_path(order.number, self.token, name="order_thanks"))
