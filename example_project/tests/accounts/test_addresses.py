"""Every spelling of an e-mail address is one account, and no look-alike gets at another's account or orders."""

from __future__ import annotations

from typing import Any

import allauth
import pytest
from accounts.models import User
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.emailkit import valid_email_or_none
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from shop_orders import customers
from shop_orders.contrib.allauth.adapter import ALLAUTH
from shop_orders.contrib.pages.forms import FindOrderForm
from shop_orders.models import Customer
from storefront.forms import CheckoutForm
from tests.conftest import AUTH, PASSWORD, Api, sent_mails

pytestmark = pytest.mark.django_db

VICTIM = "victim@live.example"
SAME = [
    "VICTIM@Live.Example",
    " victim@live.example ",
    '"victim"@live.example',
    '"vi\\ctim"@live.example',
    '"victim"@LIVE.example',
    "victim@\uff4cive.example",
    "victim@LIVE.EXAMPLE",
]
"""Other spellings of the victim's address: mail to them reaches the victim."""
OTHERS = [
    "v\u0131ctim@live.example",
    "v\u00edctim@live.example",
    "victim\u0301@live.example",
]
"""Addresses of other people, to which mail can be sent."""
LOOK_ALIKES = [
    "V\u0130CT\u0130M@live.example",
    "\uff56ictim@live.example",
    "vict\u2170m@live.example",
    "vic\u200btim@live.example",
    "vic\u00adtim@live.example",
    "v\u0456ctim@live.example",
    "v\u0131\u0307ctim@live.example",
    "v\u017fictim@live.example",
    "\u202emitciv@live.example",
    "\u0301@live.example",
]
REFUSED = [
    *LOOK_ALIKES,
    "victim@live.example.",
    "victim@localhost",
    "victim@live",
    "victim@[127.0.0.1]",
    "vic\0tim@live.example",
    "vic\ntim@live.example",
    f"{'v' * 65}@live.example",
    f"v@{'l' * 64}.example",
]
"""Addresses that are refused wherever they are typed."""


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def registration(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "first_name": "A", "last_name": "B"}


def wrong_password(api: Api, email: str) -> tuple[int, str]:
    response = api.post(f"{AUTH}login/", {"email": email, "password": "wrong-one-42"})
    return response.status_code, response.json().get("code", "")


@pytest.mark.parametrize("spelling", SAME)
def test_user_table_has_one_row_per_address(make_user: Any, spelling: str) -> None:
    make_user(VICTIM)

    with pytest.raises(IntegrityError):
        User.objects.create_user(spelling, PASSWORD)


def test_log_in_accepts_every_spelling(api: Api, make_user: Any) -> None:
    user = make_user(VICTIM)

    for spelling in SAME:
        page = Client()
        response = api.post(f"{AUTH}login/", {"email": spelling, "password": PASSWORD})
        page.post("/accounts/login/", {"login": spelling, "password": PASSWORD})

        assert (response.status_code, response.json()["customer"]["email"]) == (200, VICTIM), spelling
        assert page.session.get("_auth_user_id") == str(user.pk), spelling
    assert sent_mails() == []
    assert EmailAddress.objects.count() == 1


def test_wrong_passwords_count_over_all_spellings(api: Api, make_user: Any) -> None:
    make_user(VICTIM)
    assert len(SAME) > 5

    responses = [wrong_password(api, spelling) for spelling in SAME]

    assert responses == [(400, "invalid_credentials")] * 5 + [(429, "too_many_attempts")] * (len(SAME) - 5)
    locked = Client().post("/accounts/login/", {"login": '"victim"@live.example', "password": PASSWORD})
    assert locked.status_code == 429


def test_wrong_passwords_for_a_look_alike_lock_nobody_out(api: Api, make_user: Any) -> None:
    make_user(VICTIM)

    responses = {wrong_password(api, OTHERS[0])[0] for _attempt in range(6)}

    assert responses == {400, 429}
    assert api.post(f"{AUTH}login/", {"email": VICTIM, "password": PASSWORD}).status_code == 200


def test_refused_log_in_does_not_show_whether_an_account_exists(api: Api, make_user: Any) -> None:
    """The response for a spelling of an address is the same with and without an account."""

    def responses() -> list[tuple[int, Any]]:
        cache.clear()
        sent = [api.post(f"{AUTH}login/", {"email": each, "password": "x"}) for each in [*SAME[:5], *REFUSED]]
        return [(response.status_code, response.json()) for response in sent]

    before = responses()
    make_user(VICTIM)

    assert responses() == before


@pytest.mark.parametrize("spelling", REFUSED)
def test_registering_refuses_addresses_that_mail_cannot_reach(api: Api, make_user: Any, spelling: str) -> None:
    """The response is the same whether or not an account has an address like it."""

    def response() -> tuple[int, Any]:
        sent = api.post(f"{AUTH}register/", registration(spelling))
        return sent.status_code, sent.json()

    before = response()
    make_user(VICTIM)

    assert before == response()
    assert before[0] == 422
    assert "email" in str(before[1]["errors"]) or "\0" in spelling  # any field with NUL is refused before that
    assert User.objects.count() == 1
    assert sent_mails() == []


