"""Typed routers for the host's NinjaAPI: ``add_router("/orders/", "shop_orders.api.router")`` and
``add_router("/orders/staff/", "shop_orders.api.staff_router")``."""

from shop_orders.api import cart, incoming, orders, payments, staff, staff_money
from shop_orders.api.routers import router, staff_router

__all__ = ["cart", "incoming", "orders", "payments", "router", "staff", "staff_money", "staff_router"]
