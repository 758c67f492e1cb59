"""Staff rights by a claim, the log-out at the provider, and linking and unlinking."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from accounts.models import User
from allauth.socialaccount.models import SocialAccount
from config import openid
from django.contrib.auth.models import Group, Permission
from django.test import Client
from shop_orders.contrib.allauth.openid_rights import GROUP, SESSION_SECONDS, has_claim
from tests.accounts.test_openid_login import env, log_in_with

pytestmark = pytest.mark.django_db

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def work(provider: Any, settings: Any) -> Any:
    """The provider with a staff claim and a log-out."""
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"] |= {"staff_claim": "groups=shop-staff", "end_session": True}
    issuer = provider.issuer
    names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "end"}
    known = {f"{name}_endpoint": f"{issuer}/{path}" for name, path in names.items()}
    content = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", **known}
    provider.raw[DISCOVERY] = (200, "application/json", json.dumps(content).encode())
    return provider


@pytest.mark.parametrize(
    ("wanted", "claims", "found"),
    [
        ("groups=shop-staff", {"groups": ["a", "shop-staff"]}, True),
        ("groups=shop-staff", {"groups": "shop-staff"}, True),
        ("groups=shop-staff", {"groups": ["shop-staff-2", "Shop-Staff", " shop-staff"]}, False),
        ("groups=shop-staff", {"groups": "not shop-staff"}, False),
        ("groups=shop-staff", {"groups": {"shop-staff": True}}, False),
        ("groups=shop-staff", {"groups": [["shop-staff"]]}, False),
        ("groups=shop-staff", {"groups": None}, False),
        ("groups=shop-staff", {}, False),
        ("groups=shop-staff", None, False),
        ("staff", {"staff": True}, True),
        ("staff", {"staff": "true"}, False),
        ("staff", {"staff": 1}, False),
        ("staff=1", {"staff": 1}, False),
        ("realm_access.roles=shop", {"realm_access": {"roles": ["shop"]}}, True),
        ("realm_access.roles=shop", {"realm_access.roles": ["shop"]}, True),
        ("realm_access.roles=shop", {"realm_access": ["roles"]}, False),
        ("https://shop.example/role=staff", {"https://shop.example/role": "staff"}, True),
    ],
)
def test_claim_is_found(wanted, claims, found):
    assert has_claim(claims, wanted) is found


def test_rights_come_and_go_with_the_claim(work, client):
    work.claims["groups"] = ["shop-staff"]
    log_in_with(work, client)
    user = User.objects.get()
    Group.objects.get(name=GROUP).permissions.set(Permission.objects.filter(codename="view_order"))

    assert (user.is_staff, user.is_superuser, [group.name for group in user.groups.all()]) == (True, False, [GROUP])
    assert client.get("/admin/shop_orders/order/").status_code == 200
    assert client.session.get_expiry_age() <= SESSION_SECONDS

    work.claims["groups"] = ["others"]
    log_in_with(work, Client())

    user.refresh_from_db()
    assert (user.is_staff, user.groups.count()) == (False, 0)
    assert client.get("/admin/shop_orders/order/").status_code == 302  # the first session lost them too


@pytest.mark.parametrize("groups", [None, [], "shop-staff-2", 7, {"shop-staff": True}])
def test_claim_that_is_missing_or_invalid_gives_no_rights(work, client, groups):
    work.claims["groups"] = groups

    log_in_with(work, client)

    assert not User.objects.get().is_staff


def test_rights_that_no_claim_gave_are_kept(work, client, make_user):
    by_hand = make_user("hand@example.org", is_staff=True)
    SocialAccount.objects.create(user=by_hand, provider="work", uid="1")

    log_in_with(work, client)

    by_hand.refresh_from_db()
    assert by_hand.is_staff


def test_superuser_stays_staff(work, client, admin_user):
    SocialAccount.objects.create(user=admin_user, provider="work", uid="1")
    for groups in (["shop-staff"], []):
        work.claims["groups"] = groups
        log_in_with(work, Client())
        admin_user.refresh_from_db()
        assert (admin_user.is_staff, admin_user.is_superuser) == (True, True)
    assert not admin_user.groups.exists()


def test_claim_without_the_setting_gives_nothing(provider, client):
    provider.claims |= {"groups": ["shop-staff"], "is_staff": True, "staff": True}

    log_in_with(provider, client)

    assert not User.objects.get().is_staff


def test_many_claims_do_not_hide_the_one(work, client):
    work.claims["groups"] = [*("x" * 100 for _number in range(500)), "shop-staff"]

    log_in_with(work, client)

    assert User.objects.get().is_staff


def link(provider: Any, browser: Client) -> Any:
    start = browser.post("/accounts/oidc/work/login/?process=connect")
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    return browser.get("/accounts/oidc/work/login/callback/", {"code": "c", "state": state})


def test_linking_and_unlinking(work, client, make_user):
    """Unlinking takes the rights away that the claim gave."""
    user = make_user("customer@example.org")
    client.post("/accounts/login/", {"login": user.email, "password": "a-long-and-odd-one-42"})
    work.claims["groups"] = ["shop-staff"]

    link(work, client)

    account = SocialAccount.objects.get()
    user.refresh_from_db()
    assert (account.user, user.is_staff) == (user, True)
    assert "Work" in client.get("/accounts/3rdparty/").content.decode()

    assert client.post("/accounts/3rdparty/", {"account": account.pk}).status_code == 302

    user.refresh_from_db()
    assert (SocialAccount.objects.count(), user.is_staff, user.groups.count()) == (0, False, 0)


def test_account_that_is_linked_already_is_not_moved(work, client, make_user):
    owner = make_user("owner@example.org")
    SocialAccount.objects.create(user=owner, provider="work", uid="1")
    user = make_user("customer@example.org")
    client.post("/accounts/login/", {"login": user.email, "password": "a-long-and-odd-one-42"})

    link(work, client)

    assert SocialAccount.objects.get().user == owner


def test_last_way_to_log_in_cannot_be_unlinked(work, client):
    """An account that the provider made has no password."""
    log_in_with(work, client)
    account = SocialAccount.objects.get()

    client.post("/accounts/3rdparty/", {"account": account.pk})

    assert SocialAccount.objects.exists()


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
def test_log_out_ends_the_session_at_the_provider_too(work, client, path):
    work.claims["groups"] = ["shop-staff"]
    log_in_with(work, client)
    page = client.get("/account/")
    assert f"form-action 'self' {work.issuer}" in page["Content-Security-Policy"]

    response = client.post(path)

    there = urlsplit(response["Location"])
    sent = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{work.issuer}/end"
    assert (sent["client_id"], sent["post_logout_redirect_uri"]) == ("shop", "http://testserver/")
    assert sent["id_token_hint"].count(".") == 2
    assert client.get("/account/").status_code == 302
    assert client.post("/accounts/logout/")["Location"] == "/"


def test_log_out_stays_here_after_a_log_in_with_a_password(work, client, user):
    client.post("/accounts/login/", {"login": user.email, "password": "a-long-and-odd-one-42"})

    assert client.post("/accounts/logout/")["Location"] == "/"


@pytest.mark.parametrize("change", ["no endpoint", "switched off", "a script"])
def test_log_out_stays_here_if_the_provider_has_none(work, client, settings, change):
    content = json.loads(work.raw[DISCOVERY][2])
    if change == "no endpoint":
        del content["end_session_endpoint"]
    elif change == "switched off":
        settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["end_session"] = False
    else:
        content["end_session_endpoint"] = "javascript:alert(1)"
    work.raw[DISCOVERY] = (200, "application/json", json.dumps(content).encode())
    if change == "a script":
        assert client.post("/accounts/oidc/work/login/").status_code == 401
        return
    log_in_with(work, client)

    assert client.post("/accounts/logout/")["Location"] == "/"


def test_settings_from_the_environment():
    needed = {"OIDC_ISSUER": "https://id.example.org", "OIDC_CLIENT_ID": "shop", "OIDC_CLIENT_SECRET": "s"}
    more = {"OIDC_STAFF_CLAIM": "groups=shop-staff", "OIDC_LOGOUT": "false", "OIDC_SCOPE": "openid email groups"}

    plain, full = (openid.providers(env(**values))[0]["settings"] for values in (needed, needed | more))

    assert (plain["staff_claim"], plain["end_session"], "scope" in plain) == ("", True, False)
    assert (full["staff_claim"], full["end_session"]) == ("groups=shop-staff", False)
    assert full["scope"] == ["openid", "email", "groups"]
