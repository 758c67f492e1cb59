"""The shop as an OpenID Provider: what it says about itself and its scopes."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class OIDCAdapter(DefaultOIDCAdapter):
    scope_display = {
        **DefaultOIDCAdapter.scope_display,
        "shop:read": _("See the products and your reviews"),
        "shop:write": _("Write reviews in your name"),
        "orders:read": _("See your cart, orders, profile and wishes"),
        "orders:write": _("Fill your cart, place and cancel orders, change your profile"),
        "staff": _("Do what your staff permissions allow"),
    }

    def get_issuer(self) -> str:
        """The public address, whichever host name a request came by."""
        return str(settings.SITE_URL)

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Name what a client can really have: codes with PKCE, and the scopes of the API."""
        data["response_types_supported"] = ["code"]
        data["grant_types_supported"] = ["authorization_code", "refresh_token", "client_credentials"]
        data["scopes_supported"] = list(self.scope_display)
        data.pop("device_authorization_endpoint", None)
