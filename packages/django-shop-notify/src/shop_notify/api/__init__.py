"""Typed routers for the host's NinjaAPI: ``add_router("/notifications/", "shop_notify.api.router")`` and
``add_router("/notifications/staff/", "shop_notify.api.staff_router")``. Needs ``django-shop-notify[api]``."""

from shop_notify.api import preferences, staff
from shop_notify.api.routers import router, staff_router

__all__ = ["preferences", "router", "staff", "staff_router"]
