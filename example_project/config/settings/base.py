"""The site: name and address, apps, middleware, templates, languages, security headers."""

from __future__ import annotations

from pathlib import Path

import django
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from config.env import Env

BASE_DIR = Path(__file__).resolve().parents[2]
env = Env(BASE_DIR / ".env")

DEMO = env.flag("DEMO")
"""The whole shop on one machine with sample data, known passwords and an inbox that anyone can read."""
DEBUG = env.flag("DEBUG")
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var")))
"""The folder of the SQLite database and the uploads."""
SECRET_KEY = env.text(
    "SECRET_KEY",
    "only-for-development-and-never-for-a-site-that-others-can-reach" if DEBUG else None,
    hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
)
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
SITE_URL = env.site("SITE_URL", "http://127.0.0.1:8000")
"""The public URL of the shop; links in messages and the delivery report URL begin with it."""
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
    "shop_orders.contrib.pages",
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
    "config.middleware.cookies_are_private",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.private_pages",
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

CODE_MINUTES = 15
"""How long a code that is sent by e-mail is valid; an e-mail that is late by more is not sent."""

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=SECURE)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.number("SECURE_HSTS_SECONDS", 31_536_000 if SECURE else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
PROXY_COUNT = env.number("PROXY_COUNT", 0)
"""The number of our own proxies in front of the shop. Other entries of X-Forwarded-For are not trusted."""
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
"""Other origins whose scripts may call the API with tokens, never with cookies."""
CONTENT_SECURITY_POLICY_BY_PATH: dict[str, dict[str, str]] = {
    "/admin/": {"style-src": "'self' 'unsafe-inline'"},
    "/redoc/": {"style-src": "'self' 'unsafe-inline'", "worker-src": "'self' blob:"},
    "/swagger/oauth2-redirect/": {},
    "/swagger/": {"style-src": "'self' 'unsafe-inline'"},
}
"""Additions for pages of other libraries, which have inline styles. No page has inline scripts.

``accounts.middleware.form_targets`` adds the origins to which forms of the account pages may be redirected.
"""
