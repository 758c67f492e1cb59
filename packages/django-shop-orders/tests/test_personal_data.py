"""Exporting and erasing a person's data here and in the other modules of PERSONAL_DATA."""

import json
from datetime import timedelta
from types import ModuleType

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from shop_orders import customers, lifecycle, personal_data
from shop_orders.exceptions import InvalidTransition
from shop_orders.models import Customer, Erasure, IncomingPayment, Order, Payment

pytestmark = pytest.mark.django_db

GUEST = ("guest@example.org", "254712345678", "Jane", "Doe")


def everything():
    models = apps.get_app_config("shop_orders").get_models()
    return str([list(model.objects.values()) for model in models])


@pytest.fixture
def other(monkeypatch, shop_settings):
    """Another module of PERSONAL_DATA. Returns the people that it was asked to erase."""
    asked = []
    module = ModuleType("other_data")
    module.export_personal_data = lambda person: {"likes": person["emails"]}
    module.erase_personal_data = lambda person: asked.append(dict(person)) or module.waiting
    module.waiting = []
    monkeypatch.setitem(__import__("sys").modules, "other_data", module)
    shop_settings(PERSONAL_DATA=["other_data", "shop_orders.personal_data"])
    asked.append(module)
    return asked


def later():
    Erasure.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    return personal_data.finish_erasures()


def test_guest_with_an_open_order_waits_and_the_rest_goes_on(guest_order, other):
    done, waiting = guest_order(), guest_order()
    lifecycle.cancel(done.pk)

    erasure = personal_data.erase_everywhere(personal_data.person_with_email("GUEST@example.org"))

    assert [entry["what"] for entry in erasure.waiting] == [f"Order {waiting.number}"]
    assert erasure.finished_at is None
    done.refresh_from_db()
    waiting.refresh_from_db()
    assert (done.email, waiting.email) == ("", "guest@example.org")
    assert len(other) == 2  # the module and one call

    assert later() == 0
    lifecycle.cancel(waiting.pk)
    later_guest = guest_order()  # the same person buys again: nobody asked to erase that
    assert later() == 1
    assert later() == 0

    erasure.refresh_from_db()
    assert (erasure.person, erasure.waiting, erasure.finished_at is not None) == ({}, [], True)
    assert list(Order.objects.exclude(email="")) == [later_guest]


def test_error_in_one_module_keeps_no_other_from_erasing(guest_order, other, caplog):
    order = guest_order()
    lifecycle.cancel(order.pk)

    def fail(_person):
        raise RuntimeError("guest@example.org is not there")

    works, other[0].erase_personal_data = other[0].erase_personal_data, fail
    erasure = personal_data.erase_everywhere(personal_data.person_of_customer(order.customer))

    order.refresh_from_db()
    assert order.email == ""
    assert [entry["what"] for entry in erasure.waiting] == ["other_data"]
    assert "other_data: RuntimeError" in caplog.text
    assert "guest@" not in caplog.text

    other[0].erase_personal_data = works
    assert later() == 1
    assert other[1]["references"] == [order.number]
    assert not [text for text in GUEST if text in everything()]


def test_function_and_command_erase_in_every_module(guest_order, other):
    order = guest_order()
    with pytest.raises(InvalidTransition):
        customers.anonymise(order.customer)
    assert not Erasure.objects.exists()

    lifecycle.cancel(order.pk)
    assert customers.anonymise(order.customer) == 1
    assert other[1]["keys"] == [order.customer.key]
    assert other[1]["emails"] == ["guest@example.org"]


def test_account_has_the_guest_orders_of_verified_addresses_only(guest_order, place, user, shop_settings):
    guest, own = guest_order(), place()
    assert personal_data.person_of_user(user)["references"] == [own.number]

    shop_settings(VERIFIED_EMAILS=f"{__name__}.guest_address")
    found = personal_data.person_of_user(user)
    assert sorted(found["references"]) == sorted([guest.number, own.number])


def guest_address(_user):
    return ["guest@example.org"]


def test_export_is_plain_data_with_everything_that_was_entered(guest_order, other):
    order = guest_order()
    lifecycle.add_note(order.pk, text="Called Jane")

    found = personal_data.export_everywhere(personal_data.person_of_customer(order.customer))

    text = json.dumps(found)
    assert [
        word for word in (order.number, order.email, order.phone, order.contact_name, "Called Jane") if word in text
    ]
    assert found["other_data"] == {"likes": ["guest@example.org"]}
    assert found["shop_orders.personal_data"]["customers"][0]["orders"][0]["total"] == "12.50"


def test_payment_on_its_way_and_held_money_wait(guest_order):
    order = guest_order()
    lifecycle.cancel(order.pk)
    Order.objects.update(phone="+254712345678")
    payment = Payment.objects.create(order=order, provider="bank", amount=1, currency="KES", status="processing")
    IncomingPayment.objects.create(
        provider="mpesa", receipt="R1", amount=1, currency="KES", payer_name="Jane", payer_phone="+254712345678"
    )
    person = personal_data.person_of_customer(order.customer)

    def what_waits():
        return [entry["what"] for entry in personal_data.erase_personal_data(person)]

    assert what_waits() == [f"Order {order.number}", "Payment R1"]
    Payment.objects.filter(pk=payment.pk).update(status="failed")
    assert what_waits() == ["Payment R1"]
    IncomingPayment.objects.update(status="dismissed")
    assert what_waits() == []
    assert "Jane" not in everything()


def staff(user, *codenames):
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_admin_asks_first_and_erases(guest_order, user):
    order = guest_order()
    lifecycle.cancel(order.pk)
    client, url = staff(user, "view_customer", "erase_customer"), "/admin/shop_orders/customer/"
    sent = {"action": "erase_personal_data", "_selected_action": [order.customer_id]}

    page = client.post(url, sent).content.decode()
    assert "cannot be undone" in page
    assert Customer.objects.get(pk=order.customer_id).email

    export = client.post(url, {**sent, "action": "export_personal_data"})
    assert order.number in export.content.decode()
    assert "no-store" in export["Cache-Control"]

    done = client.post(url, {**sent, "confirmed": "yes"}, follow=True).content.decode()
    assert "is erased" in done
    assert Customer.objects.get(pk=order.customer_id).email == ""
    assert Erasure.objects.get().actor == user


def test_admin_refuses_staff_without_the_permission(guest_order, user):
    order = guest_order()
    lifecycle.cancel(order.pk)
    client = staff(user, "view_customer", "change_customer", "delete_customer")
    for action in ("erase_personal_data", "export_personal_data"):
        sent = {"action": action, "_selected_action": [order.customer_id], "confirmed": "yes"}
        response = client.post("/admin/shop_orders/customer/", sent)
        assert order.number not in response.content.decode()

    assert Customer.objects.get(pk=order.customer_id).email
