"""States of a site's own: each stands for a built-in status, whose rules of money and stock apply."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy
from shop_orders import lifecycle, payments
from shop_orders.checks.states import check_states, check_states_with_database, check_transitions_to_cancelled
from shop_orders.exceptions import InvalidTransition, UnknownState
from shop_orders.models import Order
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

STATES = {
    "checked": {"KIND": "confirmed", "LABEL": "Checked"},
    "packed": {"KIND": "processing", "LABEL": gettext_lazy("paid"), "EVENT": "parcel_packed"},
    "to_collect": {"KIND": "shipped", "LABEL": "Ready for collection"},
    "collected": {"KIND": "delivered", "LABEL": "Collected"},
}
"""The label of the second one is a text with a translation."""


@pytest.fixture(autouse=True)
def states(shop_settings):
    shop_settings(STATES=STATES)


@pytest.fixture
def order(place):
    return place()


def names(announced):
    keys = ("new_status", "new_state", "notify")
    return [(name, *(payload.get(key) for key in keys)) for name, payload, _kwargs in announced]


def test_order_goes_through_its_states(order, announced, django_capture_on_commit_callbacks):
    assert order.status == "confirmed"
    assert lifecycle.allowed_states(order) == ["checked", "packed"]
    with django_capture_on_commit_callbacks(execute=True):
        packed = lifecycle.set_state(order.pk, "packed")
    assert (packed.status, packed.state, packed.get_status_display()) == ("processing", "packed", "paid")
    assert names(announced) == [
        ("order_status_changed", "processing", None, False),
        ("order_state_changed", "processing", "packed", True),
    ]
    payload = announced[-1][1]
    assert {name: payload[name] for name in ("old_state", "new_state", "state_label", "event")} == {
        "old_state": "",
        "new_state": "packed",
        "state_label": "paid",
        "event": "parcel_packed",
    }
    assert lifecycle.allowed_states(packed) == ["to_collect"]
    announced.clear()
    with django_capture_on_commit_callbacks(execute=True):
        ready = lifecycle.set_state(order.pk, "to_collect")
    assert (ready.status, ready.state) == ("shipped", "to_collect")
    assert [line.shipped_quantity for line in ready.lines.all()] == [2]
    assert [(name, notify) for name, _status, _state, notify in names(announced)] == [
        ("order_status_changed", False),
        ("shipment_sent", False),
        ("order_state_changed", True),
    ]
    assert announced[-1][1]["event"] == "order_to_collect"
    collected = lifecycle.set_state(order.pk, "collected")
    assert (collected.status, collected.state) == ("delivered", "collected")
    assert lifecycle.allowed_states(collected) == []
    assert [event.message for event in order.events.filter(kind="state_changed").order_by("id")] == [
        "paid",
        "Ready for collection",
        "Collected",
    ]


def test_label_is_in_the_language_of_the_customer(order, announced, django_capture_on_commit_callbacks):
    Order.objects.update(language="de")
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.set_state(order.pk, "packed")
    with translation.override("de"):
        assert announced[-1][1]["state_label"] == str(STATES["packed"]["LABEL"])


def test_change_of_the_status_ends_the_state(order):
    lifecycle.set_state(order.pk, "checked")
    moved = lifecycle.start_processing(order.pk)
    assert (moved.status, moved.state, moved.get_status_display()) == ("processing", "", "processing")


def test_rules_of_stock_and_money_are_those_of_the_status(order, book):
    on_hand = Book.objects.get().on_hand
    lifecycle.set_state(order.pk, "packed")
    cancelled = lifecycle.cancel(order.pk)
    assert (cancelled.status, cancelled.state, cancelled.amount_due) == ("cancelled", "", Decimal(0))
    assert Book.objects.get().on_hand == on_hand + 2
    assert lifecycle.allowed_states(cancelled) == []


def test_collected_order_cannot_be_cancelled(order):
    lifecycle.set_state(order.pk, "packed")
    lifecycle.set_state(order.pk, "to_collect")
    with pytest.raises(InvalidTransition):
        lifecycle.cancel(order.pk)


@pytest.mark.parametrize("state", ["to_collect", "collected", ""])
def test_state_that_the_status_does_not_allow_is_refused(order, state):
    with pytest.raises(InvalidTransition):
        lifecycle.set_state(order.pk, state)
    assert not order.events.filter(kind="state_changed").exists()


def test_two_staff_who_set_one_state_make_one_event(order):
    lifecycle.set_state(order.pk, "packed")
    with pytest.raises(InvalidTransition):
        lifecycle.set_state(order.pk, "packed")
    assert order.events.filter(kind="state_changed").count() == 1


def test_unpaid_order_gets_no_state_that_would_confirm_it(place, memory_provider, shop_settings):
    order = place(provider="memory")
    assert (order.status, lifecycle.allowed_states(order)) == ("pending", [])
    with pytest.raises(InvalidTransition):
        lifecycle.set_state(order.pk, "checked")
    assert payments.start(order.pk).is_open


def test_unknown_state_is_refused(order):
    with pytest.raises(UnknownState):
        lifecycle.set_state(order.pk, "wrapped")


def test_order_is_taken_out_of_its_state_without_a_message(order, announced, django_capture_on_commit_callbacks):
    lifecycle.set_state(order.pk, "packed")
    with django_capture_on_commit_callbacks(execute=True):
        plain = lifecycle.set_state(order.pk, "")
    assert (plain.status, plain.state) == ("processing", "")
    assert names(announced)[-1] == ("order_state_changed", "processing", "", False)


def test_state_that_was_removed_from_the_settings(order, shop_settings):
    lifecycle.set_state(order.pk, "packed")
    shop_settings(STATES={"checked": STATES["checked"]})
    order.refresh_from_db()
    assert order.get_status_display() == "packed"
    (warning,) = check_states_with_database(None, databases=["default"])
    assert warning.id == "shop_orders.W014"
    assert "1 orders are in the state 'packed'" in warning.msg
    assert check_states_with_database(None, databases=[]) == []
    assert lifecycle.ship(order.pk).order.status == "shipped"
    assert check_states_with_database(None, databases=["default"]) == []


@pytest.mark.parametrize(
    ("states", "named"),
    [
        (["packed"], "is a list"),
        ({"Packed": STATES["packed"]}, "whose name"),
        ({"shipped": STATES["packed"]}, "built-in status"),
        ({"packed": "processing"}, "not a dict with KIND"),
        ({"packed": {**STATES["packed"], "Label": "x"}}, "not a dict with KIND"),
        ({"packed": {"KIND": "pending", "LABEL": "x"}}, "KIND 'pending'"),
        ({"packed": {"KIND": "cancelled", "LABEL": "x"}}, "KIND 'cancelled'"),
        ({"packed": {"KIND": "processing"}}, "LABEL None"),
        ({"packed": {"KIND": "processing", "LABEL": ""}}, "LABEL ''"),
        ({"packed": {"KIND": "processing", "LABEL": " "}}, "LABEL ' '"),
        ({"packed": {"KIND": "processing", "LABEL": "a\0"}}, "LABEL 'a\\x00'"),
        ({"packed": {"KIND": "processing", "LABEL": gettext_lazy("\ud800")}}, "can be shown and stored"),
        ({"packed": {"KIND": "processing", "LABEL": "x", "EVENT": "a b"}}, "EVENT 'a b'"),
        ({"packed": {"KIND": "processing", "LABEL": "x", "EVENT": "order_shipped"}}, "an event of the shop"),
        ({"refunded": {"KIND": "processing", "LABEL": "x"}}, "an event of the shop"),
        ({"a": STATES["packed"], "b": STATES["packed"]}, "an event of the state 'a'"),
    ],
)
def test_check_names_a_wrong_state(shop_settings, states, named):
    shop_settings(STATES=states)
    (error,) = check_states()
    assert error.id == "shop_orders.E029"
    assert named in error.msg
    assert '"STATES": {"packed"' in error.hint


def test_check_accepts_right_states():
    assert list(check_states()) == []
    assert not [message for message in run_checks() if message.id in ("shop_orders.E029", "shop_orders.W003")]


@pytest.mark.parametrize("old", ["shipped", "delivered"])
def test_check_names_a_transition_that_cancel_refuses(shop_settings, old):
    shop_settings(TRANSITIONS={old: ["cancelled"]})
    (error,) = check_transitions_to_cancelled()
    assert error.id == "shop_orders.E030"
    assert f"from {old} to cancelled" in error.msg
    shop_settings(TRANSITIONS={"delivered": ["processing"]})
    assert list(check_transitions_to_cancelled()) == []


def may(user, *names):
    user.is_staff = True
    user.save()
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))


def test_staff_set_a_state_by_the_api(client, user, order):
    may(user, "view_order", "process_order")
    headers = {"Authorization": f"Bearer user-{user.pk}", "Idempotency-Key": "k1"}
    path = f"/api/orders/staff/orders/{order.number}/"
    seen = client.get(path, headers=headers).json()
    assert (seen["status"], seen["state"], seen["allowed_states"]) == ("confirmed", "", ["checked", "packed"])
    for _time in range(2):  # a repeated request sets it once
        body = {"state": "packed", "expected_version": seen["version"]}
        done = client.post(f"{path}state/", body, "application/json", headers=headers)
        assert (done.status_code, done.json()["status"], done.json()["state"]) == (200, "processing", "packed")
        assert done.json()["state_label"] == "paid"
    late = client.post(f"{path}state/", body, "application/json", headers={**headers, "Idempotency-Key": "k2"})
    assert (late.status_code, late.json()["code"]) == (409, "order_changed")
    wrong = client.post(
        f"{path}state/", {"state": "lost"}, "application/json", headers={**headers, "Idempotency-Key": "k3"}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_state")
    listed = client.get("/api/orders/staff/orders/?state=packed", headers=headers).json()["items"]
    assert [(row["number"], row["state"]) for row in listed] == [(order.number, "packed")]
    assert client.get("/api/orders/staff/orders/?state=checked", headers=headers).json()["items"] == []


def test_customer_sees_the_state(client, user, order):
    lifecycle.set_state(order.pk, "packed")
    headers = {"Authorization": f"Bearer user-{user.pk}"}
    followed = client.get(f"/api/orders/orders/{order.number}/tracking/", headers=headers).json()
    assert (followed["status"], followed["state"], followed["state_label"]) == ("processing", "packed", "paid")
    assert [(event["kind"], event["message"]) for event in followed["events"]][-1] == ("state_changed", "paid")


def test_staff_set_a_state_in_the_admin(client, user, order, place):
    may(user, "view_order", "process_order")
    client.force_login(user)
    other, changelist = place(), reverse("admin:shop_orders_order_changelist")
    page = client.get(changelist).content.decode()
    assert "Set the state: Ready for collection" in page
    chosen = {"action": "state_packed", "_selected_action": [order.pk, other.pk]}
    page = client.post(changelist, chosen, follow=True).content.decode()
    assert "2 orders changed." in page
    assert set(Order.objects.values_list("state", flat=True)) == {"packed"}
    assert client.get(f"{changelist}?state=packed").content.decode().count("field-number") == 2
    assert client.get(f"{changelist}?state=checked").content.decode().count("field-number") == 0
    step = reverse("admin:shop_orders_step", args=[order.pk, "state"])
    form = client.get(step)
    assert b"Ready for collection" in form.content
    assert b"Collected" not in form.content
    token = form.context["form"]["form_token"].value()
    for _time in range(2):
        client.post(step, {"state": "to_collect", "notify": "on", "form_token": token})
    order.refresh_from_db()
    assert (order.status, order.state) == ("shipped", "to_collect")


@pytest.mark.parametrize("label", ["packed (50 %)", "50 % done", "%(verbose_name)s", "%(unknown)s"])
def test_label_with_a_percent_sign_is_shown_in_the_admin(client, user, order, shop_settings, label):
    shop_settings(STATES={"packed": {"KIND": "processing", "LABEL": label}})
    may(user, "view_order", "process_order")
    client.force_login(user)
    changelist = reverse("admin:shop_orders_order_changelist")
    assert f"Set the state: {label}" in client.get(changelist).content.decode()
    client.post(changelist, {"action": "state_packed", "_selected_action": [order.pk]})
    order.refresh_from_db()
    assert order.get_status_display() == label


def test_admin_without_states_has_neither_action_nor_filter(client, user, order, shop_settings):
    shop_settings(STATES={})
    may(user, "view_order", "process_order")
    client.force_login(user)
    page = client.get(reverse("admin:shop_orders_order_changelist")).content.decode()
    assert "Set the state" not in page
    assert "?state=" not in page
    assert "step/state/" not in client.get(reverse("admin:shop_orders_order_change", args=[order.pk])).content.decode()


def test_staff_without_the_permission_set_no_state(client, user, order):
    may(user, "view_order")
    client.force_login(user)
    changelist = reverse("admin:shop_orders_order_changelist")
    assert "Set the state" not in client.get(changelist).content.decode()
    client.post(changelist, {"action": "state_packed", "_selected_action": [order.pk]})
    assert client.get(reverse("admin:shop_orders_step", args=[order.pk, "state"])).status_code == 403
    order.refresh_from_db()
    assert order.state == ""
