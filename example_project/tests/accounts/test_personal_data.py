"""A customer downloads their data and deletes the account: afterwards nothing in any column or log line is theirs."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from accounts import mails
from accounts.models import User
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from shop_catalog import reviews
from shop_catalog.models import Review
from shop_notify import delivery
from shop_notify.models import DeliveryReport, Notification, Suppression
from shop_notify.recipients import suppress, suppressed
from shop_orders import customers, lifecycle
from shop_orders.models import Customer, Erasure, IncomingPayment, Order

pytestmark = pytest.mark.django_db

PASSWORD = "a-long-and-odd-one-42"
EMAIL, PHONE = "mark-0@example.org", "+254798765432"
MARK = re.compile(r"(?i)mark-\d+|254798765432|0798765432")


def everything() -> str:
    """Every column of every row of the site, sessions decoded."""
    rows = {
        model._meta.label: [{**row.__dict__} for row in model._default_manager.all()]
        for model in apps.get_models(include_auto_created=True)
    }
    return str(rows) + str([session.get_decoded() for session in Session.objects.all()])


class Browser:
    def __init__(self, email: str = "") -> None:
        self.client = Client()
        if email:
            sent = {"login": email, "password": PASSWORD}
            assert self.client.post("/accounts/login/", sent).status_code == 302
            assert self.client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302

    def order(self, **contact: str) -> Order:
        """Order as a visitor with a browser does, who fills in everything."""
        before = set(Order.objects.values_list("pk", flat=True))
        json_body = {"content_type": "application/json"}
        added = self.client.post("/api/v1/orders/cart/add_item/", {"product": "MUG"}, **json_body)
        token = {"X-Cart-Token": added["X-Cart-Token"]} if "X-Cart-Token" in added else {}
        body = {
            "contact": {"name": "Mark-1 Doe", "email": EMAIL, "phone": "0798765432", **contact},
            "shipping_address": {"name": "Mark-2", "line1": "Mark-3", "city": "Mark-4", "country": "KE"},
            "note": "Mark-5",
            "delivery": "home",
            "payment_provider": "on_delivery",
        }
        placed = self.client.post(
            "/api/v1/orders/orders/", body, headers={"Idempotency-Key": f"k{len(before)}", **token}, **json_body
        )
        assert placed.status_code == 201, placed.content
        return Order.objects.exclude(pk__in=before).get()


@pytest.fixture
def person(make_user: Any, world: Any, django_capture_on_commit_callbacks: Any) -> User:
    """A customer who has left a mark wherever a text can be entered."""
    user: User = make_user(EMAIL, first_name="Mark-6", last_name="Mark-7")
    customer = customers.for_user(user)
    customers.update(customer, phone="0798 765 432")
    customers.save_address(customer, {"line1": "Mark-8", "city": "Mark-9", "country": "KE", "label": "Mark-10"})
    mug = Review.objects.get().product
    reviews.submit(mug, user=user, rating=4, title="Mark-11", body="Mark-12")
    SocialAccount.objects.create(user=user, provider="work", uid="mark-13", extra_data={"name": "Mark-14"})
    with django_capture_on_commit_callbacks(execute=True):
        browser = Browser(EMAIL)
        orders = [browser.order(), Browser().order()]
        for order in orders:
            lifecycle.add_note(order.pk, text="Mark-15 called")
            lifecycle.cancel(order.pk, reason="Mark-16 moved")
    changed = {"from_email": "mark-22@example.org", "to_email": EMAIL, "account_owner": user}
    mails.request_mail("account/email/email_changed", "mark-22@example.org", changed)
    mails.request_mail("account/email/unknown_account", EMAIL, {})
    delivery.deliver_due()
    suppress("email", EMAIL, reason="bounce", note="Mark-17")
    suppress("sms", PHONE, reason="stop")
    DeliveryReport.objects.create(alias="sms", provider_id="1", status="Sent", state="sent", address=PHONE)
    for order in (orders[0], None):
        IncomingPayment.objects.create(
            provider="mobile_money", receipt=f"R{order}", amount=1, currency="KES", account="Mark-18",
            comment="Mark-19", payer_name="Mark-20", payer_phone=PHONE, order=order, status="dismissed",
        )  # fmt: skip
    admin = make_user("boss@example.org", is_staff=True, is_superuser=True)
    for row in (
        user,
        customer,
        customer.addresses.get(),
        orders[0],
        Review.objects.get(author=user),
        EmailAddress.objects.get(user=user),
    ):
        LogEntry.objects.create(
            user=admin, content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk),
            object_repr=str(row)[:200], action_flag=CHANGE,
            change_message=json.dumps([{"changed": {"object": "Mark-21"}}]),
        )  # fmt: skip
    return user


def delete_account(browser: Browser) -> Any:
    page = browser.client.get("/account/data/delete/").content.decode()
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token, page
    sent = {"form_token": token[1], "is_sure": "on"}
    return browser.client.post("/account/data/delete/", sent), sent


def test_nothing_is_left_after_the_account_is_deleted(person, caplog):
    found = {text.lower() for text in MARK.findall(everything())}
    assert {f"mark-{number}" for number in range(23)} <= found  # or the search would prove nothing
    totals = list(Order.objects.order_by("pk").values_list("total", "number"))
    browser, elsewhere = Browser(EMAIL), Browser(EMAIL)
    caplog.clear()

    response, sent = delete_account(browser)

    assert (response.status_code, response["Location"]) == (302, "/")
    assert sorted(set(MARK.findall(everything()))) == []
    assert not [record for record in caplog.records if MARK.search(record.getMessage())]
    assert list(Order.objects.order_by("pk").values_list("total", "number")) == totals
    assert "Your account is deleted." in browser.client.get("/").content.decode()
    assert browser.client.post("/account/data/delete/", sent)["Location"].startswith("/accounts/login/")
    assert elsewhere.client.get("/account/").status_code == 302
    assert Erasure.objects.filter(finished_at=None).count() == 0
    assert suppressed("email", [EMAIL])
    assert Suppression.objects.count() == 2
    assert not Review.objects.filter(author_id=person.pk).exists()
    assert User.objects.filter(email="owner@example.org").exists()
    assert Notification.objects.filter(address="owner@example.org").exists()


def test_open_order_waits_and_is_erased_after_it(person, django_capture_on_commit_callbacks):
    browser = Browser(EMAIL)
    with django_capture_on_commit_callbacks(execute=True):
        order = browser.order()
    page = browser.client.get("/account/data/delete/").content.decode()
    assert order.number in page

    delete_account(browser)

    home = browser.client.get("/").content.decode()
    assert f"Order {order.number}" in home
    order.refresh_from_db()
    assert (order.email, order.customer.user) == (EMAIL, None)
    assert not User.objects.filter(email=EMAIL).exists()
    others = Order.objects.exclude(pk=order.pk).exclude(email="owner@example.org")
    assert {text.lower() for text in MARK.findall(str(list(others.filter(customer__user=None).values())))} <= {
        "mark-1", "mark-2", "mark-3", "mark-4", "mark-5", "mark-0", "mark-16", "254798765432"
    }  # fmt: skip

    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.cancel(order.pk)
    delivery.deliver_due()
    Erasure.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    call_command("shop_orders_jobs", all=True)

    assert sorted(set(MARK.findall(everything()))) == []


def test_data_is_downloaded_after_the_password(person):
    browser = Browser(EMAIL)
    found = browser.client.get("/account/data/export/")

    assert found["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert "no-store" in found["Cache-Control"]
    marks = {text.lower() for text in MARK.findall(found.content.decode())}
    assert {f"mark-{number}" for number in (*range(17), 20)} <= marks
    assert {*found.json()} == {
        "shop_catalog.personal_data",
        "shop_notify.personal_data",
        "shop_orders.personal_data",
        "accounts.personal_data",
    }


@pytest.mark.parametrize("page", ["export", "delete"])
def test_both_ask_for_the_password_again(make_user, page):
    user = make_user()
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert client.get(f"/account/data/{page}/")["Location"].startswith("/accounts/reauthenticate/")
    if page == "delete":
        assert client.post("/account/data/delete/", {"is_sure": "on"})["Location"].startswith(
            "/accounts/reauthenticate/"
        )
    assert User.objects.filter(pk=user.pk).exists()


def test_account_is_not_deleted_without_the_confirmation(person):
    browser = Browser(EMAIL)
    assert (
        "Tick this to delete your account."
        in browser.client.post("/account/data/delete/", {"form_token": ""}).content.decode()
    )
    assert User.objects.filter(pk=person.pk).exists()


def test_staff_do_not_delete_their_own_account(make_user):
    staff = make_user("staff@example.org", is_staff=True)
    browser = Browser("staff@example.org")
    assert browser.client.post("/account/data/delete/", {"is_sure": "on"})["Location"] == "/account/data/"
    customers.anonymise(customers.for_user(staff))
    assert User.objects.filter(pk=staff.pk).exists()
    assert [entry["what"] for entry in Erasure.objects.get().waiting] == ["The account"]


def test_unverified_address_gives_nobody_the_orders_of_its_owner(
    person, make_user, django_capture_on_commit_callbacks
):
    thief = make_user("thief@example.org")
    EmailAddress.objects.create(user=thief, email="mark-99@example.org", verified=False)
    with django_capture_on_commit_callbacks(execute=True):
        order = Browser().order(email="mark-99@example.org")
        lifecycle.cancel(order.pk)

    browser = Browser("thief@example.org")
    assert order.number not in browser.client.get("/account/data/export/").content.decode()
    delete_account(browser)
    order.refresh_from_db()
    assert order.email == "mark-99@example.org"
    assert Customer.objects.filter(email="mark-99@example.org").exists()
