"""A site whose staff work on an admin site of their own; the default one has nothing of the packages."""

from hosts.base import *  # noqa: F403
from hosts.base import DATABASES, INSTALLED_APPS, SHOP_ORDERS

DATABASES["default"]["TEST"]["MIGRATE"] = False
ADMIN_PATH = "/desk/"
ROOT_URLCONF = "hosts.desk_urls"
INSTALLED_APPS = [*INSTALLED_APPS, "mptt", "shop_catalog"]
SHOP_CATALOG = {"CURRENCY": "KES"}
SHOP_ORDERS = {
    **SHOP_ORDERS,
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
}
