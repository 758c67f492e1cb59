"""Access tokens of the shop's own OpenID Provider. Imported only where ``allauth.idp.oidc`` is installed."""

from typing import Any

from allauth.idp.oidc.contrib.ninja.security import TokenAuth
from allauth.idp.oidc.models import Token
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from shop_orders.contrib.allauth.auth import InsufficientScope

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class ScopedAuth(TokenAuth):
    """An opaque access token with one scope to read and one to write. Sets ``request.user``.

    A token without a user, such as one from client credentials, makes an anonymous caller, even with a session cookie.

    Raises:
        InsufficientScope: the token lacks the scope.
    """

    openapi_type = "openIdConnect"
    openapi_openIdConnectUrl = "/.well-known/openid-configuration"  # noqa: N815 - the name that OpenAPI has for it
    openapi_description = "An access token that an app got from the shop's OpenID Provider."

    def __init__(self, *, read: str, write: str) -> None:
        super().__init__(scope=[])  # scopes are compared here, so that a missing one is 403 and not 401
        self.read = read
        self.write = write

    def __call__(self, request: HttpRequest) -> Any:
        scheme, _space, value = request.headers.get("Authorization", "").partition(" ")
        # If the value looks like a JWT, allauth parses its own RSA key on each request (65.21: 53 ms instead of 1.3).
        if scheme.lower() != "bearer" or not value or "." in value:
            return None
        token: Token | None = super().__call__(request)
        if token is None:
            return None
        if token.user is None:
            request.user = AnonymousUser()
        scope = self.read if request.method in READS else self.write
        if scope not in token.get_scopes():
            raise InsufficientScope(scope)
        return token


def revoke_token(value: str) -> None:
    """Revoke an access token, and all refresh tokens of its user for the same app."""
    token = Token.objects.lookup(Token.Type.ACCESS_TOKEN, value)
    if token is not None:
        Token.objects.filter(client=token.client, user=token.user, type=Token.Type.REFRESH_TOKEN).delete()
        token.delete()


def revoke_all_tokens(user: AbstractBaseUser) -> None:
    """Revoke every token of a user, with the codes that were not exchanged yet."""
    Token.objects.filter(user=user).delete()
