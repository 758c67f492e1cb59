"""Log-in with OpenID Providers whose responses are not trusted.

    SOCIALACCOUNT_ADAPTER = "shop_orders.contrib.allauth.openid_login.SocialAccountAdapter"
    urlpatterns = [path("accounts/", include("shop_orders.contrib.allauth.openid_urls")), ..., include("allauth.urls")]

allauth (65.21) responds with a server error when a provider sends something unexpected, takes
``"email_verified": "false"`` for true, and gives all users without a ``sub`` one account. Imported only where
``allauth.socialaccount.providers.openid_connect`` is installed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from allauth.socialaccount import app_settings
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy
from requests import RequestException

from shop_orders.contrib.allauth.openid_rights import STAFF, has_claim

logger = logging.getLogger(__name__)

SUBJECT_LENGTH = 255
"""The longest ``sub`` (OpenID Connect Core 1.0, 2). allauth's column is shorter."""
NAME_LENGTH = 150
"""The length of the names in Django's user model."""
STORED_LENGTH = 10_000
"""The longest JSON of all claims that is stored; if it is longer, only the claims of NEEDED are."""
END = "end_session_endpoint"
NEEDED = ("email", "email_verified", "family_name", "given_name", "iss", "name", "preferred_username", "sub")

FAULTS: Mapping[str, Any] = {
    "unreachable": gettext_lazy(
        "%(provider)s does not respond. Try again in a few minutes, or log in with an e-mail address and a password."
    ),
    "unreadable": gettext_lazy(
        "%(provider)s sent a response that the shop cannot use. Try again, or log in with an e-mail address and a "
        "password. If it stays like this, tell the shop."
    ),
    "subject": gettext_lazy(
        "%(provider)s did not say which of its accounts is yours, so the shop cannot log you in. Log in with an "
        "e-mail address and a password."
    ),
    "expired": gettext_lazy(
        "This log-in was started too long ago or in another browser, or %(provider)s refused it. Start again."
    ),
}
"""The messages of the error page, by code."""


class ProviderFault(ProviderException):
    """The provider sent something that cannot be used. ``code`` is a key of FAULTS."""

    def __init__(self, code: str = "unreadable") -> None:
        super().__init__(code)
        self.code = code


class Adapter(OpenIDConnectOAuth2Adapter):
    """allauth's client of one provider. Whatever the provider sends, it raises only errors that allauth handles."""

    @property
    def openid_config(self) -> Any:
        with _reading():
            config = super().openid_config
            for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", END):
                if name in config and urlsplit(config[name]).scheme not in {"http", "https"}:
                    raise ProviderFault
            if not config["authorization_endpoint"] or not config["token_endpoint"]:
                raise ProviderFault
        return config

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> Any:
        with _reading():
            return super().get_access_token_data(*args, **kwargs)

    def parse_token(self, data: Any) -> Any:
        with _reading():
            if not isinstance(data["access_token"], str):
                raise ProviderFault
            is_period = type(data.get("expires_in")) is int and 0 < data["expires_in"] < 10**9
            return super().parse_token({**data, "expires_in": data["expires_in"] if is_period else None})

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        with _reading():
            login = super().complete_login(request, app, token, **kwargs)
            url, id_token = self.openid_config.get(END), kwargs["response"].get("id_token")
        if app.settings.get("end_session") and url and id_token:
            token.openid_logout = {"url": url, "client_id": app.client_id, "id_token": id_token}
        return login


