"""Wherever an address is typed, other letters before the @ are accepted if the mail backend can send to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from allauth.account.internal.emailkit import valid_email_or_none
from django import forms
from django.apps import apps
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import EmailField
from django.test import Client
from django.urls import get_resolver
from shop_core.addresses import comparable
from shop_notify import outbox
from shop_notify.exceptions import AddressRefused
from shop_notify.models import Notification
from shop_orders.models import Order
from tests.accounts.conftest import API
from tests.accounts.test_addresses import LOOK_ALIKES, OTHERS, registration
from tests.conftest import AUTH, PASSWORD, Api

pytestmark = pytest.mark.django_db

BACKENDS = {
    "shop_notify.smtp.EmailBackend": True,
    "django.core.mail.backends.console.EmailBackend": True,
    "django.core.mail.backends.filebased.EmailBackend": True,
    "django.core.mail.backends.locmem.EmailBackend": True,
    "django.core.mail.backends.smtp.EmailBackend": False,
    "anymail.backends.mailgun.EmailBackend": False,
    "missing.EmailBackend": False,
}
"""Whether a backend can send to them, or sends nothing."""
ACCEPTED = [*OTHERS, "jörg@bücher.example", "иван.петров@example.org", "हिन्दी@example.org", "佐々木@example.org"]


HEADLESS = "/_allauth/app/v1/auth/"


def choose(settings: Any, backend: str) -> None:
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend


def accepts(function: Callable[[str], Any], address: str) -> bool:
    try:
        function(address)
    except (ValidationError, AddressRefused):
        return False
    return True


def subclasses(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


@pytest.fixture
def places() -> dict[str, Callable[[str], Any]]:
    """Every field for an e-mail address in a form, a model, or the form that the administration makes of a model."""
    assert get_resolver().url_patterns  # imports the views and their forms
    found: dict[str, Callable[[str], Any]] = {
        f"{kind.__module__}.{kind.__qualname__}.{name}": field.run_validators
        for kind in subclasses(forms.BaseForm)
        for name, field in getattr(kind, "base_fields", {}).items()
        if isinstance(field, forms.EmailField)
    }
    fields = [field for model in apps.get_models() for field in model._meta.fields if isinstance(field, EmailField)]
    for field in fields:
        if field.model is not Order:  # a copy of what was typed at the checkout
            found |= {str(field): field.run_validators, f"{field} (form)": field.formfield().run_validators}
    row = Notification.objects.create(event="x", alias="email", channel="email", address="a@b.example", state="sent")
    found["send again"] = lambda address: outbox.resend(row, address=address)
    return found


@pytest.mark.parametrize(("backend", "can_send"), BACKENDS.items())
def test_every_place_follows_the_mail_backend(
    settings: Any, places: dict[str, Any], backend: str, can_send: bool
) -> None:
    choose(settings, backend)

    assert {name.rpartition(".")[2] for name in places} >= {"email", "send again"}
    for address in ["ann@live.example", "ann@bücher.example", *ACCEPTED, *LOOK_ALIKES]:
        expected = address not in LOOK_ALIKES and (can_send or address not in ACCEPTED)
        assert {name for name, place in places.items() if accepts(place, address) is not expected} == set(), address


@pytest.mark.parametrize("can_send", [True, False])
def test_every_operation_follows_the_mail_backend(settings: Any, world: dict[str, str], can_send: bool) -> None:
    choose(settings, "shop_notify.smtp.EmailBackend" if can_send else "django.core.mail.backends.smtp.EmailBackend")
    names = {"first_name": "A", "last_name": "B"}

    def order(email: str) -> Any:
        guest = Api(Client())
        guest.headers["X-Cart-Token"] = guest.post(f"{API}/orders/cart/add_item/", {"product": "MUG"})["X-Cart-Token"]
        contact = {"email": email, "name": "A"}
        address = {"name": "A", "line1": "Court 1", "city": "Nairobi", "country": "KE"}
        choices = {"delivery": "home", "payment_provider": "on_delivery"}
        return guest.post(f"{API}/orders/orders/", {"contact": contact, "shipping_address": address, **choices})

    calls: dict[str, tuple[int, int, Callable[[str], Any]]] = {
        "register, API": (201, 422, lambda email: Api(Client()).post(f"{AUTH}register/", registration(email))),
        "register, headless": (401, 400, lambda email: Api(Client()).post(f"{HEADLESS}signup", registration(email))),
        "reset, headless": (
            401,
            400,
            lambda email: Api(Client()).post(f"{HEADLESS}password/request", {"email": email}),
        ),
        "register, page": (
            302,
            200,
            lambda email: Client().post("/accounts/signup/", {"email": email, "password1": PASSWORD, **names}),
        ),
        "reset, page": (302, 200, lambda email: Client().post("/accounts/password/reset/", {"email": email})),
        "order, API": (201, 422, order),
        "lost link": (302, 200, lambda email: Client().post("/orders/", {"email": email, "number": world["number"]})),
    }
    for address in [*ACCEPTED[2:5], *LOOK_ALIKES[:3]]:
        for name, (accepted, refused, call) in calls.items():
            cache.clear()
            expected = accepted if can_send and address in ACCEPTED else refused
            assert call(address).status_code == expected, (name, address)
        cache.clear()
        stored = address if can_send and address in ACCEPTED else None
        assert valid_email_or_none(address) == (stored and comparable(stored)), address


def test_browsers_do_not_refuse_other_letters_in_the_pages(make_user: Any) -> None:
    """A field of the type ``email`` refuses them, unless its form has ``novalidate``."""
    known = Client()
    known.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
    pages = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/orders/"]
    bodies = [Client().get(path).content.decode() for path in pages] + [known.get("/accounts/email/").content.decode()]

    forms = [form for body in bodies for form in re.findall(r"<form.*?</form>", body, re.DOTALL)]
    typed = [form.partition(">")[0] for form in forms if 'type="email"' in form]

    assert len(typed) == len(bodies)
    assert [form for form in typed if "novalidate" not in form] == []
