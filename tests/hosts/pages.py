"""As a site of pages: the products are pages with revisions, a picture by foreign key, and stock of their own."""

from hosts.base import *  # noqa: F403
from hosts.base import DATABASES, SHOP_ORDERS

DATABASES["default"]["TEST"]["MIGRATE"] = False
SHOP_ORDERS = {**SHOP_ORDERS, "PRODUCT_SOURCE": {"BACKEND": "hosts.page_source.PageSource"}}
