"""A site of programs with API keys: a class in API_AUTH, two APIs, mail by MAILERS."""

from hosts.base import *  # noqa: F403
from hosts.base import DATABASES, SHOP_NOTIFY, SHOP_ORDERS

DATABASES["default"]["TEST"]["MIGRATE"] = False
ROOT_URLCONF = "hosts.keys_urls"
API_PATH = "/v2/"
AUTH = ["hosts.keys_urls.PartnerKey", "ninja.security.django_auth"]
SHOP_ORDERS = {**SHOP_ORDERS, "API_AUTH": AUTH, "STAFF_API_AUTH": AUTH}
SHOP_NOTIFY = {
    **SHOP_NOTIFY,
    "API_AUTH": AUTH,
    "STAFF_API_AUTH": AUTH,
    "NOTIFIERS": {**SHOP_NOTIFY["NOTIFIERS"], "email": {"BACKEND": "shop_notify.notifiers.EmailNotifier"}},
}
DEFAULT_FROM_EMAIL = "shop@example.org"
