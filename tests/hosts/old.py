"""An old site: local times without a zone, AutoField, a router, and URLs that depend on the host."""

from hosts.base import *  # noqa: F403
from hosts.base import INSTALLED_APPS, MIDDLEWARE, SHOP_ORDERS

SILENCED_SYSTEM_CHECKS = ["shop_orders.W006"]  # jobs and checks do not see the URLs of a host
USE_TZ = False
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASE_ROUTERS = ["hosts.old_urls.Router"]
INSTALLED_APPS = [*INSTALLED_APPS, "mptt", "shop_catalog"]
MIDDLEWARE = ["hosts.old_urls.urls_of_the_host", *MIDDLEWARE]
ROOT_URLCONF = "hosts.old_urls"
SHOP_CATALOG = {"CURRENCY": "KES"}
SHOP_ORDERS = {
    **SHOP_ORDERS,
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
}
