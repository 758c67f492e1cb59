"""The three apps and nothing else, on the database that ``DATABASE_URL`` names; SQLite in memory without one."""

import os
from urllib.parse import urlsplit

SECRET_KEY = "simulation"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "shop_orders.urls"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "mptt",
    "ninja",
    "shop_catalog",
    "shop_orders",
    "shop_notify",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
    }
]
SHOP_CATALOG = {"CURRENCY": "KES"}
SHOP_NOTIFY = {}
SHOP_ORDERS = {"CURRENCY": "KES", "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"}}

_url = urlsplit(os.environ.get("DATABASE_URL", ""))
if _url.scheme.startswith("postgres"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _url.path.lstrip("/"),
            "USER": _url.username or "",
            "PASSWORD": _url.password or "",
            "HOST": _url.hostname or "",
            "PORT": str(_url.port or ""),
            "TEST": {"NAME": f"simulation_{os.getpid()}"},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "cached_statements": 4096},
        }
    }
