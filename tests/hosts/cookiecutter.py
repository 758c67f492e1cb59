"""As cookiecutter-django makes a site: people without a username, ATOMIC_REQUESTS, Celery, an API with handlers."""

from importlib.util import find_spec

from hosts.base import *  # noqa: F403
from hosts.base import INSTALLED_APPS, SHOP_NOTIFY, SHOP_ORDERS, database

AUTH_USER_MODEL = "hosts.Person"
ROOT_URLCONF = "hosts.cookiecutter_urls"
INSTALLED_APPS = [*INSTALLED_APPS, "mptt", "shop_catalog"]
DATABASES = {"default": database(ATOMIC_REQUESTS=True)}
DATABASES["default"]["TEST"]["MIGRATE"] = False
SHOP_CATALOG = {"CURRENCY": "KES"}
SHOP_ORDERS = {
    **SHOP_ORDERS,
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
}
if find_spec("celery"):
    SHOP_NOTIFY = {**SHOP_NOTIFY, "QUEUE": "hosts.celery_app.wake"}
