"""The catalogue's router at the root, the same URLs as every peer."""

from django.urls import path
from ninja import NinjaAPI

api = NinjaAPI(docs_url=None, openapi_url=None)
api.add_router("/products/", "shop_catalog.api.router")
urlpatterns = [path("", api.urls)]
