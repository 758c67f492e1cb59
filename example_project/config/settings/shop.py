"""How this project joins the three packages: ``SHOP_CATALOG``, ``SHOP_ORDERS`` and ``SHOP_NOTIFY``, at the end."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from shop_notify.presets import SHOP_ROUTES

from config.settings.base import (
    ADMIN_EMAIL,
    CODE_MINUTES,
    DEBUG,
    DEMO,
    PHONE_REGIONS,
    PROXY_COUNT,
    SECRET_KEY,
    SHOP_CURRENCY,
    SHOP_NAME,
    SITE_URL,
    env,
)

SHOP_AUTH = "shop_orders.contrib.allauth.auth.shop_auth"
ORDERS_AUTH = "shop_orders.contrib.allauth.auth.orders_auth"
STAFF_AUTH = "shop_orders.contrib.allauth.auth.staff_auth"
PROBLEM_TYPE_BASE = f"{SITE_URL}/problems/"

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
    "pickup": {
        "label": _("Collect it yourself"),
        "hint": _("Ready the same day"),
        "price": "0",
        "needs_address": False,
    },
}

SAMPLE_AMOUNTS = [
    name
    for name in ("SHIPPING_PRICE", "SHIPPING_PRICE_EXPRESS", "SHIPPING_FREE_FROM", "TAX_RATE")
    if not (DEMO or env.text(name, ""))
]
"""The variables that are not set, so that the amounts of the sample shop apply; ``shop_doctor`` warns of them."""

MPESA = (
    "MPESA_CONSUMER_KEY",
    "MPESA_CONSUMER_SECRET",
    "MPESA_SHORT_CODE",
    "MPESA_PASSKEY",
    "MPESA_WEBHOOK_SECRET",
)
DARAJA = {"production": "https://api.safaricom.co.ke", "sandbox": "https://sandbox.safaricom.co.ke"}
"""Safaricom's API by environment."""
PAYMENT_PROVIDERS: dict[str, dict[str, Any]] = {
    "on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"},
}
BANK_ACCOUNT = env.text("BANK_ACCOUNT", "Acacia, Sample Bank, account 0123456789" if DEMO else "")
if BANK_ACCOUNT:
    PAYMENT_PROVIDERS["bank_transfer"] = {
        "BACKEND": "shop_orders.payment_providers.BankTransfer",
        "OPTIONS": {"account": BANK_ACCOUNT},
    }
if env.together("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"):
    PAYMENT_PROVIDERS["card"] = {
        "BACKEND": "shop_orders.payment_providers.StripeCheckout",
        "OPTIONS": {
            "api_key": env.text("STRIPE_API_KEY"),
            "webhook_secrets": env.items("STRIPE_WEBHOOK_SECRETS"),
            "api_base": env.url("STRIPE_URL", "", "http", "https"),
        },
    }
env.together("MPESA_INITIATOR", "MPESA_INITIATOR_SECRET")
if env.together(*MPESA):
    # Safaricom refuses URLs that contain "mpesa", and the alias is part of the webhook's URL.
    PAYMENT_PROVIDERS["mobile_money"] = {
        "BACKEND": "shop_orders.payment_providers.Mpesa",
        "OPTIONS": {
            **{name.removeprefix("MPESA_").lower(): env.text(name) for name in MPESA},
            "till_number": env.text("MPESA_TILL_NUMBER", ""),
            "initiator": env.text("MPESA_INITIATOR", ""),
            "initiator_secret": env.text("MPESA_INITIATOR_SECRET", ""),
            "site_url": SITE_URL,
            "kind": env.one_of("MPESA_KIND", "paybill", ["paybill", "till"]),
            "api_base": env.url("MPESA_URL", "", "http", "https")
            or DARAJA[env.one_of("MPESA_ENVIRONMENT", "production", DARAJA)],
        },
    }
if DEMO or DEBUG:
    PAYMENT_PROVIDERS["test"] = {
        "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
        "OPTIONS": {"secrets": [SECRET_KEY]},
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
            "low_balance": env.number("AFRICAS_TALKING_LOW_BALANCE", 0) or None,
        },
    }

ORDER_LINK_ROUTE: dict[str, Any] = {
    "signal": "shop_orders.contrib.pages.signals.order_link_asked",
    "event": "order_link",
    "to": ["customer"],
    "via": ["email"],
    "priority": 1,
    "expires_after_minutes": 60,
}

