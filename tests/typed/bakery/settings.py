"""A shop that sells its own table. ``nox -s types`` checks it with and without the plugin of django-stubs."""

from typing import Any

SECRET_KEY = "tests only"
USE_TZ = True
ROOT_URLCONF = "bakery.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "ninja",
    "shop_orders",
    "shop_notify",
    "bakery",
]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
MIDDLEWARE += ["django.contrib.auth.middleware.AuthenticationMiddleware"]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}

SHOP_ORDERS: dict[str, Any] = {
    "CURRENCY": "KES",
    "PRODUCT_SOURCE": {"BACKEND": "bakery.products.LoafSource"},
    "PRICING": ["bakery.pricing.paper_bags"],
    "PAYMENT_PROVIDERS": {
        "voucher": {"BACKEND": "bakery.vouchers.Vouchers", "OPTIONS": {"codes": {"GIFT-1": "500.00"}}},
    },
}
SHOP_NOTIFY: dict[str, Any] = {
    "QUEUE": "shop_notify.queues.inline",
    "NOTIFIERS": {"printer": {"BACKEND": "bakery.printer.KitchenPrinter", "OPTIONS": {"width": 32}}},
    "ROUTES": [
        {
            "signal": "shop_orders.signals.order_placed",
            "event": "order_placed",
            "to": ["bakery.printer.kitchen"],
            "via": ["printer"],
        }
    ],
}
