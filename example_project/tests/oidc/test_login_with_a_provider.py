"""Logging in at the shop with npm's ``oidc-provider``, by clicks in Chromium and by an app."""

from __future__ import annotations

from decimal import Decimal

import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from shop_catalog import categories, inventory, products
from shop_orders.models import Cart, Customer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def click(node, shop, issuer, app_port):
    """Run one scenario of login.mjs, and return its output."""
    return lambda scenario: node("login.mjs", scenario, shop, issuer, str(app_port))


@pytest.mark.parametrize("scenario", ["verified", "without scripts"])
def test_a_verified_address_logs_in(click, scenario):
    click(scenario)

    assert EmailAddress.objects.get(email="new@example.org").verified
    assert Customer.objects.get().user.email == "new@example.org"


def test_an_unverified_address_is_not_believed(click):
    click("unverified")

    assert not EmailAddress.objects.filter(verified=True).exists()


def test_without_an_address_one_is_asked_for_and_verified(click):
    click("nameless")

    assert list(EmailAddress.objects.values_list("email", "verified")) == [("asked@example.org", False)]


def test_somebody_elses_address_opens_nothing(click, user):
    click("impostor")

    assert User.objects.count() == 1
    assert not SocialAccount.objects.exists()


def test_the_admins_log_in_has_the_button(click, staff):
    SocialAccount.objects.create(user=staff, provider="work", uid="staff")

    assert click("log-in to the admin") == "0 faults\n"


def test_refusal_at_the_provider_leads_back(click):
    click("log-in cancelled at the provider")

    assert not User.objects.exists()


def test_the_guests_cart_is_merged(click):
    products.create(sku="MUG", name="Market mug", price=Decimal(950), categories=[categories.create("Kitchen")])
    inventory.receive({"MUG": 10}, reference="first")

    click("a guest's cart")

    assert Cart.objects.get(status="open").customer.user.email == "new@example.org"


def test_an_account_connects_a_provider_and_logs_in_with_it(click, user):
    click("connect")

    assert SocialAccount.objects.get().user == user
    assert User.objects.count() == 1


def test_an_account_unlinks_a_provider(click, user):
    click("unlink")

    assert not SocialAccount.objects.exists()


def test_a_claim_opens_the_admin_and_its_end_closes_it(click):
    click("clerk")

    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser) == ("clerk@example.org", True, False)


def test_a_log_out_is_one_at_the_provider_too(click):
    assert click("log out") == "0 faults\n"


def test_an_app_logs_in_without_a_browser_of_the_shop(click):
    click("log-in by an app")

    assert User.objects.get().email == "new@example.org"
