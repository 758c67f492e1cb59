"""Partners of the OpenID Provider: programs with client credentials, and the command that registers them."""

from __future__ import annotations

import base64
import io

import pytest
from allauth.idp.oidc.models import Client as App
from django.core.management import CommandError, call_command
from django.test import Client
from shop_orders.models import Customer

pytestmark = pytest.mark.django_db
REDIRECT = "https://app.example.org/callback"
PROFILE = "/api/v1/auth/customers/profile/"


@pytest.fixture
def partner(db):
    app = App(id="partner", name="The Partner")
    app.set_secret("partner-secret")
    app.set_scopes(["shop:read", "orders:read", "orders:write", "staff"])
    app.set_grant_types(["client_credentials"])
    app.save()
    return app


def credentials(scope):
    basic = base64.b64encode(b"partner:partner-secret").decode()
    return Client().post(
        "/identity/o/api/token",
        {"grant_type": "client_credentials", "scope": scope},
        headers={"Authorization": f"Basic {basic}"},
    )


def test_a_partner_reads_the_catalogue_but_is_no_customer(partner, api):
    api.token = credentials("shop:read orders:read orders:write").json()["access_token"]

    assert api.get("/api/v1/products/products/").status_code == 200
    assert api.get(PROFILE).status_code == 401
    assert api.get("/api/v1/orders/orders/").status_code == 401
    assert not Customer.objects.exists()


def test_a_partner_does_not_use_the_session_of_the_same_request(partner, user, client, api):
    client.force_login(user)
    api.client = client
    api.token = credentials("orders:read").json()["access_token"]

    assert api.get(PROFILE).status_code == 401


def test_a_partner_with_the_staff_scope_is_no_staff(partner, api):
    api.token = credentials("staff").json()["access_token"]

    assert api.get("/api/v1/orders/staff/orders/").status_code == 401


def test_a_wrong_secret_gets_no_token(partner):
    basic = base64.b64encode(b"partner:wrong").decode()

    response = Client().post(
        "/identity/o/api/token", {"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
    )

    assert response.status_code == 401


def test_the_command_makes_an_app_and_shows_its_secret_once():
    output = io.StringIO()

    call_command(
        "create_oidc_client",
        "Till",
        "--redirect-uri",
        REDIRECT,
        "--scope",
        "openid",
        "--scope",
        "shop:read",
        stdout=output,
    )

    printed = dict(line.split(": ") for line in output.getvalue().splitlines())
    app = App.objects.get()
    assert app.id == printed["client_id"]
    assert app.check_secret(printed["client_secret"])
    assert app.get_scopes() == ["openid", "shop:read"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["X"],
        ["X", "--redirect-uri", REDIRECT, "--client-credentials"],
        ["X", "--client-credentials", "--scope", "root"],
    ],
)
def test_the_command_refuses_senseless_options(arguments):
    with pytest.raises(CommandError):
        call_command("create_oidc_client", *arguments)

    assert not App.objects.exists()
