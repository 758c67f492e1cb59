from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache, caches
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from shop_notify import delivery

PASSWORD = "a-long-and-odd-one-42"
AUTH = "/api/v1/auth/customers/"
TESTS = Path(__file__).resolve().parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip browser tests, with the reason, if node, Chromium or the npm packages are missing."""
    missing = ["node is not installed"] if not shutil.which("node") else []
    missing += ["Chromium is not installed"] if not CHROMIUM else []
    for item in items:
        if item.get_closest_marker("browser") is None:
            continue
        item.add_marker(pytest.mark.slow)
        folder = _scripts_of(item.path)
        here = (
            [] if (folder / "node_modules").is_dir() else [f"npm ci was not run in {folder.relative_to(TESTS.parent)}"]
        )
        if reasons := [*missing, *here]:
            item.add_marker(pytest.mark.skip(reason="; ".join(reasons)))


@pytest.fixture(autouse=True)
def _one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of a test are counted in one window of time, whenever the test runs."""
    clock = SimpleNamespace(time=lambda: 1_800_000_030.0, monotonic=time.monotonic)
    monkeypatch.setattr("shop_core.limits.time", clock)


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a site with ATOMIC_REQUESTS: a view that calls a payment provider must be exempt, or its test fails."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Run a script of the browser tests; return its output, or fail with its errors."""

    folder = _scripts_of(request.path)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["node", *arguments],
            cwd=folder,
            env={**os.environ, "CHROMIUM": CHROMIUM},
            capture_output=True,
            text=True,
            timeout=120 if folder.name == "oidc" else 600,
            check=False,
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    return run


def _scripts_of(test: Path) -> Path:
    """The folder with the scripts that a test runs. The scripts of the OpenID log-in have a folder of their own."""
    return TESTS / "oidc" if TESTS / "oidc" in test.parents else TESTS / "storefront" / "browser"


def sent_mails() -> list[Any]:
    """The e-mails so far, after a worker has delivered the outbox."""
    delivery.deliver_due()
    outbox: list[Any] = mail.outbox
    return outbox


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """The caches hold rate limits, used refresh tokens, and parts of pages."""
    cache.clear()
    caches["template_fragments"].clear()


@dataclass
class Api:
    """A client of the API: JSON in, JSON out, with or without a token."""

    client: Client
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        sent = {**self.headers, **({"Authorization": f"Bearer {self.token}"} if self.token else {}), **headers}
        data = body if isinstance(body, (bytes, str)) else "" if body is None else json.dumps(body)
        return self.client.generic(method, path, data, content_type="application/json", headers=sent)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("PATCH", path, body, **headers)


@pytest.fixture
def api() -> Api:
    return Api(Client())


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(email: str = "customer@example.org", *, verified: bool = True, **fields: Any) -> User:
        fields = {"first_name": "Test", "last_name": "Customer", **fields}
        user = User.objects.create_user(email, PASSWORD, **fields)
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=verified)
        return user

    return make


@pytest.fixture
def user(make_user: Callable[..., User]) -> User:
    return make_user()


@pytest.fixture
def log_in(api: Api) -> Callable[[User], dict[str, Any]]:
    """Log a user in; the API client carries the access token from then on."""

    def enter(user: User) -> dict[str, Any]:
        response = Api(Client()).post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})
        assert response.status_code == 200, response.content
        tokens: dict[str, Any] = response.json()
        api.token = tokens["access_token"]
        return tokens

    return enter
