"""Pages about orders that the package does not have: the account's list, and a page that waits."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from shop_notify import queues
from shop_orders.contrib.pages.views import orders
from shop_orders.contrib.pages.views.base import OrderPage
from shop_orders.models import Customer

from storefront.views.checkout import WithDelivery


class FindOrder(orders.FindOrder):
    """Send customers to their account."""

    def of_customer(self, customer: Customer) -> HttpResponse:  # noqa: ARG002
        return redirect("storefront:account_orders")

    def not_sent(self) -> None:
        queues.wake()


class ShowOrder(WithDelivery, orders.ShowOrder):
    """The order with what happened so far."""


class Thanks(WithDelivery, orders.Thanks):
    """The confirmation, right after the order was placed or paid."""


class Waiting(OrderPage):
    """For the order page while a payment waits: an empty response that reloads the page once that is over."""

    calls_provider = True

    def get(self, request: HttpRequest, number: str) -> HttpResponse:  # noqa: ARG002
        order = self.own_order(number)
        orders.look_at_payment(order)
        response = HttpResponse(status=204)
        if not orders.waits_until(order):
            response["HX-Refresh"] = "true"
        return response
