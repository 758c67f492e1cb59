"""A site with a foreign app, the notify app, and no shop."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "not-a-secret-for-tests-only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "testproject.urls"
STATIC_URL = "/static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "shop_notify",
    "testproject.library",
]
INSTALLED_APPS += [name for name in ("django_q", "anymail") if find_spec(name)]
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
        "DIRS": [BASE_DIR / "templates"],
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

# Processes that a test starts use the test's database.
_database = os.environ.get("SITE_DATABASE", "")
_url = urlsplit(os.environ.get("DATABASE_URL", ""))
if _url.scheme:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _database or _url.path.lstrip("/"),
            "USER": unquote(_url.username or ""),
            "PASSWORD": unquote(_url.password or ""),
            "HOST": _url.hostname,
            "PORT": _url.port or "",
            "TEST": {"NAME": f"test_shop_notify_{os.getpid()}"},
        }
    }
else:
    _folder = Path(os.environ.get("TEST_DATABASE_DIR") or tempfile.mkdtemp(prefix="shop_notify_"))
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _database or _folder / "site.sqlite3",
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            "TEST": {"NAME": _folder / "test.sqlite3"},
        }
    }

Q_CLUSTER = {
    "name": "notify_tests",
    "orm": "default",
    "timeout": 60,
    "retry": 600,
    "max_attempts": 5,
    "ack_failures": True,
    "workers": int(os.environ.get("SITE_WORKERS", "1")),
    "queue_limit": int(os.environ.get("SITE_WORKERS", "1")),
    "recycle": 100000,
    "poll": 0.02,
}

if "SITE_REDIS_PORT" in os.environ:
    del Q_CLUSTER["orm"]
    Q_CLUSTER["redis"] = {"host": "127.0.0.1", "port": int(os.environ["SITE_REDIS_PORT"])}

DEFAULT_FROM_EMAIL = "library@example.org"
_smtp_port = os.environ.get("SITE_SMTP_PORT")
if _smtp_port and django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": int(_smtp_port), "timeout": 5},
        }
    }
elif _smtp_port:
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = "127.0.0.1", int(_smtp_port), 5
elif django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

SHOP_NOTIFY = {
    "NOTIFIERS": {
        "email": {"BACKEND": "shop_notify.notifiers.EmailNotifier"},
        "memory": {"BACKEND": "memory"},
    },
    "ROUTES": [
        {
            "signal": "testproject.library.signals.loan_made",
            "event": "loan_made",
            "to": ["member"],
            "via": ["email"],
            "reference": "loan.number",
        },
        {
            "signal": "testproject.library.signals.book_returned",
            "context": "testproject.library.notices.returned_context",
            "event_id": "testproject.library.notices.returned_id",
            "event": "book_returned",
            "to": ["member", "testproject.library.notices.librarians"],
            "via": ["email"],
        },
        {
            "signal": "testproject.library.signals.newsletter_published",
            "event": "newsletter",
            "to": ["member"],
            "via": ["email"],
            "group": "news",
            "priority": 9,
        },
    ],
    "QUEUE": os.environ.get("SITE_QUEUE", "shop_notify.queues.none"),
    "ADMINS": ["desk@example.org"],
    "PHONE_REGIONS": ["KE"],
}

if "SITE_GATEWAY" in os.environ:
    SHOP_NOTIFY["NOTIFIERS"]["sms"] = {
        "BACKEND": "africastalking",
        "OPTIONS": {
            "username": "sandbox",
            "api_key": "k",
            "base_url": os.environ["SITE_GATEWAY"],
            "report_secret": "s",
        },
    }

if "SITE_LEDGER" in os.environ:
    _ledger = {
        "BACKEND": "testproject.ledger.LedgerNotifier",
        "OPTIONS": {"path": os.environ["SITE_LEDGER"], "seconds": 0.02},
    }
    SHOP_NOTIFY["NOTIFIERS"] |= {"one": _ledger, "two": _ledger}

if "SITE_CLOCK" in os.environ:
    _clock = {"BACKEND": "testproject.ledger.ClockNotifier", "OPTIONS": {"path": os.environ["SITE_CLOCK"]}}
    SHOP_NOTIFY["NOTIFIERS"] |= {"clock": _clock, "bulk": _clock}
    SHOP_NOTIFY["ROUTES"] = [{**SHOP_NOTIFY["ROUTES"][2], "via": ["clock"], "priority": 3}]
