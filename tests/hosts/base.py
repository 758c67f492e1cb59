"""What the sites have in common. Each kind changes what is typical of it."""

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from shop_notify.presets import ORDER_ROUTES

FOLDER = Path(tempfile.mkdtemp(prefix="shop_host_"))
SECRET_KEY = "tests only"
USE_TZ = True
TIME_ZONE = "Africa/Nairobi"
ROOT_URLCONF = "hosts.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
STATIC_URL = "static/"
MEDIA_ROOT = FOLDER / "media"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ADMIN_PATH = "/admin/"
API_PATH = "/api/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "ninja",
    "hosts",
    "shop_orders",
    "shop_orders.contrib.pages",
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
                "shop_orders.pages.cart",
            ]
        },
    }
]


def database(name: str = "host", **options: Any) -> dict[str, Any]:
    """The server of DATABASE_URL, else a file. Threads of async views need a test database that they can open."""
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / f"{name}.sqlite3",
            "TEST": {"NAME": FOLDER / f"test_{name}.sqlite3"},
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"},
            **options,
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "TEST": {"NAME": f"test_{name}_{os.getpid()}"},
        **options,
    }


DATABASES = {"default": database()}

SHOP_ORDERS: dict[str, Any] = {
    "CURRENCY": "KES",
    "PHONE_REGIONS": ["KE"],
    "PRODUCT_SOURCE": {
        "BACKEND": "shop_orders.product_sources.ModelProductSource",
        "OPTIONS": {"model": "hosts.Cup", "ref": "code", "name": "title", "price": "price", "stock": "stock"},
    },
    "PAYMENT_PROVIDERS": {
        "test": {
            "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
            "OPTIONS": {"secrets": ["secret-" * 8]},
        }
    },
}
SHOP_NOTIFY: dict[str, Any] = {
    "NOTIFIERS": {"email": {"BACKEND": "hosts.mailbox.Mailbox"}, "sms": {"BACKEND": "hosts.mailbox.Phone"}},
    "PHONE_REGIONS": ["KE"],
    "ROUTES": [
        *({**route, "via": ["email", "sms"], "fallback": {}} for route in ORDER_ROUTES),
        {
            "signal": "hosts.mailbox.cup_washed",
            "event": "cup_washed",
            "to": ["customer"],
            "via": ["email"],
        },
        {
            "signal": "shop_orders.contrib.pages.signals.order_link_asked",
            "event": "order_link",
            "to": ["customer"],
            "via": ["email"],
        },
    ],
    "ADMINS": ["staff@example.org"],
    "SMS_LIMITS": {"phone_10_minutes": 20, "phone_day": 20, "customer_day": 20, "visitor_hour": 20},
    "QUEUE": "shop_notify.queues.inline",
}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
