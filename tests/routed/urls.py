from django.contrib import admin
from django.urls import include, path
from ninja import NinjaAPI

api = NinjaAPI(title="Routed")
api.add_router("/products/", "shop_catalog.api.router")
api.add_router("/orders/", "shop_orders.api.router")
api.add_router("/orders/staff/", "shop_orders.api.staff_router")
api.add_router("/notifications/staff/", "shop_notify.api.staff_router")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    path("pay/", include("shop_orders.urls")),
    path("notify/", include("shop_notify.urls")),
]
