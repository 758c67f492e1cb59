"""Each database runs each request in a transaction: ATOMIC_REQUESTS is on for all of them."""

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

SECRET_KEY = "tests only"
USE_TZ = True
ROOT_URLCONF = "routed.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["testserver"]
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "mptt",
    "ninja",
    "shop_catalog",
    "shop_orders",
    "shop_notify",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
FOLDER = Path(tempfile.mkdtemp(prefix="shop_routed_"))
MEDIA_ROOT = FOLDER / "media"


def database(alias: str) -> dict[str, Any]:
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / f"{alias}.sqlite3",
            "TEST": {"NAME": FOLDER / f"test_{alias}.sqlite3"},
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"},
            "ATOMIC_REQUESTS": True,
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "TEST": {"NAME": f"test_routed_{alias}_{os.getpid()}"},
        "ATOMIC_REQUESTS": True,
    }


DATABASES = {alias: database(alias) for alias in ("default", "shop", "notify")}
for alias in ("default", "notify"):
    DATABASES[alias]["TEST"]["MIGRATE"] = False  # that migrations fit a router, ``shop`` shows
DATABASE_ROUTERS = ["routed.router.Router"]

SHOP_CATALOG = {"CURRENCY": "KES"}
SHOP_ORDERS = {
    "CURRENCY": "KES",
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
    "PHONE_REGIONS": ["KE"],
    "PAYMENT_PROVIDERS": {
        "test": {
            "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
            "OPTIONS": {"secrets": ["secret-" * 8]},
        }
    },
}
SHOP_NOTIFY = {
    "NOTIFIERS": {"email": {"BACKEND": "routed.mailbox.Mailbox"}},
    "ADMINS": ["staff@example.org"],
    "ROUTES": [
        {
            "signal": "shop_orders.signals.order_placed",
            "event": "order_placed",
            "to": ["customer"],
            "via": ["email"],
        },
        {"signal": "shop_catalog.signals.stock_low", "event": "stock_low", "to": ["admins"], "via": ["email"]},
    ],
    "QUEUE": "shop_notify.queues.inline",
}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
