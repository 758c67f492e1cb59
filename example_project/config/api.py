"""The HTTP API: the packages' routers on one NinjaAPI, mounted at /api/v1/."""

from ninja import NinjaAPI
from shop_orders.api import problems
from shop_orders.contrib.allauth import auth

api = NinjaAPI(
    title="Shop API",
    version="1.0.0",
    description="Products, carts, orders, accounts and messages of the example shop.",
    docs_url=None,
    openapi_url=None,
)
problems.register(api)
auth.register(api)

api.add_router("/auth/customers/", "shop_orders.contrib.allauth.api.router")
api.add_router("/products/", "shop_catalog.api.router")
api.add_router("/orders/", "shop_orders.api.router")
api.add_router("/orders/staff/", "shop_orders.api.staff_router")
api.add_router("/notifications/", "shop_notify.api.router")
api.add_router("/notifications/staff/", "shop_notify.api.staff_router")
