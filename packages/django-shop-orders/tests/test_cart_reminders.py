"""Carts that are left unordered are announced: only with consent, once, and only if they are still there."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from shop_orders import carts, checkout, personal_data, signals
from shop_orders.exceptions import InvalidInput, RemindersOff
from shop_orders.models import Cart, CartReminder, RemindedAddress
from shop_orders.testing.source_races import at_once

pytestmark = pytest.mark.django_db

REMINDER = "/api/orders/cart/reminder/"


@pytest.fixture
def day(shop_settings):
    shop_settings(CART_ABANDONED_AFTER=timedelta(hours=24))


@pytest.fixture
def received():
    """``(number of lines, recipient, event id)`` of each ``cart_abandoned``."""
    events = []

    def receive(*, sender, cart, payload, event_id, **kwargs):
        assert sender is Cart
        assert payload["cart"]["id"] == str(cart.public_id)
        events.append((len(payload["cart"]["lines"]), payload["recipients"]["customer"]["email"], event_id))

    signals.cart_abandoned.connect(receive)
    yield events
    signals.cart_abandoned.disconnect(receive)


@pytest.fixture
def left(book, day):
    """A guest's cart with a consent, which was last changed two days ago."""

    def make(email="guest@example.org", *, agrees=True, days=2):
        cart, _token = carts.add_to_cart(book.isbn)
        if agrees:
            carts.agree_to_reminder(cart, email=email)
        age(cart, days=days)
        return cart

    return make


def age(cart, **ago):
    Cart.objects.filter(pk=cart.pk).update(updated_at=timezone.now() - timedelta(**ago))


def test_a_cart_is_announced_once_after_the_time_of_the_setting(left, received):
    left(days=0)
    assert carts.announce_abandoned() == 0
    left("amina@example.org")
    assert [carts.announce_abandoned(), carts.announce_abandoned()] == [1, 0]
    assert [event[:2] for event in received] == [(1, "amina@example.org")]


def test_a_cart_that_is_changed_and_left_again_is_not_announced_again(left, received, book):
    cart = left()
    carts.announce_abandoned()
    carts.add_item(cart, book.isbn)
    carts.agree_to_reminder(cart, email="guest@example.org")
    age(cart, days=9)
    CartReminder.objects.update(announced_at=timezone.now() - timedelta(days=8))
    assert carts.announce_abandoned() == 0
    assert len(received) == 1


def test_without_consent_nothing_is_announced(left, received):
    left(agrees=False)
    withdrawn = left()
    carts.withdraw_reminder(withdrawn)
    age(withdrawn, days=2)
    assert carts.announce_abandoned() == 0
    assert received == []
    assert CartReminder.objects.count() == 0


def test_it_is_off_by_default(left, received, shop_settings):
    cart = left()
    shop_settings(CART_ABANDONED_AFTER=None)
    assert carts.announce_abandoned() == 0
    with pytest.raises(RemindersOff):
        carts.agree_to_reminder(cart, email="guest@example.org")
    assert received == []


@pytest.mark.parametrize("change", ["ordered", "emptied", "changed", "merged"])
def test_a_cart_that_changed_meanwhile_is_not_announced(left, received, monkeypatch, change, book, customer):
    """The change comes after the job has read which carts are due."""
    cart = left()
    real = carts.reminders._claim

    def change_first(key):
        if change == "ordered":
            checkout.place_order(cart, contact=checkout.Contact(email="guest@example.org"))
        elif change == "emptied":
            carts.clear(cart)
            age(cart, days=2)
        elif change == "changed":
            carts.add_item(cart, book.isbn)
        else:
            Cart.objects.filter(pk=cart.pk).update(status="merged")
        return real(key)

    monkeypatch.setattr(carts.reminders, "_claim", change_first)
    assert carts.announce_abandoned() == 0
    assert received == []


def test_a_failing_receiver_gets_it_again_with_the_same_id_if_the_cart_is_still_there(left, received):
    def fail(**kwargs):
        raise RuntimeError("not now")

    for email in ("a@example.org", "b@example.org"):
        left(email)
    signals.cart_abandoned.connect(fail)
    try:
        assert carts.announce_abandoned() == 0
    finally:
        signals.cart_abandoned.disconnect(fail)
    assert carts.announce_abandoned() == 0  # not before the next attempt
    CartReminder.objects.update(next_attempt_at=timezone.now())
    ordered = Cart.objects.get(reminder__email="a@example.org")
    checkout.place_order(ordered, contact=checkout.Contact(email="a@example.org"))
    assert carts.announce_abandoned() == 1
    first, second = (event for event in received if event[1] == "b@example.org")
    assert first == second
    assert len(received) == 3


def test_a_process_that_dies_after_claiming_a_cart_loses_it_for_the_time_of_the_claim_only(left, received):
    left()
    carts.reminders._claim(CartReminder.objects.get().pk)
    assert carts.announce_abandoned() == 0
    CartReminder.objects.update(next_attempt_at=timezone.now())
    assert [carts.announce_abandoned(), carts.announce_abandoned()] == [1, 0]
    assert len(received) == 1


