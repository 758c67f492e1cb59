"""Catalogue and orders together, as a site would have them in production."""

import os

from bench.peers.ours.catalog_settings import *  # noqa: F403

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "mptt", "ninja", "shop_catalog", "shop_orders"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = os.environ.get("BENCH_URLS", "bench.peers.ours.orders_urls")
SHOP_ORDERS = {
    "CURRENCY": "KES",
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
    "API_AUTH": "bench.peers.ours.auth.Token",
    "MAX_UNPAID_ORDERS": 100_000,
    "MAX_UNPAID_UNITS": 1_000_000,
}
