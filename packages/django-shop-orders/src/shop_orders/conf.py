"""Settings of the orders app: one dict, ``SHOP_ORDERS``, one typed property per setting, read live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from shop_core.conf import BaseSettings


class AppSettings(BaseSettings):
    setting = "SHOP_ORDERS"

    @property
    def CURRENCY(self) -> str:
        """ISO 4217 code of every price in the shop. Required; changing it does not convert stored amounts."""
        currency = self.get("CURRENCY", None)
        if currency is None:
            raise ImproperlyConfigured(
                'SHOP_ORDERS["CURRENCY"] is not set. Paste: SHOP_ORDERS = {"CURRENCY": "KES", ...} (ISO 4217).'
            )
        return str(currency)

    @property
    def PRODUCT_SOURCE(self) -> Mapping[str, Any]:
        """``{"BACKEND": dotted path, "OPTIONS": {...}}`` of the product source. Required."""
        value: Mapping[str, Any] = self.require("PRODUCT_SOURCE")
        return value

    @property
    def PAYMENT_PROVIDERS(self) -> Mapping[str, Mapping[str, Any]]:
        """``{alias: {"BACKEND": dotted path, "OPTIONS": {...}}}``; the first is the default at checkout."""
        default = {"on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}}
        value: Mapping[str, Mapping[str, Any]] = self.get("PAYMENT_PROVIDERS", default)
        return value

    @property
    def PRICING(self) -> Sequence[str | Mapping[str, Any]]:
        """Pricing hooks in order: dotted paths, or ``{"BACKEND": dotted path, "OPTIONS": {...}}``."""
        value: Sequence[str | Mapping[str, Any]] = self.get("PRICING", ())
        return value

    @property
    def VALIDATORS(self) -> Sequence[str | Mapping[str, Any]]:
        """Callables ``(draft) -> None`` that may refuse an order inside the checkout transaction."""
        value: Sequence[str | Mapping[str, Any]] = self.get("VALIDATORS", ())
        return value

    @property
    def ORDER_NUMBER(self) -> str:
        """Dotted path of ``(order) -> str``; called again when the number is taken."""
        return str(self.get("ORDER_NUMBER", "shop_orders.numbers.order_number"))

    @property
    def API_AUTH(self) -> str | Sequence[str]:
        """Dotted path, or list of them, of the ninja auth callables for customers."""
        value: str | Sequence[str] = self.get("API_AUTH", "ninja.security.django_auth")
        return value

    @property
    def STAFF_API_AUTH(self) -> str | Sequence[str]:
        """The same for staff operations, which also check Django model permissions."""
        value: str | Sequence[str] = self.get("STAFF_API_AUTH", "ninja.security.django_auth")
        return value

    @property
    def REQUEST_USER(self) -> str:
        """Dotted path of ``(request) -> user or None``."""
        return str(self.get("REQUEST_USER", "shop_orders.customers.request_user"))

    @property
    def NEW_CUSTOMER(self) -> str:
        """Dotted path of ``(user) -> {customer field: value}``, called when a user becomes a customer."""
        return str(self.get("NEW_CUSTOMER", "shop_orders.customers.fields_from_user"))

    @property
    def VERIFIED_EMAILS(self) -> str:
        """Dotted path of ``(user) -> iterable of addresses`` that the user has verified; default: none."""
        return str(self.get("VERIFIED_EMAILS", "shop_orders.customers.no_verified_emails"))

    @property
    def PHONE_REGIONS(self) -> Sequence[str]:
        """ISO 3166-1 countries in which a phone number may be written without its country code."""
        value: Sequence[str] = self.get("PHONE_REGIONS", ())
        return value

    @property
    def MAX_QUANTITY(self) -> int:
        """The most units of one product in a cart."""
        return int(self.get("MAX_QUANTITY", 999))

    @property
    def MAX_LINES(self) -> int:
        """The most different products in a cart, and so the most lines of an order."""
        return int(self.get("MAX_LINES", 500))

    @property
    def MAX_UNPAID_ORDERS(self) -> int:
        """The most unpaid orders that a customer, a guest's e-mail address or phone, or a visitor can have.

        Pending orders count, and confirmed ones until staff begin to process them.
        """
        return int(self.get("MAX_UNPAID_ORDERS", 5))

    @property
    def MAX_UNPAID_UNITS(self) -> int:
        """The most units in these orders together, the new one included."""
        return int(self.get("MAX_UNPAID_UNITS", 200))

    @property
    def VISITOR(self) -> str:
        """Dotted path of ``(request) -> network address`` of the visitor; "" if it is unknown."""
        return str(self.get("VISITOR", "shop_orders.visitors.visitor_address"))

    @property
    def TRUSTED_PROXIES(self) -> int | None:
        """How many reverse proxies in front of the site write X-Forwarded-For. None: it is not known."""
        value: int | None = self.get("TRUSTED_PROXIES", None)
        return value

    @property
    def THROTTLES(self) -> Mapping[str, str]:
        """How often a user, or the visitor of a guest, may do something: ``{"cart": "60/m"}``, by s, m, h or d.

        Kinds: ``cart`` (each change), ``orders``, ``payments``, and with allauth ``registrations``. A kind without a
        rate is not limited.
        """
        value: Mapping[str, str] = self.get("THROTTLES", {})
        return value

    @property
    def GUEST_CHECKOUT(self) -> bool:
        """Whether an order can be placed without an account."""
        return bool(self.get("GUEST_CHECKOUT", True))

    @property
    def GUEST_LINK_MAX_AGE(self) -> timedelta:
        """How long a guest's signed order link can be used."""
        value: timedelta = self.get("GUEST_LINK_MAX_AGE", timedelta(days=90))
        return value

    @property
    def CART_MERGE(self) -> str:
        """What happens to a guest's cart at log-in: ``sum``, ``larger``, ``guest`` or ``account``."""
        return str(self.get("CART_MERGE", "sum"))

    @property
    def CART_MAX_AGE(self) -> timedelta:
        """How long an open cart is kept after its last change."""
        value: timedelta = self.get("CART_MAX_AGE", timedelta(days=60))
        return value

    @property
    def CART_ABANDONED_AFTER(self) -> timedelta | None:
        """How long after its last change an open cart is announced by ``cart_abandoned``, if the customer agreed.

        ``None``: never, and no consent is asked for.
        """
        value: timedelta | None = self.get("CART_ABANDONED_AFTER", None)
        return value

    @property
    def ORDER_URL(self) -> str:
        """Dotted path of ``(order_number, token) -> absolute URL`` of the order's page. Default: none."""
        return str(self.get("ORDER_URL", ""))

    @property
    def DELIVERIES(self) -> str:
        """Dotted path of ``(order_number) -> list of dicts``: the messages about an order. Default: none."""
        return str(self.get("DELIVERIES", ""))

    @property
    def PERSONAL_DATA(self) -> Sequence[str]:
        """Dotted paths of modules with ``export_personal_data`` and ``erase_personal_data``, in order."""
        value: Sequence[str] = self.get("PERSONAL_DATA", ("shop_orders.personal_data",))
        return value

    @property
    def TRANSITIONS(self) -> Mapping[str, Iterable[str]]:
        """Transitions allowed in addition to the built-in ones: ``{from_status: [to_status]}``."""
        value: Mapping[str, Iterable[str]] = self.get("TRANSITIONS", {})
        return value

    @property
    def STATES(self) -> Mapping[str, Mapping[str, Any]]:
        """States of the site's own: ``{name: {"KIND": built-in status, "LABEL": text, "EVENT": name}}``."""
        value: Mapping[str, Mapping[str, Any]] = self.get("STATES", {})
        return value

    @property
    def PROBLEM_TYPE_BASE(self) -> str:
        """URL prefix of problem types; without it they are ``about:blank``."""
        return str(self.get("PROBLEM_TYPE_BASE", ""))


app_settings = AppSettings()
