"""The token strategy: allauth's JSON Web Tokens; responses also have the fields that RFC 6749, 5.1 requires."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from allauth.headless import app_settings
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy
from django.core.cache import cache
from django.http import HttpRequest

logger = logging.getLogger(__name__)

SCOPE = "shop:read shop:write orders:read orders:write"
"""The scopes of a customer who logged in: all that customers have."""


def describe() -> dict[str, Any]:
    """The fields that accompany an access token in every response."""
    return {
        "token_type": "Bearer",
        "expires_in": int(app_settings.JWT_ACCESS_TOKEN_EXPIRES_IN),
        "scope": SCOPE,
    }


class TokenStrategy(JWTTokenStrategy):
    """Set ``HEADLESS_TOKEN_STRATEGY`` to this class and ``HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED`` to True.

    With stateful validation logout, a changed password, deactivation and deletion end every token at once.
    """

    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any] | None:
        payload: dict[str, Any] | None = super().create_access_token_payload(request)
        return None if payload is None else {**payload, **describe()}

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Exchange a refresh token once; if two run in parallel, one is refused. A second use is refused and logged.

        The cache remembers used tokens, so several processes must share one.
        """
        key = f"shop_orders.refresh.{hashlib.sha256(refresh_token.encode()).hexdigest()}"
        if not cache.add(key, 1, timeout=app_settings.JWT_REFRESH_TOKEN_EXPIRES_IN):
            logger.warning("A refresh token that was exchanged before was presented again.")
            return None
        tokens: tuple[str, str] | None = super().refresh_token(refresh_token)
        if tokens is None:
            cache.delete(key)
        return tokens