ACCOUNT_ROUTES: list[dict[str, Any]] = [
    {
        "signal": "accounts.signals.mail_requested",
        "when": {"kind": kind},
        "event": f"account_{kind}",
        "to": ["customer"],
        "via": ["email"],
        "priority": 1,
        "expires_after_minutes": minutes,
    }
    for kind, minutes in {"code": CODE_MINUTES, "taken": 60, "unknown": 60, "changed": 24 * 60}.items()
]

SMS_PER_HOUR = env.number("SMS_PER_HOUR", 500, least=1)
IS_THROTTLED = env.flag("THROTTLES", default=True)
"""Off for load tests, whose requests all come from one address."""

SHOP_CATALOG = {
    "FACETS": ["colour", "size", "material", "roast", "caffeine", "paper", "age"],
    "THROTTLES": {"reviews": "20/h"} if IS_THROTTLED else {},
    "CURRENCY": SHOP_CURRENCY,
    "PRICES_INCLUDE_TAX": True,
    "PRODUCT_URL": "storefront:product",
    "API_AUTH": SHOP_AUTH,
    "STAFF_API_AUTH": STAFF_AUTH,
    "PROBLEM_TYPE_BASE": PROBLEM_TYPE_BASE,
    "VERIFIED_PURCHASE": "storefront.purchases.has_bought",
}

SHOP_ORDERS = {
    "CURRENCY": SHOP_CURRENCY,
    "PRODUCT_SOURCE": {"BACKEND": "shop_catalog.product_source.CatalogProductSource"},
    "PRICING": [
        "storefront.shipping.charge",
        {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": env.rate("TAX_RATE", "0.16")}},
    ],
    "VALIDATORS": ["storefront.shipping.refuse_unknown"],
    "PAYMENT_PROVIDERS": PAYMENT_PROVIDERS,
    "PHONE_REGIONS": PHONE_REGIONS,
    "API_AUTH": ORDERS_AUTH,
    "STAFF_API_AUTH": STAFF_AUTH,
    "PROBLEM_TYPE_BASE": PROBLEM_TYPE_BASE,
    "VERIFIED_EMAILS": "shop_orders.contrib.allauth.emails.verified_emails",
    "ORDER_URL": "storefront.links.order_url",
    "DELIVERIES": "storefront.deliveries.of_order",
    "MAX_QUANTITY": env.number("MAX_QUANTITY", 999, least=1),
    "MAX_UNPAID_ORDERS": env.number("MAX_UNPAID_ORDERS", 5, least=1),
    "MAX_UNPAID_UNITS": env.number("MAX_UNPAID_UNITS", 200, least=1),
    "TRUSTED_PROXIES": PROXY_COUNT,
    "THROTTLES": {"cart": "120/m", "orders": "30/h", "payments": "30/h", "registrations": "20/h"}
    if IS_THROTTLED
    else {},
    "PERSONAL_DATA": [
        "shop_catalog.personal_data",
        "shop_notify.personal_data",
        "shop_orders.personal_data",
        *(["demo.personal_data"] if DEMO else []),
        "accounts.personal_data",
    ],
}

SHOP_NOTIFY = {
    "NOTIFIERS": NOTIFIERS,
    "ROUTES": [
        {**route, "via": via}
        for route in [*SHOP_ROUTES, ORDER_LINK_ROUTE, *ACCOUNT_ROUTES]
        if (via := [alias for alias in route["via"] if alias in NOTIFIERS])
    ],
    "SECRETS": {"account_code": {"code": "accounts.mails.code_of"}},
    "QUEUE": "shop_notify.queues.django_q2",
    "ADMINS": [ADMIN_EMAIL],
    "CONTEXT": {"shop_name": SHOP_NAME},
    "BASE_URL": SITE_URL,
    "PHONE_REGIONS": PHONE_REGIONS,
    "SMS_LIMITS": {"hour": SMS_PER_HOUR} if IS_THROTTLED else {"hour": SMS_PER_HOUR, "visitor_hour": SMS_PER_HOUR},
    "REQUEST_RECIPIENT": "config.hooks.recipient_key",
    "API_AUTH": ORDERS_AUTH,
    "STAFF_API_AUTH": STAFF_AUTH,
    "PROBLEM_TYPE_BASE": PROBLEM_TYPE_BASE,
}
