"""A tree of products by treebeard with prices by django-money, as the quick start sells it.

Needs ``pip install django-treebeard django-money``; run by ``nox -s hosts``.
"""

from hosts.base import *  # noqa: F403
from hosts.base import DATABASES, INSTALLED_APPS, SHOP_ORDERS

DATABASES["default"]["TEST"]["MIGRATE"] = False
INSTALLED_APPS = [*INSTALLED_APPS, "hosts.tree_shop", "djmoney", "treebeard"]
SHOP_ORDERS = {
    **SHOP_ORDERS,
    "PRODUCT_SOURCE": {
        "BACKEND": "shop_orders.product_sources.ModelProductSource",
        "OPTIONS": {
            "model": "tree_shop.TreeCup",
            "ref": "id",
            "name": "title",
            "price": "price",
            "stock": "stock",
            "filters": {"live": True},
        },
    },
}