class Provider(OpenIDConnectProvider):
    """allauth's provider. Unexpected claims raise ProviderFault (OpenID Connect Core 1.0, 2, 5.1 and 5.3.2)."""

    oauth2_adapter_class = Adapter

    def sociallogin_from_response(self, request: HttpRequest, response: Any) -> Any:
        """The log-in that a provider's response describes.

        Raises:
            ProviderFault: ``sub`` is missing or not text, or the ID token and the userinfo are about two people.
        """
        if not isinstance(response, dict):
            raise ProviderFault
        parts = [response[name] for name in ("userinfo", "id_token") if response.get(name)] or [response]
        if len({_subject(part) for part in parts}) > 1:
            raise ProviderFault("subject")
        login = super().sociallogin_from_response(request, _storable(response))
        if wanted := self.app.settings.get("staff_claim"):
            login.account.extra_data[STAFF] = any(has_claim(part, wanted) for part in parts)
        return login

    def verify_token(self, request: HttpRequest, token: Any) -> Any:
        from allauth.socialaccount.adapter import get_adapter

        try:
            with _reading():
                return super().verify_token(request, token)
        except ProviderException as error:
            raise get_adapter().validation_error("invalid_token") from error

    def extract_uid(self, data: Any) -> str:
        claims = _claims(data)
        return _subject(claims, self.app.settings.get("uid_field", "sub"))

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        """The claims to store with the account; only those of NEEDED if all are longer than STORED_LENGTH."""
        is_short = len(json.dumps(data)) <= STORED_LENGTH
        return data if is_short else {"userinfo": {name: _text(_claims(data).get(name)) for name in NEEDED}}

    def extract_common_fields(self, data: Any) -> dict[str, Any]:
        fields = super().extract_common_fields(data)
        names = ("email", "username", "name", "last_name", "first_name")
        return {name: _text(fields.get(name)) or None for name in names}

    def extract_email_addresses(self, data: Any) -> list[EmailAddress]:
        claims = _claims(data)
        email, verified = claims.get("email"), claims.get("email_verified")
        if not isinstance(email, str) or not email:
            return []
        is_verified = verified is True or (isinstance(verified, str) and verified.lower() == "true")
        return [EmailAddress(email=email, verified=is_verified, primary=True)]


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Uses this module's classes for OpenID Connect, and says what happened when a log-in fails."""

    def get_provider(self, *args: Any, **kwargs: Any) -> Any:
        return self._defensive(super().get_provider(*args, **kwargs))

    def list_providers(self, request: HttpRequest) -> list[Any]:
        return [self._defensive(provider) for provider in super().list_providers(request)]

    def on_authentication_error(
        self,
        request: HttpRequest,  # noqa: ARG002 - allauth's signature
        provider: Any,
        error: Any = None,  # noqa: ARG002
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Give the error page its ``reason``. A warning is logged, not an error: a visitor can cause it."""
        code = _code_of(exception)
        logger.warning("A log-in with the provider %s failed: %s (%s).", provider, code, type(exception).__name__)
        if extra_context is not None:
            extra_context["reason"] = FAULTS[code] % {"provider": getattr(provider, "name", provider)}

    @staticmethod
    def _defensive(provider: Any) -> Any:
        is_plain = type(provider) is OpenIDConnectProvider
        return Provider(provider.request, app=provider.app) if is_plain else provider


@login_not_required
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _run(OAuth2LoginView, request, provider_id)


@login_not_required
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _run(OAuth2CallbackView, request, provider_id)


def _run(view: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    adapter = Adapter(request, provider_id)
    try:
        provider = adapter.get_provider()
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    try:
        response: HttpResponse = view.adapter_view(adapter)(request)
    except (ProviderException, OAuth2Error, RequestException) as error:
        response = render_authentication_error(request, provider, exception=error)
    return response


@contextmanager
def _reading() -> Iterator[None]:
    """Turn the errors that unexpected JSON causes in allauth into a ProviderFault."""
    try:
        yield
    except RequestException:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ProviderFault from error


def _code_of(exception: Exception | None) -> str:
    if isinstance(exception, ProviderFault):
        return exception.code
    if isinstance(exception, ValueError):  # requests' error for something else than JSON is a RequestException too
        return "unreadable"
    if isinstance(exception, RequestException):
        return "unreachable"
    return "unreadable" if exception is not None else "expired"


def _claims(data: Any) -> Mapping[str, Any]:
    """The claims about the user, as allauth chooses them: the userinfo, else the ID token."""
    claims = data.get("userinfo") or data.get("id_token") or data
    return claims if isinstance(claims, Mapping) else {}


def _subject(claims: Any, name: str = "sub") -> str:
    """Return the user's id at the provider; a hash of it, if it is longer than allauth's column.

    Raises:
        ProviderFault: it is missing, not text, or longer than the 255 letters that are allowed.
    """
    subject = claims.get(name) if isinstance(claims, Mapping) else None
    if not isinstance(subject, str) or not subject.strip() or not subject.isprintable():
        raise ProviderFault("subject")
    if len(subject) > SUBJECT_LENGTH:
        raise ProviderFault("subject")
    if len(subject) > app_settings.UID_MAX_LENGTH:
        return f"sha256:{hashlib.sha256(subject.encode()).hexdigest()}"
    return subject


def _text(value: Any) -> str:
    """A claim as a line of text; "" if it is not text."""
    if not isinstance(value, str):
        return ""
    return "".join(letter for letter in value if letter.isprintable()).strip()[:NAME_LENGTH]


def _storable(value: Any) -> Any:
    """JSON without what PostgreSQL refuses: NUL, lone surrogates, NaN and infinity."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    is_number = isinstance(value, int | float)
    return None if is_number and not abs(value) < 10**300 else value
