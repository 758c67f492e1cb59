"""The URLs of the sites: an admin, an API, payments, and two views of the site's own, one of them async."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import engines
from django.urls import include, path
from django.utils.html import escape
from ninja import NinjaAPI

from hosts.mailbox import cup_washed

PAGE = "{% if cart.item_count %}{{ cart.item_count }}{% else %}0{% endif %} in the cart"


def mount(api: NinjaAPI) -> NinjaAPI:
    """The packages' routers on one of the site's APIs."""
    api.add_router("/orders/", "shop_orders.api.router")
    api.add_router("/orders/staff/", "shop_orders.api.staff_router")
    api.add_router("/notifications/", "shop_notify.api.router")
    api.add_router("/notifications/staff/", "shop_notify.api.staff_router")
    if "shop_catalog" in settings.INSTALLED_APPS:
        api.add_router("/products/", "shop_catalog.api.router")
    return api


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(PAGE).render({}, request))


@transaction.non_atomic_requests
async def async_page(request: HttpRequest) -> HttpResponse:
    """Renders at once, in the thread of the event loop."""
    return page(request)


@transaction.non_atomic_requests
async def documented_page(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(render)(request, "hosts/cart.html")


@transaction.non_atomic_requests
async def wash(request: HttpRequest, way: str) -> HttpResponse:
    """Sends the site's signal in the documented way, and in the old way."""
    words: dict[str, Any] = {"payload": PAYLOAD, "event_id": f"washed-{way}"}
    if way == "async":
        await cup_washed.asend_robust(sender=None, **words)
    else:
        cup_washed.send_robust(sender=None, **words)
    return HttpResponse("washed")


def strict(get_response: Any) -> Any:
    """A middleware whose policy allows no script, and only the site's own styles, pictures and forms."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"
        )
        return response

    return middleware


def picture(_request: HttpRequest, name: str) -> HttpResponse:
    title = f"<title>{escape(name)}</title>"
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3">{title}<path d="M0 0h4v3H0"/></svg>'
    return HttpResponse(text, "image/svg+xml")


def cup(request: HttpRequest, ref: str) -> HttpResponse:
    """The site's own page of what it sells, with the form that the documentation shows."""
    return render(request, "hosts/cup.html", {"ref": ref})


PAYLOAD = {"cup": "MUG", "recipients": {"customer": {"key": "guest", "email": "guest@example.org"}}}

api = mount(NinjaAPI(title="A site"))

common = [
    path("pay/", include("shop_orders.urls")),
    path("notify/", include("shop_notify.urls")),
    path("shop/", include("shop_orders.contrib.pages.urls")),
    path("favicon.ico", lambda _request: HttpResponse(status=204)),
    path("pictures/<str:name>", picture),
    path("cup/<str:ref>/", cup),
    path("page/", page),
    path("async-page/", async_page),
    path("documented-page/", documented_page),
    path("wash/<str:way>/", wash),
]
urlpatterns = [path("admin/", admin.site.urls), path("api/", api.urls), *common]
