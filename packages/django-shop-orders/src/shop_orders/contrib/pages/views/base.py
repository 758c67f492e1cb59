"""The base of the pages: their responses are not cached, their POST requests are limited, and they find the visitor's
order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve
from django.utils.functional import SimpleLazyObject
from django.views import View
from django.views.decorators.cache import never_cache
from shop_core.db.transactions import non_atomic

from shop_orders import pages, visitors
from shop_orders.contrib.pages.delivery import DeliveryOption, by_code
from shop_orders.exceptions import TooManyRequests
from shop_orders.models import Order
from shop_orders.pricing import Draft


class Page(View):
    """A page of the shop. Override ``context`` to give its template more values."""

    template_name = ""
    throttle = ""
    """Posts are counted against this kind of ``SHOP_ORDERS["THROTTLES"]``."""
    calls_provider = False
    """Whether a payment provider is called, which must not happen in the transaction of ATOMIC_REQUESTS."""
    http_method_names = ["get", "head", "post"]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        view: Callable[..., HttpResponseBase] = never_cache(super().as_view(**initkwargs))
        return non_atomic(view) if cls.calls_provider else view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.throttle and request.method == "POST":
            try:
                visitors.limit(request, self.throttle)
            except TooManyRequests as error:
                return self.too_many(error)
        return super().dispatch(request, *args, **kwargs)

    def context(self, **values: Any) -> dict[str, Any]:
        """The values for the template."""
        return {"home_url": get_script_prefix(), "login_url": SimpleLazyObject(login_url), **values}

    def render(self, *, status: int = 200, **values: Any) -> HttpResponse:
        """The template with the values of ``context``."""
        return render(self.request, self.template_name, self.context(**values), status=status)

    def too_many(self, error: TooManyRequests) -> HttpResponse:
        """The page for a visitor whose limit is used up."""
        page = "shop_orders_pages/too_many_requests.html"
        response = render(self.request, page, Page.context(self), status=429)
        response["Retry-After"] = str(error.extra["retry_after"])
        return response

    def delivery_options(self, draft: Draft) -> Iterable[DeliveryOption]:
        """The delivery options of the shop for a draft. A shop without options delivers to the customer's address.

        The draft of an order that is already placed has no lines. Charge the prices by a pricing hook, and refuse
        other options by a validator: the API asks neither this function nor the form.
        """
        del draft
        return ()

    def deliveries(self, draft: Draft) -> Mapping[str, DeliveryOption]:
        """The options by their codes. What is not delivered needs no address."""
        if not draft.needs_delivery:
            return {"": DeliveryOption(needs_address=False)}
        return by_code(self.delivery_options(draft))


class OrderNotFound(Http404):
    """There is no such order, or it is somebody else's."""


class OrderPage(Page):
    """A page about one order, for its customer or for guests with its link."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except OrderNotFound:
            context = Page.context(self)
            response = render(request, "shop_orders_pages/order_not_found.html", context, status=404)
        response["Referrer-Policy"] = "same-origin"  # the URL has a guest's token
        response["X-Robots-Tag"] = "noindex"
        return response

    def own_order(self, number: str) -> Order:
        """The visitor's order.

        Raises:
            OrderNotFound: it does not exist or belongs to somebody else; the response is the same.
        """
        order = None if "\0" in number else pages.own_order(self.request, number, self.token)
        if order is None:
            raise OrderNotFound
        return order

    @property
    def token(self) -> str:
        """The token of a guest's link; forms pass it on."""
        return self.request.POST.get("token", "") or self.request.GET.get("token", "")


def login_url() -> str:
    """The path of LOGIN_URL; "" if the site has no such page."""
    try:
        url = resolve_url(settings.LOGIN_URL)
        resolve("/" + url.partition("?")[0].removeprefix(get_script_prefix()).removeprefix("/"))
    except (NoReverseMatch, Resolver404):
        return ""
    return url