def test_an_address_gets_one_reminder_in_a_week(left, received):
    left("Amina@example.org")
    left("amina@Example.org")
    assert carts.announce_abandoned() == 1
    assert carts.announce_abandoned() == 0
    RemindedAddress.objects.update(reminded_at=timezone.now() - timedelta(days=8))
    CartReminder.objects.update(next_attempt_at=timezone.now())  # which the second call set to the end of the pause
    assert carts.announce_abandoned() == 1


@pytest.mark.parametrize("change", ["withdrawn", "other address", "ordered", "deleted"])
def test_person_who_entered_an_address_cannot_end_its_pause(left, received, change):
    """Somebody may enter the address of a stranger in many carts."""
    first = left("amina@example.org")
    left("amina@example.org")
    assert carts.announce_abandoned() == 1
    if change == "withdrawn":
        carts.withdraw_reminder(first)
    elif change == "other address":
        carts.agree_to_reminder(first, email="mallory@example.org")
    elif change == "ordered":
        checkout.place_order(first, contact=checkout.Contact(email="mallory@example.org"))
    else:
        first.delete()
    assert carts.announce_abandoned() == 0
    assert len(received) == 1


def test_an_address_is_not_kept_after_a_withdrawal(left, received):
    cart = left("amina@example.org")
    carts.announce_abandoned()
    carts.withdraw_reminder(cart)
    rows = [*CartReminder.objects.values_list(), *RemindedAddress.objects.values_list()]
    assert "amina" not in str(rows)
    assert carts.reminder_of(cart) is None
    RemindedAddress.objects.update(reminded_at=timezone.now() - timedelta(days=8))
    carts.announce_abandoned()
    assert not RemindedAddress.objects.exists()


def test_while_one_cart_of_an_address_is_announced_another_one_waits(left, received):
    first, second = left("amina@example.org"), left("Amina@example.org")
    assert carts.reminders._claim(first.reminder.pk) is not None  # by another process, which has not sent it yet
    assert carts.announce_abandoned() == 0
    assert carts.reminders._claim(second.reminder.pk) is None
    assert received == []


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_send_one_reminder_to_an_address(left, received):
    left("amina@example.org")
    left("amina@example.org")
    keys = CartReminder.objects.order_by("pk").values_list("pk", flat=True)
    results = at_once([lambda key=key: carts.reminders._announce(key) for key in [*keys, *keys]])
    assert sorted(results) == [False, False, False, True]
    assert len(received) == 1


def test_consents_of_ordered_carts_are_deleted(left, received):
    cart = left()
    checkout.place_order(cart, contact=checkout.Contact(email="guest@example.org"))
    carts.announce_abandoned()
    assert CartReminder.objects.count() == 0


@pytest.mark.parametrize("email", ["", "nobody", "a@b"])
def test_a_guest_needs_an_address_that_mail_can_be_sent_to(left, email):
    cart = left(agrees=False)
    with pytest.raises(InvalidInput):
        carts.agree_to_reminder(cart, email=email)
    assert CartReminder.objects.count() == 0


def test_a_customer_is_reminded_at_their_own_address(day, customer, book, received):
    cart, _token = carts.add_to_cart(book.isbn, customer=customer)
    carts.agree_to_reminder(cart)
    age(cart, days=2)
    carts.announce_abandoned()
    assert [event[1] for event in received] == [customer.email]


def test_guests_agree_and_withdraw_by_the_api(client, left):
    added = client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    token = {"X-Cart-Token": added["X-Cart-Token"]}
    without, agreed = {"agreed": False, "email": ""}, {"agreed": True, "email": "guest@example.org"}
    assert client.get(REMINDER, headers=token).json() == without
    put = client.put(REMINDER, {"email": "guest@example.org"}, "application/json", headers=token)
    assert put.json() == agreed
    assert client.get(REMINDER, headers=token).json() == agreed
    assert client.delete(REMINDER, headers=token).json() == without
    assert CartReminder.objects.count() == 0
    refused = client.put(REMINDER, {"email": "x"}, "application/json", headers=token)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert client.put(REMINDER, {"email": "guest@example.org"}, "application/json").json()["code"] == "cart_empty"


def test_a_reminder_is_exported_and_erased(left, customer, book):
    guest = left("other@example.org")
    left("guest@example.org")
    cart, _token = carts.add_to_cart(book.isbn, customer=customer)
    carts.agree_to_reminder(cart)
    person = personal_data.person_of_customer(customer)
    person = {**person, "emails": [*person["emails"], "Guest@example.org"]}
    export = personal_data.export_personal_data(person)
    assert [row["email"] for row in export["customers"][0]["cart_reminders"]] == [customer.email]
    assert [row["email"] for row in export["cart_reminders_of_guests"]] == ["guest@example.org"]
    personal_data.erase_personal_data(person)
    assert list(CartReminder.objects.values_list("cart", flat=True)) == [guest.pk]
    with transaction.atomic():
        assert personal_data.export_personal_data(person)["cart_reminders_of_guests"] == []
