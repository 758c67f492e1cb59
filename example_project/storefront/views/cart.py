"""Adding to the cart, with the short message that scripts show. The other views are those of the package."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from shop_orders.contrib.pages.views.cart import AddToCart
from shop_orders.models import Cart

from storefront.context_processors import cart_count
from storefront.origins import confirmed


class Add(AddToCart):
    """Add a product and show the cart; htmx gets a short message and the new count instead."""

    def post(self, request: HttpRequest) -> HttpResponse:
        get_token(request)  # sets the cookie by which scripts know that a visitor has a cart (shop.js)
        return super().post(request)

    @property
    def is_htmx(self) -> bool:
        return self.request.headers.get("HX-Request") == "true"

    def response(self) -> HttpResponse:
        return HttpResponse() if self.is_htmx else super().response()

    def added(self, response: HttpResponse, name: str, cart: Cart) -> HttpResponse:
        if not self.is_htmx:
            return super().added(response, name, cart)
        response.content = self._message(name, "", sum(cart.items.values_list("quantity", flat=True)))
        return response

    def refused(self, name: str, problem: str) -> HttpResponse:
        if not self.is_htmx:
            return super().refused(name, problem)
        return HttpResponse(self._message(name, problem, cart_count(self.request)))

    def _message(self, name: str, problem: str, count: int) -> bytes:
        context = {"name": name, "problem": problem, "cart_count": count, "oob": True}
        return render(self.request, "storefront/parts/added.html", context).content


add = confirmed("storefront/confirm_add.html")(Add.as_view())
