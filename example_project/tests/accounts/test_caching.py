"""No cache keeps what holds tokens or personal data: one request for each route of the site, by guests and users."""

from __future__ import annotations

import re
from typing import Any

import pytest
from accounts.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from tests.accounts.matrix import like, rolled_back
from tests.accounts.test_authorisation import MATRIX, call
from tests.accounts.test_authorisation_of_pages import PAGES

pytestmark = pytest.mark.django_db

PUBLIC = {
    *("swagger.json", "swagger/", "swagger/oauth2-redirect/", "redoc/", "redoc/redoc.js"),
    *("problems/<slug:code>/", ".well-known/openid-configuration", ".well-known/jwks.json", "media/<path:path>"),
    *("", "categories/", "category/<slug:slug>/", "search/", "search/suggestions/", "product/<slug:slug>/"),
    *(
        "language/<str:language>/",
        "product/<slug:slug>/reviews/",
        "product/<slug:slug>/review/",
        "robots.txt",
        "sitemap.xml",
    ),
    *("sitemap-<slug:section>.xml", "healthz", "readyz", "metrics"),
}
"""Routes of the pages that show guests nothing of a person. All others are private for guests too."""
PUBLIC_OPERATIONS = {
    (method, path) for method, path in MATRIX if method == "GET" and path.startswith("/products/")
} - {("GET", "/products/products/{slug}/stock/")}
"""Operations whose responses to guests caches may keep: those of the catalogue that only read."""


def problem_of(response: HttpResponse, *, is_private: bool) -> str:
    """What is wrong with the headers of a response; "" if nothing is."""
    control, vary = response.get("Cache-Control", ""), {*response.get("Vary", "").split(", ")}
    if is_private and not ("no-store" in control and {"Authorization", "Cookie"} <= vary):
        return f"{response.status_code} {control!r} {sorted(vary)}"
    return ""


def session_of(user: User | None) -> Client:
    """A client in which the user, if any, is logged in."""
    client = Client()
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("name", ["anonymous", "owner"])
def test_every_page(name, paths, people, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    wrong = {}
    session = session_of(people.get(name))
    for route in PAGES:
        path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: paths[found[1]], route)
        if route.startswith("demo/"):
            continue  # the demo has no personal data
        for method in ("get", "post"):
            cache.clear()
            client = like(session, raise_request_exception=False)
            with rolled_back():
                response = getattr(client, method)(path)
            is_shared = "public" in response.get("Cache-Control", "")
            found = problem_of(response, is_private=not is_shared and (name == "owner" or route not in PUBLIC))
            if found or (is_shared and route not in PUBLIC):
                wrong[method, route] = found or response["Cache-Control"]
    assert wrong == {}


@pytest.mark.parametrize("name", ["anonymous", "owner", "staff"])
def test_every_operation(name, world, people, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    wrong: dict[Any, str] = {}
    session = session_of(people.get(name))
    values = world | {"incoming_id": world["payment_id"], "refund_id": world["payment_id"]}
    for (method, route), (_group, _statuses, body) in MATRIX.items():
        cache.clear()
        with rolled_back():
            response = call(like(session), method, route, body, values)
        is_tree = route == "/products/categories/tree/"  # the same bytes for everybody, which clients revalidate
        is_public = is_tree or (name == "anonymous" and (method, route) in PUBLIC_OPERATIONS)
        found = problem_of(response, is_private=not is_public)
        if found or (is_public and "no-store" in response.get("Cache-Control", "")):
            wrong[method, route] = found or response["Cache-Control"]
        if is_public and not {"Authorization", "Cookie"} <= {*response["Vary"].split(", ")}:
            wrong[method, route] = response["Vary"]
    assert wrong == {}
