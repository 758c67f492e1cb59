"""Settings of the example shop. Everything that differs between a laptop and production comes from the environment.

``.env.example`` lists the variables. A wrong or missing one is named in the error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import django
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS
from shop_notify.presets import SHOP_ROUTES

from config import openid
from config.env import Env

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(BASE_DIR / ".env")

# The site

DEMO = env.flag("DEMO")
"""The whole shop on one machine with sample data, known passwords and an inbox that anyone can read."""
DEBUG = env.flag("DEBUG")
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var")))
"""Where SQLite and uploads live."""
SECRET_KEY = env.text(
    "SECRET_KEY",
    "only-for-development-and-never-for-a-site-that-others-can-reach" if DEBUG else None,
    hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
)
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
SITE_URL = env.site("SITE_URL", "http://127.0.0.1:8000")
"""Where the world finds the shop; links in messages and the address for delivery reports begin with it."""
SECURE = SITE_URL.startswith("https://")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["*"] if DEMO else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", [SITE_URL] if SECURE else [])
SHOP_NAME = env.text("SHOP_NAME", "Acacia")
SHOP_TAGLINE = env.text("SHOP_TAGLINE", "Well-made things for home, kitchen and the road.")
SHOP_CURRENCY = env.code("SHOP_CURRENCY", "KES", "[A-Z]{3}", wanted="an ISO 4217 code such as KES")
SHOP_COUNTRY = env.code("SHOP_COUNTRY", "KE", "[A-Z]{2}", wanted="an ISO 3166 code such as KE")
if SHOP_COUNTRY not in SUPPORTED_REGIONS:
    raise ImproperlyConfigured(f"SHOP_COUNTRY must be an ISO 3166 code such as KE, not {SHOP_COUNTRY!r}.")
PHONE_REGIONS = env.items("PHONE_REGIONS", [SHOP_COUNTRY])
for region in PHONE_REGIONS:
    if region not in SUPPORTED_REGIONS:
        raise ImproperlyConfigured(f"PHONE_REGIONS must hold ISO 3166 codes such as KE, not {region!r}.")
ADMIN_EMAIL = env.email("ADMIN_EMAIL", "admin@example.org")
ADMINS = [ADMIN_EMAIL] if django.VERSION >= (6, 0) else [(SHOP_NAME, ADMIN_EMAIL)]

INSTALLED_APPS = [
    "operations",
    "accounts",
    "storefront",
    "backoffice",
    "demo",
    "shop_catalog",
    "shop_orders",
    "shop_orders.contrib.allauth",
    "shop_notify",
    "mptt",
    "ninja",
    "django_q",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "backoffice.apps.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "operations.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "accounts.middleware.too_many",
    "accounts.middleware.form_targets",
    "config.middleware.content_security_policy",
    "config.middleware.cross_origin",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.api_problems",
    "operations.middleware.unavailable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
                "storefront.context_processors.shop",
            ]
        },
    }
]
TEST_RUNNER = "config.runner.PytestRunner"

# Data

DATABASES = {"default": env.database(DATA_DIR / "shop.sqlite3")}
if {"qcluster", "shop_doctor"} & set(sys.argv):
    # The cluster forks its workers, and forked processes must not share a pool's connections. The doctor wants to hear
    # at once that there is no connection, for which a pool waits at each question.
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
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shop"}
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(DATA_DIR / "static" if DEMO else BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEMO or DEBUG
if WHITENOISE_USE_FINDERS:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns where it is missing
MEDIA_URL = "media/"
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(DATA_DIR / "media")))
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755
"""The web server in front reads uploads as another user, whatever umask the shop runs under."""
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

# Language and time

LANGUAGE_CODE = env.code("LANGUAGE_CODE", "en", "|".join(LANG_INFO), wanted="a language that Django knows, such as en")
LANGUAGES = [("en", _("English")), ("de", _("German"))]
if LANGUAGE_CODE not in dict(LANGUAGES):
    LANGUAGES.insert(0, (LANGUAGE_CODE, LANG_INFO[LANGUAGE_CODE].get("name_local", LANGUAGE_CODE)))
TIME_ZONE = env.time_zone("TIME_ZONE", "Africa/Nairobi")
USE_I18N = True
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True
LOCALE_PATHS = [BASE_DIR / "locale"]

# Security

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=SECURE)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.number("SECURE_HSTS_SECONDS", 31_536_000 if SECURE else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
PROXY_COUNT = env.number("PROXY_COUNT", 0)
"""How many proxies of ours stand in front. What they did not add to X-Forwarded-For is not believed."""
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "storefront.views.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 25 * 1024 * 1024
"""The API has its own, lower limits; this one is for bulk uploads in the admin."""

CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}
CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
"""Other sites whose scripts may call the API, with tokens and never with cookies."""
CONTENT_SECURITY_POLICY_BY_PATH: dict[str, dict[str, str]] = {
    "/admin/": {"style-src": "'self' 'unsafe-inline'"},
    "/redoc/": {"style-src": "'self' 'unsafe-inline'", "worker-src": "'self' blob:"},
    "/swagger/oauth2-redirect/": {},
    "/swagger/": {"style-src": "'self' 'unsafe-inline'"},
}
"""What pages of others need besides: they write styles into their markup. No page needs a script of that kind.

