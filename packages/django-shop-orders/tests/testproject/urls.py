from django.contrib import admin, auth
from django.http import HttpResponse
from django.template import engines
from django.urls import include, path
from ninja import NinjaAPI
from shop_orders import pages

api = NinjaAPI(title="Books")
api.add_router("/orders/", "shop_orders.api.router")
api.add_router("/orders/staff/", "shop_orders.api.staff_router")


def add(request):
    response = HttpResponse("added")
    pages.add_to_cart(request, response, request.POST["product"], int(request.POST.get("quantity", 1)))
    return response


def show(request):
    return HttpResponse(engines["django"].from_string("{{ cart.item_count }} items").render({}, request))


def log_in(request):
    auth.login(request, auth.authenticate(username=request.POST["username"], password="pw"))
    return HttpResponse("logged in")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    path("pay/", include("shop_orders.urls")),
    path("store/", include("shop_orders.contrib.pages.urls")),
    path("shop/add/", add),
    path("shop/cart/", show),
    path("shop/login/", log_in),
]
