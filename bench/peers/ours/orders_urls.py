"""The orders' router at the root, the same URLs as every peer."""

from django.urls import path
from ninja import NinjaAPI

api = NinjaAPI(docs_url=None, openapi_url=None)
api.add_router("/orders/", "shop_orders.api.router")
urlpatterns = [path("", api.urls)]
