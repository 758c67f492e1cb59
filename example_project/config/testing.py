"""Settings of the example's tests: the site's settings. Of the machine's environment only DATABASE_URL counts."""

from __future__ import annotations

import os
import tempfile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SURROUNDINGS = [
    "DEMO",
    "DB_HOST",
    "DB_NAME",
    "REDIS_URL",
    "PROXY_COUNT",
    "SITE_URL",
    "STATIC_ROOT",
    "EMAIL_HOST",
    "EMAIL_VERIFICATION",
    "OIDC_PROVIDER",
    "OIDC_PROVIDER_OLD_KEY",
    "OIDC_PROVIDERS",
    "OIDC_ISSUER",
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "MPESA_CONSUMER_KEY",
    "MPESA_CONSUMER_SECRET",
    "MPESA_SHORT_CODE",
    "MPESA_PASSKEY",
    "MPESA_WEBHOOK_SECRET",
]


def _rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


os.environ |= dict.fromkeys(SURROUNDINGS, "")
os.environ |= {
    "DEBUG": "false",
    "SECRET_KEY": "a-key-for-tests-that-is-long-enough-to-sign-tokens-with",
    "DATA_DIR": tempfile.mkdtemp(prefix="shop-tests-"),
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "SERVE_MEDIA": "true",
    "AFRICAS_TALKING_USERNAME": "sandbox",
    "AFRICAS_TALKING_API_KEY": "test",
    "AFRICAS_TALKING_REPORT_SECRET": "report-secret",
    "OIDC_PROVIDER_KEY": _rsa_key(),
    "LOG_FORMAT": "line",
    "PASSKEYS": "true",
}

from config.settings import *  # noqa: E402, F403
from config.settings import DATA_DIR, DATABASES, SHOP_NOTIFY, STORAGES  # noqa: E402

if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_example_{os.getpid()}"}
    DATABASES["default"]["OPTIONS"].pop("pool", None)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
SHOP_NOTIFY["QUEUE"] = "shop_notify.queues.none"
