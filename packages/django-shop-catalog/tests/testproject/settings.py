"""A site with nothing but the catalogue: on PostgreSQL if DATABASE_URL is set, otherwise on SQLite in a file."""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

SECRET_KEY = "only for tests"
USE_TZ = True
ROOT_URLCONF = "testproject.urls"
ALLOWED_HOSTS = ["*"]
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = str(Path(tempfile.gettempdir()) / f"shop-catalog-media-{os.getpid()}")
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "mptt",
    "ninja",
    "shop_catalog",
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
            ],
        },
    },
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SHOP_CATALOG = {"CURRENCY": "KES", "FACETS": ["colour", "size", "material"]}


def database() -> dict[str, object]:
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    label = f"{os.environ.get('TOX_ENV_NAME', 'dev').replace('.', '')}_{os.getpid()}"
    if url.scheme.startswith("postgres"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path.lstrip("/"),
            "USER": url.username or "",
            "PASSWORD": url.password or "",
            "HOST": url.hostname or "",
            "PORT": url.port or "",
            "TEST": {"NAME": f"test_catalog_{label}"},
        }
    folder = Path(tempfile.mkdtemp(prefix="shop-catalog-tests-"))
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "db.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
        "TEST": {"NAME": str(folder / "test.sqlite3")},
    }


DATABASES = {"default": database()}
