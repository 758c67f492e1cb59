"""Every page of the accounts in Chromium: two sizes and themes, axe, the policy, no scripts, passkeys."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


LOOKED_AT = ["before the log-in", "after the log-in", "the policy is kept", "without scripts"]


@pytest.mark.parametrize("scenario", LOOKED_AT)
def test_the_pages(node, shop, issuer, user, scenario):
    assert node("pages.mjs", scenario, shop) == "0 faults\n"


def test_the_page_that_asks_for_the_second_factor(node, shop, issuer, user):
    totp.TOTP.activate(user, totp.generate_totp_secret())

    assert node("pages.mjs", "with a second factor", shop) == "0 faults\n"


@pytest.mark.parametrize("scenario", ["a passkey", "a passkey of an app"])
def test_a_passkey(node, shop, user, scenario):
    node("pages.mjs", scenario, shop)

    assert Authenticator.objects.get(type="webauthn").user == user
