"""Wagtail itself: a page is sold by settings alone. Needs ``pip install wagtail``; run by ``nox -s hosts``."""

from hosts.base import *  # noqa: F403
from hosts.base import DATABASES, INSTALLED_APPS, SHOP_ORDERS

DATABASES["default"]["TEST"]["MIGRATE"] = False
ROOT_URLCONF = "hosts.wagtail_urls"
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "hosts.wagtail_pages",
    "wagtail.users",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.admin",
    "wagtail.search",
    "wagtail.sites",
    "wagtail",
    "modelcluster",
    "taggit",
]
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    INSTALLED_APPS.append("django.contrib.postgres")  # the columns of Wagtail's search
WAGTAIL_SITE_NAME = "A bakery"
WAGTAILADMIN_BASE_URL = "https://bakery.example.org"
MEDIA_URL = "/media/"
SHOP_ORDERS = {
    **SHOP_ORDERS,
    "PRODUCT_SOURCE": {
        "BACKEND": "shop_orders.product_sources.ModelProductSource",
        "OPTIONS": {
            "model": "wagtail_pages.LoafStock",
            "ref": "page_id",
            "name": "page.title",
            "price": "page.price",
            "stock": "units",
            "image": "page.picture.file",
            "url": "page.url",
            "filters": {"page__live": True},
        },
    },
}
