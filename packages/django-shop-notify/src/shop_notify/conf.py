"""Settings of the notify app: one dict, ``SHOP_NOTIFY``, one typed property per setting, read at each access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shop_core.conf import BaseSettings


class AppSettings(BaseSettings):
    setting = "SHOP_NOTIFY"

    @property
    def NOTIFIERS(self) -> Mapping[str, Mapping[str, Any]]:
        """``{alias: {"BACKEND": dotted path or entry point name, "OPTIONS": {...}}}``: the notifiers by alias."""
        value: Mapping[str, Mapping[str, Any]] = self.get("NOTIFIERS", {})
        return value

    @property
    def ROUTES(self) -> Sequence[Mapping[str, Any]]:
        """Which signal becomes which event, for whom and by which aliases. See ``shop_notify.routes.Route``."""
        value: Sequence[Mapping[str, Any]] = self.get("ROUTES", ())
        return value

    @property
    def QUEUE(self) -> str:
        """Dotted path of a callable without arguments that wakes a worker after new rows were committed."""
        return str(self.get("QUEUE", "shop_notify.queues.inline"))

    @property
    def ADMINS(self) -> Sequence[str | Mapping[str, str]]:
        """Recipients of ``"admins"`` in a route: e-mail addresses, E.164 numbers, or recipients as in a payload."""
        value: Sequence[str | Mapping[str, str]] = self.get("ADMINS", ())
        return value

    @property
    def CONTEXT(self) -> Mapping[str, Any]:
        """Plain values that every template sees, such as ``{"shop_name": "Duka"}``."""
        value: Mapping[str, Any] = self.get("CONTEXT", {})
        return value

    @property
    def SECRETS(self) -> Mapping[str, Mapping[str, str]]:
        """``{event: {name: dotted path}}``: values of its templates that are made when a message is sent.

        Each callable takes the context of the notification and returns a text. No row, page or log has these values,
        and staff cannot send these messages again.
        """
        value: Mapping[str, Mapping[str, str]] = self.get("SECRETS", {})
        return value

    @property
    def PHONE_REGIONS(self) -> Sequence[str]:
        """ISO 3166-1 alpha-2 codes of the countries that SMS may go to. Empty: none."""
        value: Sequence[str] = self.get("PHONE_REGIONS", ())
        return value

    @property
    def SMS_LIMITS(self) -> Mapping[str, int]:
        """How many paid messages may be sent per phone, customer, visitor and hour; others wait for the next period.

        Keys: ``phone_10_minutes``, ``phone_day``, ``customer_day``, ``visitor_hour``, ``hour``. The visitor is the
        payload's ``visitor``, a text that the sender of the signal chooses, such as a hash of the network address.
        """
        value: Mapping[str, int] = self.get("SMS_LIMITS", {})
        default = {"phone_10_minutes": 3, "phone_day": 10, "customer_day": 20, "visitor_hour": 20, "hour": 500}
        return {**default, **value}

    @property
    def BASE_URL(self) -> str:
        """Scheme and host for links in messages, such as ``https://shop.example.org``. Empty: no unsubscribe link."""
        return str(self.get("BASE_URL", "")).rstrip("/")

    @property
    def KEEP_DAYS(self) -> int:
        """How long finished notifications are kept before ``prune_notifications`` deletes them."""
        return int(self.get("KEEP_DAYS", 90))

    @property
    def API_AUTH(self) -> str | Sequence[str]:
        """Dotted path of the auth callable of the customers' operations, or a list of them."""
        value: str | Sequence[str] = self.get("API_AUTH", "ninja.security.django_auth")
        return value

    @property
    def STAFF_API_AUTH(self) -> str | Sequence[str]:
        """The same for the staff's operations, which also check model permissions."""
        value: str | Sequence[str] = self.get("STAFF_API_AUTH", "ninja.security.django_auth")
        return value

    @property
    def REQUEST_RECIPIENT(self) -> str:
        """Dotted path of ``(request) -> recipient key``: whose preferences the API reads and changes."""
        return str(self.get("REQUEST_RECIPIENT", "shop_notify.recipients.recipient_of_user"))

    @property
    def PROBLEM_TYPE_BASE(self) -> str:
        """URL prefix of the problem documents' types, such as ``/problems/``. Empty: ``about:blank``."""
        return str(self.get("PROBLEM_TYPE_BASE", ""))


app_settings = AppSettings()
