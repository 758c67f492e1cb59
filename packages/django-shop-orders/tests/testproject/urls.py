from django.contrib import admin
from django.urls import include, path
from ninja import NinjaAPI

api = NinjaAPI(title="Books")
api.add_router("/orders/", "shop_orders.api.router")
api.add_router("/orders/staff/", "shop_orders.api.staff_router")

urlpatterns = [path("admin/", admin.site.urls), path("api/", api.urls), path("pay/", include("shop_orders.urls"))]
