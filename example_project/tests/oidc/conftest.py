"""The shop on a real port, independent provider and apps, and Chromium for a person's clicks."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accounts.models import User
from allauth.idp.oidc.models import Client as App

HERE = Path(__file__).resolve().parent
ALL = ["openid", "profile", "email", "shop:read", "shop:write", "orders:read", "orders:write"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def shop(live_server: Any, settings: Any) -> str:
    settings.SITE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def app_port() -> int:
    return free_port()


@pytest.fixture
def issuer(shop: str, app_port: int, settings: Any) -> Iterator[str]:
    """A running provider that the shop is configured with as ``work``."""
    port = free_port()
    app = f"http://127.0.0.1:{app_port}/callback"
    provider = subprocess.Popen(
        ["node", "provider.mjs", str(port), shop, app],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert provider.stdout is not None
    assert provider.stdout.readline() == "ready\n"
    address = f"http://127.0.0.1:{port}"
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "work",
                    "name": "Work ID",
                    "client_id": "shop",
                    "secret": "shop-secret",
                    "settings": {
                        "server_url": address,
                        "oauth_pkce_enabled": True,
                        "staff_claim": "groups=shop-staff",
                        "end_session": True,
                    },
                }
            ],
        }
    }
    yield address
    provider.terminate()
    provider.wait()
    provider.stdout.close()


@pytest.fixture
def make_app(db: None) -> Callable[..., App]:
    def make(app_id: str, *, secret: str = "", scopes: list[str] | None = None, **fields: Any) -> App:
        app = App(id=app_id, name="The App", type="confidential" if secret else "public", **fields)
        app.set_secret(secret or "unused")
        app.set_redirect_uris(["http://127.0.0.1/callback"])
        app.set_post_logout_redirect_uris(["http://127.0.0.1/callback"])
        app.set_scopes(ALL if scopes is None else scopes)
        app.set_grant_types(["authorization_code", "refresh_token"])
        app.save()
        return app

    return make


@pytest.fixture
def staff(make_user: Callable[..., User]) -> User:
    return make_user("staff@example.org", is_staff=True, is_superuser=True)
