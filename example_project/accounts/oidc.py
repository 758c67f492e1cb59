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
        "openid": _("Confirm your identity"),
        "profile": _("See your name"),
        "email": _("See your e-mail address"),
        "shop:read": _("See the products and your reviews"),
        "shop:write": _("Write reviews in your name"),
        "orders:read": _("See your cart, orders, profile and message preferences"),
        "orders:write": _("Fill your cart, place and cancel orders, change your profile"),
        "staff": _("Do what your staff permissions allow"),
    }
    """The scopes, in the order in which the consent page shows them."""
    scope_help = {
        "openid": _("By the id of your account."),
        "shop:read": _("Including reviews that wait for approval. It cannot change anything."),
        "shop:write": _("They show your name. You can change or delete them."),
        "orders:read": _("Including your addresses, phone number and payments. It cannot change anything."),
        "orders:write": _("You have to pay for the orders that it places."),
        "staff": _("Manage the shop's products, orders and messages, within your own permissions."),
    }
    """Explanations of the scopes on the consent page."""

    def generate_client_secret(self) -> str:
        """Letters and digits: clients encode other characters (RFC 6749, 2.3.1), and allauth (65.21) does not decode
        them.
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
