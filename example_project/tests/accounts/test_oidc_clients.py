"""Clients of the provider, created in the admin and by the command: the secret is shown once and not stored."""

from __future__ import annotations

import io
import logging
import re

import pytest
from allauth.idp.oidc.models import Client as App
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(make_user):
    browser = Client()
    user = make_user("boss@example.org", is_staff=True, is_superuser=True)
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def test_the_admin_shows_a_new_secret_once(boss, caplog):
    caplog.set_level(logging.DEBUG)
    fields = {
        "id": "till",
        "name": "Till",
        "type": "confidential",
        "scopes": "openid\norders:read",
        "grant_types": "authorization_code\nrefresh_token",
        "response_types": "code",
        "redirect_uris": "https://till.example.org/callback",
        "created_at_0": "2026-11-22",
        "created_at_1": "12:00:00",
        "data": "null",
    }

    page = boss.post(reverse("admin:allauth_idp_oidc_client_add"), fields, follow=True).content.decode()

    app = App.objects.get()
    secret = re.search(r'type="text" value="([0-9a-f]{64})"', page)[1]
    assert app.check_secret(secret)
    assert secret not in app.secret
    again = boss.get(reverse("admin:allauth_idp_oidc_client_change", args=["till"])).content.decode()
    everything = [again, repr(app), str(app), caplog.text, LogEntry.objects.get().change_message]
    assert not [text for text in everything if secret in text]


def test_the_command_shows_a_new_secret_once(caplog):
    caplog.set_level(logging.DEBUG)
    output = io.StringIO()

    call_command("create_oidc_client", "Partner", "--client-credentials", "--scope", "shop:read", stdout=output)

    app = App.objects.get()
    printed = dict(line.split(": ") for line in output.getvalue().splitlines())
    assert set(printed) == {"client_id", "client_secret"}
    assert re.fullmatch("[0-9a-f]{64}", printed["client_secret"])
    assert app.check_secret(printed["client_secret"])
    assert printed["client_secret"] not in "".join([app.secret, repr(app), caplog.text])


def test_a_public_app_gets_no_secret():
    output = io.StringIO()
    asked = ["--public", "--redirect-uri", "org.example.shop:/callback", "--id", "shopapp"]

    call_command(
        "create_oidc_client", "App", *asked, "--post-logout-redirect-uri", "org.example.shop:/bye", stdout=output
    )

    app = App.objects.get()
    assert output.getvalue() == "client_id: shopapp\n"
    assert (app.type, app.skip_consent) == ("public", False)
    assert app.get_post_logout_redirect_uris() == ["org.example.shop:/bye"]


def test_an_id_that_clients_spell_differently_is_refused():
    with pytest.raises(CommandError, match="letters and digits"):
        call_command("create_oidc_client", "App", "--public", "--redirect-uri", "a:/b", "--id", "my-app")

    assert not App.objects.exists()


def test_deleting_an_app_ends_its_tokens(api, user):
    from allauth.idp.oidc.models import Token

    app = App.objects.create(id="app", name="App")
    token = Token(client=app, user=user, type="at")
    token.set_value("t")
    token.set_scopes(["orders:read"])
    token.save()
    api.token = "t"
    assert api.get("/api/v1/auth/customers/profile/").status_code == 200

    app.delete()

    assert api.get("/api/v1/auth/customers/profile/").status_code == 401
