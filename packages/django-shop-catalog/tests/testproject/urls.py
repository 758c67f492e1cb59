"""A host project that mounts the catalogue's router and has no handlers for its errors."""

from django.contrib import admin
from django.urls import path
from ninja import NinjaAPI
from shop_catalog import media

api = NinjaAPI(title="Test shop", version="1")
api.add_router("/products/", "shop_catalog.api.router")

urlpatterns = [
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
    path("media/<path:path>", media.serve),
]
