"""Forms that move money or goods work once: pressed twice, sent from two tabs, or sent again by the back button."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from shop_orders import form_tokens, idempotency, lifecycle, payments
from shop_orders.admin import STEPS
from shop_orders.exceptions import FormExpired, FormSentBefore, NotPayable
from shop_orders.models import IdempotencyKey, OrderEvent, Payment, ProviderEvent, Refund, Shipment
from shop_orders.payment_providers import PaymentEvent, PaymentState
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

BRING = {
    "confirm": ("memory", []),
    "process": ("on_delivery", []),
    "ship": ("on_delivery", ["process"]),
    "state": ("on_delivery", []),
    "deliver": ("on_delivery", ["process", "ship"]),
    "capture": ("memory", ["authorised"]),
    "resolve": ("memory", ["held"]),
    "pay": ("bank", []),
    "reinstate": ("bank", ["cancel", "record"]),
    "restock": ("on_delivery", ["process", "ship"]),
    "refund": ("memory", ["paid"]),
    "record_refund": ("memory", ["paid"]),
    "resolve_refund": ("memory", ["paid", "unknown refund"]),
    "resolve_dispute": ("memory", ["paid", "held dispute"]),
    "cancel_units": ("bank", []),
    "cancel": ("bank", []),
    "note": ("bank", []),
}
"""The provider and the earlier steps of an order with which each step can be taken."""
VALUES = {
    "confirm": {"accept_unpaid": "on"},
    "ship": {"line_1": "1", "carrier": "Test Carrier"},
    "resolve": {"amount": "20.00"},
    "pay": {"amount": "10.00"},
    "restock": {"line_1": "1"},
    "cancel_units": {"line_1": "1", "reason": "Sold out"},
    "refund": {"amount": "5.00", "reason": "Torn cover"},
    "record_refund": {"amount": "5.00"},
    "resolve_refund": {"outcome": "succeeded"},
    "resolve_dispute": {"amount": "5.00", "reason": "Seen on the provider's page"},
    "note": {"text": "Called back"},
}


@pytest.fixture
def shopkeeper(client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    return client


def refund_that_nobody_knows(order_id):
    (refund,) = payments.queue_refund(order_id, amount=Decimal(5))
    Refund.objects.filter(pk=refund.pk).update(status="pending", error="memory cannot be asked about this refund.")


def dispute_that_is_held(order_id):
    payment = Payment.objects.get(order_id=order_id)
    ProviderEvent.objects.create(
        provider="memory", provider_event_id="d-1", kind="disputed", payment=payment, outcome="held"
    )


@pytest.fixture
def prepared(place, memory_provider, shop_settings):
    shop_settings(STATES={"packed": {"KIND": "processing", "LABEL": "packed"}})

    def bring(name):
        provider, earlier = BRING[name]
        order = place(provider=provider, quantity=2)
        states = {
            "authorised": PaymentState(status="authorised"),
            "held": PaymentState(status="captured", captured=Decimal(20)),
            "paid": PaymentState(status="captured", captured=Decimal(25)),
        }
        actions = {"process": lifecycle.start_processing, "ship": lifecycle.ship, "cancel": lifecycle.cancel}
        actions["record"] = partial(payments.record_payment, amount=order.total)
        actions["unknown refund"] = refund_that_nobody_knows
        actions["held dispute"] = dispute_that_is_held
        payment = payments.start(order.pk) if provider == "memory" else None
        for word in earlier:
            if word in actions:
                actions[word](order.pk)
            else:
                payments.apply_state(payment.pk, states[word])
        order.refresh_from_db()
        return order

    return bring


def page(client, order, name):
    """The values of a page that was just opened."""
    text = client.get(reverse("admin:shop_orders_step", args=[order.pk, name])).content.decode()
    chosen = re.findall(r'<select name="(\w+)".*?<option value="([^"]*)"', text, re.DOTALL)
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', text) + chosen)


def send(client, order, name, values):
    response = client.post(reverse("admin:shop_orders_step", args=[order.pk, name]), values, follow=True)
    return response.content.decode()


def books():
    """Everything about money and goods."""
    models = (Payment, Refund, Shipment, OrderEvent, Book)
    skipped = ("updated_at", "next_attempt_at", "announced_at", "attempts")
    return [
        [{name: value for name, value in row.items() if name not in skipped} for row in model.objects.values()]
        for model in models
    ]


def test_every_step_is_tried():
    assert set(BRING) == set(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_step_that_is_sent_twice_is_taken_once(shopkeeper, prepared, name):
    order = prepared(name)
    values = {**page(shopkeeper, order, name), **VALUES.get(name, {})}
    before = books()
    assert "Done: " in send(shopkeeper, order, name, values)
    after = books()
    assert after != before
    again = send(shopkeeper, order, name, values)
    assert "This was already done: " in again
    assert "Done: " not in again
    assert books() == after


@pytest.mark.parametrize("name", ["ship", "refund"])
def test_new_page_takes_the_step_again(shopkeeper, prepared, name):
    order = prepared(name)
    tokens = set()
    for _page in range(2):
        values = {**page(shopkeeper, order, name), **VALUES[name]}
        send(shopkeeper, order, name, values)
        tokens.add(values["form_token"])
    assert len(tokens) == 2
    assert {"ship": Shipment, "refund": Refund}[name].objects.count() == 2


def test_refused_step_can_be_sent_again_from_the_same_page(shopkeeper, prepared, memory_provider):
    order = prepared("refund")
    values = {**page(shopkeeper, order, "refund"), "amount": "500.00"}
    assert "At most 25.00" in send(shopkeeper, order, "refund", values)
    assert "Done: Refund" in send(shopkeeper, order, "refund", {**values, "amount": "5.00"})
    assert [refund.amount for refund in Refund.objects.all()] == [5]


def test_invalid_form_keeps_its_token(shopkeeper, prepared):
    order = prepared("refund")
    values = {**page(shopkeeper, order, "refund"), "amount": "a lot"}
    text = send(shopkeeper, order, "refund", values)
    assert f'value="{values["form_token"]}"' in text
    assert "Done: Refund" in send(shopkeeper, order, "refund", {**values, "amount": "5.00"})


def test_form_with_other_values_is_not_reported_as_done(shopkeeper, prepared):
    order = prepared("refund")
    values = {**page(shopkeeper, order, "refund"), "amount": "5.00"}
    send(shopkeeper, order, "refund", values)
    assert "sent before, with other values" in send(shopkeeper, order, "refund", {**values, "amount": "10.00"})
    assert [refund.amount for refund in Refund.objects.all()] == [5]


@pytest.mark.parametrize("token", [None, "", "made-up", "x" * 300, "\0", "old"])
def test_page_without_a_fresh_token_is_shown_again_with_one(shopkeeper, prepared, monkeypatch, token):
    order = prepared("refund")
    values = {**page(shopkeeper, order, "refund"), "amount": "5.00"}
    if token == "old":
        monkeypatch.setattr(form_tokens, "MAX_AGE", timedelta(seconds=-1))
    elif token is None:
        del values["form_token"]
    else:
        values["form_token"] = token
    text = send(shopkeeper, order, "refund", values)
    assert "Check the form and send it again." in text
    assert Refund.objects.count() == 0
    monkeypatch.undo()
    fresh = re.search(r'name="form_token" value="([^"]*)"', text)[1]
    assert "Done: Refund" in send(shopkeeper, order, "refund", {**values, "form_token": fresh})


def test_tokens_expire_before_their_results_are_deleted(shopkeeper, prepared, monkeypatch):
    assert form_tokens.MAX_AGE < idempotency.KEPT_FOR
    order = prepared("pay")
    values = {**page(shopkeeper, order, "pay"), **VALUES["pay"]}
    send(shopkeeper, order, "pay", values)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=49))
    assert idempotency.prune() == 1
    monkeypatch.setattr(form_tokens, "MAX_AGE", timedelta(seconds=-1))
    assert "Check the form and send it again." in send(shopkeeper, order, "pay", values)
    assert Payment.objects.count() == 1


def test_pages_of_two_clerks_are_independent(prepared, client):
    order = prepared("note")
    values = {"form_token": form_tokens.new_token(), "text": "Called back"}
    for name in ("one", "two"):
        client.force_login(get_user_model().objects.create_superuser(name, f"{name}@example.org", "pw"))
        assert "Done: " in send(client, order, "note", values)
    assert OrderEvent.objects.filter(kind="note").count() == 2


@pytest.mark.parametrize("name", ["pay", "refund", "record_refund", "ship", "restock"])
def test_step_that_two_clerks_see_on_their_pages_is_taken_once(shopkeeper, prepared, name):
    order = prepared(name)
    pages = [{**page(shopkeeper, order, name), **VALUES[name]} for _clerk in range(2)]
    assert "Done: " in send(shopkeeper, order, name, pages[0])
    after = books()
    assert "have changed since you opened this form" in send(shopkeeper, order, name, pages[1])
    assert books() == after
    assert "Done: " in send(shopkeeper, order, name, {**page(shopkeeper, order, name), **VALUES[name]})


def test_money_that_came_while_the_page_was_open_is_seen_before_the_order_is_cancelled(shopkeeper, prepared):
    order = prepared("cancel")
    values = page(shopkeeper, order, "cancel")
    payments.record_payment(order.pk)
    assert "have changed since you opened this form" in send(shopkeeper, order, "cancel", values)
    order.refresh_from_db()
    assert order.status == "confirmed"


def test_clerks_decide_about_the_held_payment_that_their_page_shows(shopkeeper, prepared):
    order = prepared("resolve")
    other = PaymentEvent(event_id="1", kind="captured", reference="other", amount=Decimal(7), currency="EUR")
    payments.apply_event("memory", replace(other, payment_id=str(order.payments.get().public_id)))
    pages = [{**page(shopkeeper, order, "resolve"), "amount": "0"} for _clerk in range(2)]
    assert "Done: " in send(shopkeeper, order, "resolve", pages[0])
    assert "Done: " not in send(shopkeeper, order, "resolve", pages[1])
    assert [payment.status for payment in order.payments.order_by("id")] == ["cancelled", "held"]
    assert "EUR" in shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "resolve"])).content.decode()


def sent(**values):
    data = QueryDict(mutable=True)
    data.update({"form_token": form_tokens.new_token(), "csrfmiddlewaretoken": "x", **values})
    return data


def test_result_of_the_first_submission_is_returned_again():
    data, results = sent(amount="5"), iter([["first"], ["second"]])
    once = partial(form_tokens.once, data, owner="user:1", route="refund A", work=lambda: next(results))
    results = [once(), once()]
    assert [(result.body, result.is_replay) for result in results] == [(["first"], False), (["first"], True)]
    data["csrfmiddlewaretoken"] = "rotated"
    assert once().is_replay
    data["amount"] = "6"
    with pytest.raises(FormSentBefore):
        once()


def test_form_whose_work_failed_can_be_sent_again():
    data = sent()

    def fail():
        raise NotPayable

    with pytest.raises(NotPayable):
        form_tokens.once(data, owner="user:1", route="pay A", work=fail)
    assert IdempotencyKey.objects.count() == 0
    assert not form_tokens.once(data, owner="user:1", route="pay A", work=lambda: None).is_replay


def test_form_without_a_token_does_nothing():
    with pytest.raises(FormExpired):
        form_tokens.once(QueryDict("amount=5"), owner="user:1", route="pay A", work=lambda: pytest.fail("done"))
