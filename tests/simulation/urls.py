"""The API of orders, whose callers are ``simulation.callers``."""

from django.urls import include, path
from ninja import NinjaAPI

api = NinjaAPI(title="Simulation", urls_namespace="simulation")
api.add_router("/orders/", "shop_orders.api.router")
api.add_router("/orders/staff/", "shop_orders.api.staff_router")

urlpatterns = [path("api/", api.urls), path("payments/", include("shop_orders.urls"))]
