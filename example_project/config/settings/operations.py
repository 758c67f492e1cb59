"""The infrastructure of the shop: database, cache, files, mail, background work, logs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config.settings.base import BASE_DIR, DATA_DIR, DEBUG, DEMO, SHOP_NAME, env

# Data

DATABASES = {"default": env.database(DATA_DIR / "shop.sqlite3")}
if {"qcluster", "shop_doctor"} & set(sys.argv):
    # The cluster forks its workers, and forked processes must not share a pool's connections. The doctor must report a
    # missing connection at once; a pool would wait at each query.
    DATABASES["default"]["OPTIONS"].pop("pool", None)
if "sqlite" in DATABASES["default"]["ENGINE"]:
    try:
        DATA_DIR.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR cannot be made: {error}.")
FIXTURE_DIRS = [BASE_DIR / "fixtures"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "operations.caches.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "shop",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shop"},
    "template_fragments": {
        "BACKEND": f"django.core.cache.backends.{'dummy.DummyCache' if DEBUG else 'locmem.LocMemCache'}",
        "LOCATION": "template_fragments",
        "OPTIONS": {"MAX_ENTRIES": 4096},
    },
}
"""``template_fragments`` is used by ``{% cache %}``: each process keeps the parts of pages that are the same for all.

With DEBUG they are made each time, so that a changed template shows.
"""
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(DATA_DIR / "static" if DEMO else BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEMO or DEBUG
if WHITENOISE_USE_FINDERS:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns if it is missing
MEDIA_URL = "media/"
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(DATA_DIR / "media")))
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755
"""The web server in front reads uploads as another user, so the permissions must not depend on the shop's umask."""
SERVE_MEDIA = env.flag("SERVE_MEDIA", default=DEMO or DEBUG)
"""Whether Django serves uploads itself; in production the web server in front of it does."""
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Mail

EMAIL_SERVER: dict[str, Any] = {
    "host": env.text("EMAIL_HOST", "localhost"),
    "port": env.port("EMAIL_PORT", 25),
    "username": env.text("EMAIL_HOST_USER", ""),
    "password": env.text("EMAIL_HOST_PASSWORD", ""),
    "use_tls": env.flag("EMAIL_USE_TLS"),
    "use_ssl": env.flag("EMAIL_USE_SSL"),
    "timeout": 10,
}
if EMAIL_SERVER["use_tls"] and EMAIL_SERVER["use_ssl"]:
    raise ImproperlyConfigured("EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other: set one of them to false.")
EMAIL_SMTPUTF8 = env.flag("EMAIL_SMTPUTF8", default=True)
"""Whether the mail server accepts addresses with letters other than a-z before the @. If not, they are refused."""
SMTP_BACKEND = "shop_notify.smtp.EmailBackend" if EMAIL_SMTPUTF8 else "django.core.mail.backends.smtp.EmailBackend"
EMAIL_BACKEND_CLASS = (
    SMTP_BACKEND if env.text("EMAIL_HOST", "") or not DEBUG else "django.core.mail.backends.console.EmailBackend"
)
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": EMAIL_BACKEND_CLASS,
            "OPTIONS": EMAIL_SERVER if EMAIL_BACKEND_CLASS.endswith("smtp.EmailBackend") else {},
        }
    }
else:
    EMAIL_BACKEND = EMAIL_BACKEND_CLASS
    EMAIL_HOST, EMAIL_PORT = EMAIL_SERVER["host"], EMAIL_SERVER["port"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL_SERVER["username"], EMAIL_SERVER["password"]
    EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = EMAIL_SERVER["use_tls"], EMAIL_SERVER["use_ssl"], 10
DEFAULT_FROM_EMAIL = env.email("DEFAULT_FROM_EMAIL", f"{SHOP_NAME} <shop@example.org>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Background work. The outbox decides what is sent: a task that runs twice or not at all does no harm.

Q_CLUSTER = {
    "name": "shop",
    "label": _("Queue"),
    "workers": env.number("QUEUE_WORKERS", 2, least=1),
    "queue_limit": env.number("QUEUE_WORKERS", 2, least=1),
    "timeout": 60,
    "retry": 600,
    "recycle": 10_000,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "poll": 0.02,
    "save_limit": 100,
    **({"redis": REDIS_URL, "broker_class": "operations.brokers.Redis"} if REDIS_URL else {"orm": "default"}),
}

# Logs

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "operations.logs.JsonFormatter"},
    },
    "filters": {"mask": {"()": "operations.logs.Mask"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.one_of("LOG_FORMAT", "line" if DEMO or DEBUG else "json", ("line", "json")),
            "filters": ["mask"],
        },
        "mail": {"class": "operations.logs.ErrorMail", "level": "ERROR", "filters": ["mask"]},
    },
    "loggers": {
        "django": {"handlers": [] if DEBUG or DEMO else ["mail"], "level": "INFO"},
        "django-q": {"level": "INFO" if DEBUG else "WARNING"},
    },
    "root": {"handlers": ["console"], "level": env.one_of("LOG_LEVEL", "WARNING" if DEMO else "INFO", LOG_LEVELS)},
}
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
"""Bearer token of /metrics; without one /metrics is 404."""
