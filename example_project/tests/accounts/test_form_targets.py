"""The allowed form targets of each page: only the necessary ones."""

from __future__ import annotations

import pytest
from allauth.idp.oidc.models import Client as App

pytestmark = pytest.mark.django_db
ASK = "/identity/o/authorize?client_id=app&response_type=code&scope=openid&redirect_uri="


@pytest.fixture
def app(db):
    app = App(id="app", name="The App", type="confidential")
    app.set_redirect_uris(
        ["https://app.example.org/callback", "org.example.app:/callback", "http://127.0.0.1/cb", "http://[::1]/cb"]
    )
    app.save()
    return app


def targets(response):
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    return policy["form-action"].split()


def test_log_in_pages_lead_to_the_providers(provider, client):
    assert targets(client.get("/accounts/login/")) == ["'self'", provider.issuer]
    assert targets(client.get("/accounts/signup/")) == ["'self'", provider.issuer]


@pytest.mark.parametrize("path", ["/", "/cart/", "/nothing/", "/swagger/", "/identity/o/authorize"])
def test_other_pages_lead_nowhere(provider, app, client, path):
    assert targets(client.get(path)) == ["'self'"]


def test_a_broker_s_origin_can_be_added(provider, client, settings):
    settings.OIDC_REDIRECT_ORIGINS = ["https://login.example.net"]

    assert targets(client.get("/accounts/login/"))[-1] == "https://login.example.net"


def test_the_consent_page_leads_to_the_app_that_asks(provider, app, client, user):
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    page = client.get(f"{ASK}https://app.example.org/callback")

    assert targets(page) == ["'self'", "https://app.example.org", "org.example.app:", "http://127.0.0.1:*", "http:"]


def test_a_refused_app_leads_nowhere(app, client, user):
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    assert targets(client.get(f"{ASK}https://evil.example.org/")) == ["'self'"]


def test_a_log_in_for_an_app_without_consent_leads_to_it(app, client):
    App.objects.update(skip_consent=True, redirect_uris="https://app.example.org/callback")

    asked = client.get(f"{ASK}https://app.example.org/callback")
    page = client.get(asked["Location"])

    assert targets(page) == ["'self'", "https://app.example.org"]


def test_a_log_in_for_an_app_with_consent_does_not(app, client):
    asked = client.get(f"{ASK}https://app.example.org/callback")

    assert targets(client.get(asked["Location"])) == ["'self'"]
