"""The example shop for a replay: pounds, tax in the prices, no throttles, long-lived passwords and tokens."""

from config.settings import *  # noqa: F403
from config.settings import SHOP_CATALOG as EXAMPLE_CATALOG
from config.settings import SHOP_ORDERS as EXAMPLE_ORDERS

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ACCOUNT_RATE_LIMITS = False
SHOP_CATALOG = {**EXAMPLE_CATALOG, "THROTTLES": {}}
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 24 * 3600
SHOP_ORDERS = {
    **EXAMPLE_ORDERS,
    "PRICING": [
        {
            "BACKEND": "shop_orders.pricing.flat_rate_tax",
            "OPTIONS": {"rate": "0.20", "rates": {"reduced": "0.05", "zero": "0"}},
        }
    ],
    "VALIDATORS": [],
    "THROTTLES": {},
    "MAX_QUANTITY": 100_000,
    "MAX_UNPAID_ORDERS": 100_000,
    "MAX_UNPAID_UNITS": 10_000_000,
}
