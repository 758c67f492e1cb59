"""OpenID Connect from the environment: the providers with which people can log in.

One provider: ``OIDC_ISSUER``, ``OIDC_CLIENT_ID``, ``OIDC_CLIENT_SECRET``, ``OIDC_NAME``. Several:
``OIDC_PROVIDERS=google,work`` and the same four with the provider's name in each, ``OIDC_GOOGLE_ISSUER`` and so on.
Optional: ``OIDC_STAFF_CLAIM`` (``groups=shop-staff``), ``OIDC_SCOPE`` and ``OIDC_LOGOUT``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.env import Env


def providers(env: Env) -> list[dict[str, Any]]:
    """The apps of allauth's ``openid_connect`` provider. [] if no issuer is set.

    Raises:
        ImproperlyConfigured: an issuer is not a URL, or one of its other variables is missing.
    """
    names = env.items("OIDC_PROVIDERS")
    if wrong := [name for name in names if not re.fullmatch("[A-Za-z0-9_-]+", name)]:
        raise ImproperlyConfigured(f"OIDC_PROVIDERS must hold short names such as google, not {wrong[0]!r}.")
    if not names:
        env.needs("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    if not names and env.values.get("OIDC_ISSUER"):
        return [_provider(env, "openid", "OIDC_")]
    return [_provider(env, name.lower(), f"OIDC_{name.upper().replace('-', '_')}_") for name in names]


def origins(apps: Iterable[dict[str, Any]]) -> list[str]:
    """The origins to which a log-in form may be redirected; browsers apply ``form-action`` to redirects too."""
    urls = [urlsplit(app["settings"]["server_url"]) for app in apps]
    return [f"{url.scheme}://{url.netloc}" for url in urls]


def _provider(env: Env, name: str, prefix: str) -> dict[str, Any]:
    issuer = env.text(f"{prefix}ISSUER", hint="It is the address before /.well-known/openid-configuration.")
    if not issuer.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        raise ImproperlyConfigured(f"{prefix}ISSUER must begin with https://, not {issuer!r}.")
    return {
        "provider_id": name,
        "name": env.text(f"{prefix}NAME", name.replace("-", " ").title()),
        "client_id": env.text(f"{prefix}CLIENT_ID"),
        "secret": env.text(f"{prefix}CLIENT_SECRET"),
        "settings": {
            "server_url": issuer,
            "oauth_pkce_enabled": True,
            "staff_claim": env.text(f"{prefix}STAFF_CLAIM", ""),
            "end_session": env.flag(f"{prefix}LOGOUT", default=True),
            **({"scope": scope.split()} if (scope := env.text(f"{prefix}SCOPE", "")) else {}),
        },
    }
