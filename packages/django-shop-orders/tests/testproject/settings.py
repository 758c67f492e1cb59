import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import django

SECRET_KEY = "tests only"
USE_TZ = True
ROOT_URLCONF = "testproject.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "ninja",
    "shop_orders",
    "shop_orders.contrib.pages",
    "testproject.books",
]
AUTH_USER_MODEL = os.environ.get("TEST_USER_MODEL", "auth.User")
if AUTH_USER_MODEL != "auth.User":
    INSTALLED_APPS.append("testproject.people")

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


def _database() -> dict[str, object]:
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if url.scheme.startswith("postgres"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ.get("CRASH_DATABASE") or url.path.lstrip("/"),
            "USER": url.username or "",
            "PASSWORD": url.password or "",
            "HOST": url.hostname or "",
            "PORT": str(url.port or ""),
            "TEST": {"NAME": f"test_shop_orders_{os.getpid()}"},
        }
    folder = Path(tempfile.mkdtemp(prefix="shop_orders_tests_"))
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("CRASH_DATABASE") or folder / "db.sqlite3",
        "TEST": {"NAME": folder / "test.sqlite3"},
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


DATABASES = {"default": _database()}

SHOP_ORDERS = {
    "CURRENCY": "KES",
    "PRODUCT_SOURCE": {
        "BACKEND": "shop_orders.product_sources.ModelProductSource",
        "OPTIONS": {
            "model": "books.Book",
            "ref": "isbn",
            "name": "title",
            "price": "sale_price",
            "stock": "on_hand",
            "filters": {"is_listed": True},
        },
    },
    "PHONE_REGIONS": ["KE"],
    "API_AUTH": ["testproject.auth.Bearer", "testproject.auth.session"],
    "STAFF_API_AUTH": ["testproject.auth.Bearer", "testproject.auth.session"],
}

if "CRASH_DATABASE" in os.environ:
    SHOP_ORDERS["PAYMENT_PROVIDERS"] = {"memory": {"BACKEND": "shop_orders.testing.MemoryPaymentProvider"}}

if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
