"""Each database runs each request in a transaction: ATOMIC_REQUESTS is on for all of them."""

from hosts.base import *  # noqa: F403
from hosts.base import INSTALLED_APPS, SHOP_NOTIFY, SHOP_ORDERS, database

INSTALLED_APPS = [*INSTALLED_APPS, "mptt", "shop_catalog"]
DATABASES = {alias: database(f"routed_{alias}", ATOMIC_REQUESTS=True) for alias in ("default", "shop", "notify")}
for alias in ("default", "notify"):
    DATABASES[alias]["TEST"]["MIGRATE"] = False  # that migrations fit a router, ``shop`` shows
DATABASE_ROUTERS = ["routed.router.Router"]

SHOP_CATALOG = {"CURRENCY": "KES"}
SHOP_ORDERS = {
    **SHOP_ORDERS,
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
}
SHOP_NOTIFY = {
    **SHOP_NOTIFY,
    "NOTIFIERS": {"email": {"BACKEND": "hosts.mailbox.Mailbox"}},
    "ROUTES": [
        {
            "signal": "shop_orders.signals.order_placed",
            "event": "order_placed",
            "to": ["customer"],
            "via": ["email"],
        },
        {"signal": "shop_catalog.signals.stock_low", "event": "stock_low", "to": ["admins"], "via": ["email"]},
    ],
}
