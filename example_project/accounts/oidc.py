"""The shop as an OpenID Provider: its metadata and scopes."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class OIDCAdapter(DefaultOIDCAdapter):
    scope_display = {
        "openid": _("Know that you are you"),
        "profile": _("See your name"),
        "email": _("See your e-mail address"),
        "shop:read": _("See the products and your reviews"),
        "shop:write": _("Write reviews in your name"),
        "orders:read": _("See your cart, orders, profile and wishes"),
        "orders:write": _("Fill your cart, place and cancel orders, change your profile"),
        "staff": _("Do what your staff permissions allow"),
    }
    """The scopes, in the order in which the consent page shows them."""
    scope_help = {
        "openid": _("By a number that stands for your account."),
        "shop:read": _("Reviews that wait for approval included. It changes nothing."),
        "shop:write": _("They carry your name and can be changed or deleted by you."),
        "orders:read": _("With your addresses and phone number, and what you paid. It changes nothing."),
        "orders:write": _("Orders that it places are yours, and yours to pay."),
        "staff": _("Manage products, orders and messages of the shop, as far as you may do so yourself."),
    }
    """Explanations of the scopes on the consent page."""

    def generate_client_secret(self) -> str:
        """Letters and digits: clients encode other characters (RFC 6749, 2.3.1), and allauth (65.21) does not decode
        it.
        """
        return secrets.token_hex(32)

    def get_issuer(self) -> str:
        """The public URL, independent of the host name of the request."""
        return str(settings.SITE_URL)

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Advertise only what clients can use: codes with PKCE and the scopes of the API, at the issuer's URL."""
        data["response_types_supported"] = ["code"]
        data["grant_types_supported"] = ["authorization_code", "refresh_token", "client_credentials"]
        data["scopes_supported"] = list(self.scope_display)
        data.pop("device_authorization_endpoint", None)
        for name, value in data.items():
            if name.endswith(("_endpoint", "jwks_uri")):
                data[name] = f"{self.get_issuer()}{urlsplit(value).path}"