Where forms of the accounts' pages may lead is added by ``accounts.middleware.form_targets``.
"""

# Accounts

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in [
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    ]
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/account/"
ALLAUTH_TRUSTED_PROXY_COUNT = PROXY_COUNT
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "shop_orders.contrib.allauth.forms.SignupForm"
ACCOUNT_EMAIL_VERIFICATION = env.one_of("EMAIL_VERIFICATION", "mandatory", ("mandatory", "optional", "none"))
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SECURE else "http"
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = True
HEADLESS_CLIENTS = ["app", "browser"]
HEADLESS_TOKEN_STRATEGY = "shop_orders.contrib.allauth.tokens.TokenStrategy"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 15 * 60
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 14 * 24 * 3600
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
PASSKEYS = env.flag("PASSKEYS", default=SECURE)
"""Whether people may log in with passkeys. Browsers want https for that, or http://localhost (not 127.0.0.1)."""
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", *(["webauthn"] if PASSKEYS else [])]
MFA_PASSKEY_LOGIN_ENABLED = PASSKEYS
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = PASSKEYS and not SECURE
MFA_TOTP_ISSUER = SHOP_NAME

# Log in with other OpenID Providers (config/openid.py says which variables)

OIDC_APPS = openid.providers(env)
OIDC_REDIRECT_ORIGINS = env.origins("OIDC_REDIRECT_ORIGINS")
"""Origins besides the issuers' to which their log-in leads before anybody types, such as a broker's own source."""
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": OIDC_APPS}}
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
"""An address that a provider names never opens an account that is here already; its owner connects the two."""
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_STORE_TOKENS = False

# Be an OpenID Provider for apps and partners

SWAGGER_CLIENT_ID = env.text("SWAGGER_CLIENT_ID", "swagger" if DEMO else "")
"""The public client by which /swagger/ logs in; its redirect URI is SITE_URL/swagger/oauth2-redirect/."""
OIDC_PROVIDER = env.flag("OIDC_PROVIDER", default=bool(env.pem("OIDC_PROVIDER_KEY")))
if OIDC_PROVIDER:
    INSTALLED_APPS.append("allauth.idp.oidc")
    if not env.pem("OIDC_PROVIDER_KEY"):
        raise ImproperlyConfigured("OIDC_PROVIDER_KEY is not set. Make one with: openssl genrsa -out oidc.pem 2048")
    IDP_OIDC_PRIVATE_KEY = env.pem("OIDC_PROVIDER_OLD_KEY") or env.pem("OIDC_PROVIDER_KEY")
    """The key before the newest: what it signed stays good while it is listed."""
    IDP_OIDC_PRIVATE_KEYS = [{"pem": env.pem("OIDC_PROVIDER_KEY"), "issued_at": "2020-01-01T00:00:00+00:00"}]
    IDP_OIDC_ADAPTER = "accounts.oidc.OIDCAdapter"
    IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3600
    IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 30 * 24 * 3600
    IDP_OIDC_INTROSPECTION_ENABLED = True

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
EMAIL_BACKEND_CLASS = "django.core.mail.backends.{}.EmailBackend".format(
    "smtp" if env.text("EMAIL_HOST", "") or not DEBUG else "console"
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

# The three packages

SHOP_AUTH = "shop_orders.contrib.allauth.auth.shop_auth"
ORDERS_AUTH = "shop_orders.contrib.allauth.auth.orders_auth"
STAFF_AUTH = "shop_orders.contrib.allauth.auth.staff_auth"
PROBLEM_TYPE_BASE = f"{SITE_URL}/problems/"
SHOP_CATALOG = {
    "CURRENCY": SHOP_CURRENCY,
    "PRICES_INCLUDE_TAX": True,
    "PRODUCT_URL": "storefront:product",
    "API_AUTH": SHOP_AUTH,
    "STAFF_API_AUTH": STAFF_AUTH,
    "PROBLEM_TYPE_BASE": PROBLEM_TYPE_BASE,
    "VERIFIED_PURCHASE": "storefront.purchases.has_bought",
}
SHOP_DELIVERY = {
    "home": {
        "label": _("Home delivery"),
        "hint": _("Two to four working days"),
        "price": env.amount("SHIPPING_PRICE", "350"),
        "free_from": env.amount("SHIPPING_FREE_FROM", "5000"),
    },
    "express": {
        "label": _("Express delivery"),
        "hint": _("The next working day"),
        "price": env.amount("SHIPPING_PRICE_EXPRESS", "700"),
    },
    "pickup": {"label": _("Collect it yourself"), "hint": _("Ready the same day"), "needs_address": False},
}
PAYMENT_PROVIDERS: dict[str, dict[str, Any]] = {
    "on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"},
}
BANK_ACCOUNT = env.text("BANK_ACCOUNT", "Acacia, Sample Bank, account 0123456789" if DEMO else "")
if BANK_ACCOUNT:
    PAYMENT_PROVIDERS["bank_transfer"] = {
        "BACKEND": "shop_orders.payment_providers.BankTransfer",
        "OPTIONS": {"account": BANK_ACCOUNT},
    }
