"""Logging in with another OpenID Provider: every kind of e-mail address has a defined, safe outcome."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from config import openid
from config.env import Env
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from shop_catalog import inventory, products
from shop_orders import carts, checkout
from shop_orders.models import Customer, Order
from tests.conftest import sent_mails

pytestmark = pytest.mark.django_db


def log_in_with(provider, browser):
    """Press the button, return with a code, and return the last response."""
    start = browser.post("/accounts/oidc/work/login/")
    assert start.status_code == 302
    asked = {name: values[0] for name, values in parse_qs(urlsplit(start["Location"]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    return browser.get("/accounts/oidc/work/login/callback/", {"code": "c", "state": asked["state"]})


def test_the_login_page_has_the_button(provider, client):
    page = client.get("/accounts/login/").content.decode()

    assert "Work" in page
    assert "/accounts/oidc/work/login/" in page


@pytest.mark.parametrize("is_there", [True, False])
def test_the_account_leads_to_the_connections_where_there_is_a_provider(provider, client, user, settings, is_there):
    if not is_there:
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}}
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    page = client.get("/account/").content.decode()

    assert ('href="/accounts/3rdparty/"' in page) is is_there
    assert 'href="/accounts/sessions/"' in page


def test_a_verified_address_makes_an_account_and_a_customer(provider, client):
    response = log_in_with(provider, client)

    assert response.status_code == 302
    user = User.objects.get()
    assert (user.email, user.first_name, user.has_usable_password()) == ("new@example.org", "New", False)
    assert EmailAddress.objects.get().verified
    assert client.get("/api/v1/auth/customers/profile/").json()["email"] == "new@example.org"
    assert Customer.objects.get().user == user
    assert provider.seen[0]["code_verifier"]


def test_a_second_time_it_is_the_same_account(provider, client):
    log_in_with(provider, client)
    client.logout()

    log_in_with(provider, client)

    assert User.objects.count() == 1
    assert client.get("/api/v1/auth/customers/profile/").status_code == 200


def test_an_unverified_address_must_be_verified_here(provider, client):
    provider.claims["email_verified"] = False

    log_in_with(provider, client)

    assert client.get("/api/v1/auth/customers/profile/").status_code == 401
    assert [message.to for message in sent_mails()] == [["new@example.org"]]
    assert not EmailAddress.objects.filter(verified=True).exists()


def test_guest_orders_are_claimed_once_the_address_is_verified(provider, client):
    products.create(sku="MUG", name="Market mug", price=Decimal(950))
    inventory.receive({"MUG": 1}, reference="first")
    cart, _token = carts.find_or_open()
    carts.add_item(cart, "MUG", 1)
    contact = checkout.Contact(email="new@example.org", name="Test Guest", phone="0712 345 678")
    order = checkout.place_order(cart, contact=contact, delivery="pickup", provider="on_delivery")
    provider.claims["email_verified"] = False
    mail.outbox.clear()

    log_in_with(provider, client)
    assert not Order.objects.exclude(customer__user=None).exists()
    code = re.search(r"^[0-9A-Z-]{6,9}$", sent_mails()[0].body, re.MULTILINE)[0]
    client.post("/accounts/confirm-email/", {"code": code})

    order.refresh_from_db()
    assert order.customer.user == User.objects.get()


def test_without_an_address_one_is_asked_for(provider, client):
    del provider.claims["email"]

    response = log_in_with(provider, client)
    page = client.get(response["Location"])

    assert page.status_code == 200
    assert 'name="email"' in page.content.decode()
    assert not User.objects.exists()


def test_a_typed_address_does_not_reveal_its_owner(provider, user):
    del provider.claims["email"]
    found = []
    for number, email in enumerate([user.email, "unknown@example.org"]):
        provider.claims["sub"] = f"visitor-{number}"
        browser = Client()
        page = log_in_with(provider, browser)["Location"]
        with patch.object(MD5PasswordHasher, "encode", autospec=True) as hashed:
            response = browser.post(page, {"email": email, "first_name": "New", "last_name": "Customer"})
        found.append((response.status_code, response["Location"], hashed.call_count))

    assert found == [(302, "/accounts/confirm-email/", 0)] * 2
    assert [message.to for message in sent_mails()] == [[user.email], ["unknown@example.org"]]
    assert not SocialAccount.objects.filter(user=user).exists()


@pytest.mark.parametrize("verified", [True, False])
def test_somebody_elses_address_opens_nothing(provider, client, user, verified):
    provider.claims |= {"email": user.email, "email_verified": verified}

    log_in_with(provider, client)

    assert client.get("/api/v1/auth/customers/profile/").status_code == 401
    assert not SocialAccount.objects.filter(user=user).exists()
    assert User.objects.count() == 1


def test_a_deactivated_account_stays_closed(provider, client):
    log_in_with(provider, client)
    client.logout()
    User.objects.update(is_active=False)

    log_in_with(provider, client)

    assert client.get("/api/v1/auth/customers/profile/").status_code == 401


def test_a_foreign_state_is_refused(provider, client):
    client.post("/accounts/oidc/work/login/")

    client.get("/accounts/oidc/work/login/callback/", {"code": "c", "state": "guessed"})

    assert not User.objects.exists()


@pytest.mark.parametrize(
    "next_url", ["https://evil.example.org/", "//evil.example.org/", "/\\evil.example.org", "javascript:x"]
)
def test_a_login_leads_nowhere_else(client, user, next_url):
    response = client.post(
        f"/accounts/login/?next={next_url}", {"login": user.email, "password": "a-long-and-odd-one-42"}
    )

    assert response.status_code == 302
    assert response["Location"] == "/account/"


def test_the_admin_logs_in_by_the_same_page(client):
    response = client.get("/admin/login/?next=/admin/")

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def env(**values):
    return Env(Path("/nowhere/.env"), values)


def test_one_provider_from_the_environment():
    apps = openid.providers(
        env(OIDC_ISSUER="https://id.example.org/realm", OIDC_CLIENT_ID="shop", OIDC_CLIENT_SECRET="s", OIDC_NAME="ID")
    )

    assert [(app["provider_id"], app["name"], app["client_id"]) for app in apps] == [("openid", "ID", "shop")]
    assert openid.origins(apps) == ["https://id.example.org"]


def test_several_providers_from_the_environment():
    values = {"OIDC_PROVIDERS": "google, my-work"}
    for name in ("GOOGLE", "MY_WORK"):
        values |= {f"OIDC_{name}_ISSUER": "https://x.example.org", f"OIDC_{name}_CLIENT_ID": "i"}
        values |= {f"OIDC_{name}_CLIENT_SECRET": "s"}

    apps = openid.providers(env(**values))

    assert [(app["provider_id"], app["name"]) for app in apps] == [("google", "Google"), ("my-work", "My Work")]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"OIDC_ISSUER": "https://id.example.org", "OIDC_CLIENT_SECRET": "s"}, "OIDC_CLIENT_ID"),
        ({"OIDC_ISSUER": "https://id.example.org", "OIDC_CLIENT_ID": "s"}, "OIDC_CLIENT_SECRET"),
        ({"OIDC_PROVIDERS": "google"}, "OIDC_GOOGLE_ISSUER"),
        ({"OIDC_ISSUER": "http://id.example.org"}, "OIDC_ISSUER"),
    ],
)
def test_a_missing_variable_is_named(values, named):
    with pytest.raises(ImproperlyConfigured, match=named):
        openid.providers(env(**values))