@pytest.mark.parametrize("way", ["page", "API", "headless"])
@pytest.mark.parametrize("spelling", ["adm\u0131n@live.example", "\u00e1dmin@live.example"])
def test_registering_an_address_like_admin_is_as_any_registration(make_user: Any, way: str, spelling: str) -> None:
    """The dotless i does not fold: the address is another person's. No response shows that ``admin@`` exists."""
    calls: dict[str, Any] = {
        "page": lambda email: Client().post("/accounts/signup/", {**registration(email), "password1": PASSWORD}),
        "API": lambda email: Api(Client()).post(f"{AUTH}register/", registration(email)),
        "headless": lambda email: Api(Client()).post("/_allauth/app/v1/auth/signup", registration(email)),
    }

    def response_to(email: str) -> tuple[int, Any]:
        cache.clear()
        response = calls[way](email)
        return response.status_code, response.headers.get("Location") or sorted(response.json())

    usual = [response_to("fresh@live.example") for _time in range(2)]
    make_user("admin@live.example", is_staff=True)

    assert [response_to(spelling) for _time in range(2)] == usual
    assert {status for status, _content in usual} == {{"page": 302, "API": 201, "headless": 401}[way]}
    assert User.objects.count() == 3
    assert {message.to[0] for message in sent_mails()} == {"fresh@live.example", spelling}
    assert [wrong_password(Api(Client()), spelling)[0] for _attempt in range(6)][-1] == 429
    assert (
        Api(Client()).post(f"{AUTH}login/", {"email": "admin@live.example", "password": PASSWORD}).status_code == 200
    )


@pytest.mark.parametrize(("owner", "other"), [(VICTIM, OTHERS[0]), (OTHERS[0], VICTIM)])
def test_nobody_claims_the_orders_of_an_address_like_theirs(
    make_user: Any, world: dict[str, str], owner: str, other: str
) -> None:
    Customer.objects.filter(orders__number=world["number"]).update(user=None, email=owner, email_key=owner)

    assert customers.claim_orders(make_user(other)) == 0
    assert customers.claim_orders(make_user(owner)) == 1


def test_kelvin_sign_is_refused_as_it_was_typed(api: Api) -> None:
    """Python's lower case turns it into a plain k."""
    response = api.post(f"{AUTH}register/", registration("\u212aim@live.example"))
    page = Client().post("/accounts/signup/", {**registration("\u212aim@live.example"), "password1": PASSWORD})

    assert response.status_code == 422
    assert page.context["form"].errors.as_data()["email"][0].code == "look_alike"
    assert User.objects.count() == 0


def test_registering_a_taken_address_in_any_spelling_responds_as_for_a_new_one(api: Api, make_user: Any) -> None:
    make_user(VICTIM)

    statuses = {}
    for spelling in [*SAME[:5], "fresh@live.example"]:
        cache.clear()
        response = Api(Client()).post(f"{AUTH}register/", registration(spelling))
        statuses[spelling] = (response.status_code, response.json().get("status"))

    assert set(statuses.values()) == {(201, "verification_required")}
    assert {user.email for user in User.objects.all()} == {VICTIM, "fresh@live.example"}
    assert EmailAddress.objects.count() == 2


def test_reset_writes_to_the_account_in_any_spelling(make_user: Any) -> None:
    make_user(VICTIM)

    for spelling in SAME:
        cache.clear()
        assert Client().post("/accounts/password/reset/", {"email": spelling}).status_code == 302

    assert [message.to for message in sent_mails()] == [[VICTIM]] * len(SAME)


def test_reset_of_a_look_alike_writes_to_nobody(make_user: Any) -> None:
    make_user(VICTIM)

    for spelling in LOOK_ALIKES:
        response = Client().post("/accounts/password/reset/", {"email": spelling})
        assert response.status_code == 200
        assert response.context["form"].errors["email"]

    assert sent_mails() == []


@pytest.mark.parametrize("model", [User, Customer])
def test_administration_refuses_addresses_that_mail_cannot_reach(model: type[User | Customer]) -> None:
    for spelling in REFUSED:
        with pytest.raises(ValidationError) as caught:
            model(email=spelling).full_clean()
        assert "email" in caught.value.message_dict, spelling


@pytest.mark.parametrize("form", [CheckoutForm, FindOrderForm])
def test_forms_of_the_shop_refuse_addresses_that_mail_cannot_reach(form: Any) -> None:
    for spelling in REFUSED:
        assert "email" in form({"email": spelling}).errors, spelling


def test_provider_that_sends_a_look_alike_is_as_one_that_sends_no_address() -> None:
    for spelling in REFUSED:
        assert valid_email_or_none(spelling) is None, spelling


def test_private_parts_of_allauth_are_those_that_were_read() -> None:
    """The private methods that the adapter overrides or calls were read in this version. Read them again, then change
    the version."""
    assert allauth.__version__.startswith(f"{ALLAUTH}.")
    assert hasattr(DefaultAccountAdapter, "_get_login_attempts_cache_key")