if DEMO or DEBUG:
    PAYMENT_PROVIDERS["test"] = {
        "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
        "OPTIONS": {"secrets": [SECRET_KEY]},
    }
SHOP_ORDERS = {
    "CURRENCY": SHOP_CURRENCY,
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
    "PRICING": [
        "storefront.shipping.charge",
        {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": env.rate("TAX_RATE", "0.16")}},
    ],
    "PAYMENT_PROVIDERS": PAYMENT_PROVIDERS,
    "PHONE_REGIONS": PHONE_REGIONS,
    "API_AUTH": ORDERS_AUTH,
    "STAFF_API_AUTH": STAFF_AUTH,
    "PROBLEM_TYPE_BASE": PROBLEM_TYPE_BASE,
    "VERIFIED_EMAILS": "shop_orders.contrib.allauth.emails.verified_emails",
    "ORDER_URL": "storefront.links.order_url",
    "DELIVERIES": "storefront.deliveries.of_order",
    "MAX_QUANTITY": env.number("MAX_QUANTITY", 999, least=1),
}
env.needs("AFRICAS_TALKING_USERNAME", "AFRICAS_TALKING_API_KEY", "AFRICAS_TALKING_FROM")
NOTIFIERS: dict[str, dict[str, Any]] = {"email": {"BACKEND": "email"}}
if env.text("AFRICAS_TALKING_USERNAME", ""):
    NOTIFIERS["sms"] = {
        "BACKEND": "africastalking",
        "OPTIONS": {
            "username": env.text("AFRICAS_TALKING_USERNAME"),
            "api_key": env.text("AFRICAS_TALKING_API_KEY"),
            "sender": env.text("AFRICAS_TALKING_FROM", "") or None,
            "base_url": env.url("AFRICAS_TALKING_URL", "", "http", "https"),
            "report_secret": env.text("AFRICAS_TALKING_REPORT_SECRET", ""),
        },
    }
ORDER_LINK_ROUTE: dict[str, Any] = {
    "signal": "storefront.signals.order_link_asked",
    "event": "order_link",
    "to": ["customer"],
    "via": ["email"],
    "priority": 1,
    "expires_after_minutes": 60,
}
SHOP_NOTIFY = {
    "NOTIFIERS": NOTIFIERS,
    "ROUTES": [
        {**route, "via": via}
        for route in [*SHOP_ROUTES, ORDER_LINK_ROUTE]
        if (via := [alias for alias in route["via"] if alias in NOTIFIERS])
    ],
    "QUEUE": "shop_notify.queues.django_q2",
    "ADMINS": [ADMIN_EMAIL],
    "CONTEXT": {"shop_name": SHOP_NAME},
    "BASE_URL": SITE_URL,
    "PHONE_REGIONS": PHONE_REGIONS,
    "SMS_LIMITS": {"hour": env.number("SMS_PER_HOUR", 500, least=1)},
    "REQUEST_RECIPIENT": "config.hooks.recipient_key",
    "API_AUTH": ORDERS_AUTH,
    "STAFF_API_AUTH": STAFF_AUTH,
    "PROBLEM_TYPE_BASE": PROBLEM_TYPE_BASE,
}

# Background work: the outbox is the truth, so a task that runs twice or not at all does no harm.

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
"""Bearer token of the address /metrics; without one the address does not exist."""
