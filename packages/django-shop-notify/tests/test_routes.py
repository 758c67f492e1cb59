from __future__ import annotations

import uuid

import pytest
from django.db import transaction
from django.utils import timezone
from shop_notify import delivery, routes
from shop_notify.exceptions import RouteRefused
from shop_notify.models import Notification
from testproject.library import signals

pytestmark = pytest.mark.django_db

MEMBER = {
    "key": "member:7",
    "name": "Test Member",
    "email": "member@example.org",
    "phone": "+254711000001",
    "language": "en",
}


def payload(**changes):
    return {
        "version": 1,
        "loan": {"number": "L-1"},
        "book": {"title": "Arrow of God"},
        "recipients": {"member": MEMBER},
        **changes,
    }


def announce(event_id="e-1", **changes):
    signals.loan_made.send_robust(sender=None, payload=payload(**changes), event_id=event_id)


def test_signal_of_a_foreign_app_becomes_one_row_per_recipient_and_alias():
    announce()
    row = Notification.objects.get()
    assert (row.event, row.alias, row.channel, row.address) == ("loan_made", "email", "email", "member@example.org")
    assert (row.recipient_key, row.recipient_name, row.language) == ("member:7", "Test Member", "en")
    assert (row.reference, row.audience, row.state, row.attempts) == ("L-1", "member", "queued", 0)
    assert row.context == {"version": 1, "loan": {"number": "L-1"}, "book": {"title": "Arrow of God"}}


def test_same_signal_again_writes_nothing_more():
    for _ in range(3):
        announce()
    assert Notification.objects.count() == 1
    announce(event_id="e-2")
    assert Notification.objects.count() == 2


def test_payload_with_notify_false_writes_no_row():
    announce(notify=False)
    assert Notification.objects.count() == 0


def test_recipient_without_the_address_gets_no_row():
    announce(recipients={"member": {**MEMBER, "email": ""}})
    announce(recipients={})
    assert Notification.objects.count() == 0


def test_route_for_a_signal_without_payload_takes_context_and_id_from_callables():
    for _ in range(2):
        signals.book_returned.send_robust(sender=None, book={"title": "Petals of Blood", "copy": 3}, member=MEMBER)
    rows = Notification.objects.order_by("address")
    assert [(row.address, row.audience) for row in rows] == [
        ("desk@example.org", "testproject.library.notices.librarians"),
        ("member@example.org", "member"),
        ("night@example.org", "testproject.library.notices.librarians"),
    ]
    assert {row.event_id for row in rows} == {"returned-3-member:7"}


def test_when_compares_payload_keys_also_nested_and_with_alternatives(settings):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "ROUTES": [
            {
                "signal": "testproject.library.signals.loan_made",
                "event": "loan_made",
                "when": {"loan.kind": ["long", "short"], "first": True},
                "to": ["member"],
                "via": ["email"],
            }
        ],
    }
    announce("a", loan={"kind": "long"}, first=True)
    announce("b", loan={"kind": "reading room"}, first=True)
    announce("c", loan={"kind": "short"}, first=False)
    announce("d", loan={"kind": "short"})
    assert list(Notification.objects.values_list("event_id", flat=True)) == ["a"]


def test_admins_come_from_the_settings_and_an_alias_that_is_not_configured_is_left_out(settings):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "ADMINS": [
            "desk@example.org",
            {"key": "boss", "email": "boss@example.org", "language": "sw"},
            "+254711000002",
        ],
        "ROUTES": [
            {
                "signal": "testproject.library.signals.loan_made",
                "event": "loan_made",
                "to": ["admins"],
                "via": ["email", "pigeon"],
            }
        ],
    }
    announce()
    assert sorted(Notification.objects.values_list("address", "recipient_key", "language")) == [
        ("boss@example.org", "boss", "sw"),
        ("desk@example.org", "admin:desk@example.org", ""),
    ]


def test_values_that_databases_refuse_are_cleaned():
    announce(book={"title": "A\0B\ud800"}, recipients={"member": {**MEMBER, "name": "N\0"}})
    row = Notification.objects.get()
    assert row.context["book"]["title"] == "AB?"
    assert row.recipient_name == "N"


def test_ids_of_any_type_are_texts():
    announce(event_id=uuid.UUID(int=5))
    assert Notification.objects.get().event_id == "00000000-0000-0000-0000-000000000005"


def test_rows_of_a_transaction_that_is_rolled_back_are_gone():
    with transaction.atomic():
        announce()
        transaction.set_rollback(True)
    assert Notification.objects.count() == 0


def test_plan_returns_the_messages_and_writes_nothing():
    planned = routes.plan("testproject.library.signals.loan_made", payload=payload(), event_id="e")
    assert [(row.event, row.alias, row.address) for row in planned] == [("loan_made", "email", "member@example.org")]
    assert Notification.objects.count() == 0


def test_route_with_a_wrong_key_is_refused():
    with pytest.raises(RouteRefused, match="vai"):
        routes.Route.read({"signal": "a.b", "event": "x", "vai": ["email"]})


def test_route_whose_via_is_a_text_is_refused():
    with pytest.raises(RouteRefused, match="lists"):
        routes.Route.read({"signal": "a.b", "event": "x", "via": "email"})


@pytest.mark.parametrize(
    ("alias", "options", "address"),
    [
        ("sms", {}, "+254711000001"),
        ("email", {}, "member@example.org"),
        ("chat", {}, "member@example.org"),
        ("texts", {"address_field": "phone"}, "+254711000001"),
        ("sms", {"address_field": "email"}, "member@example.org"),
        ("chat", {"address_field": "telegram"}, ""),
    ],
)
def test_console_prints_the_address_that_the_notifier_of_the_alias_would_use(
    settings, capsys, alias, options, address
):
    route = {"signal": "testproject.library.signals.loan_made", "event": "loan_made", "to": ["member"], "via": [alias]}
    console = {"BACKEND": "console", "OPTIONS": options}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {alias: console}, "ROUTES": [route]}
    announce("e-console")
    delivery.deliver_due()
    assert capsys.readouterr().out.partition("\n")[0] == (f"To: {address}" if address else "")


def test_fallback_to_an_alias_that_via_names_too_writes_no_second_message(settings):
    route = {"signal": "testproject.library.signals.loan_made", "event": "loan_made", "to": ["member"]}
    route |= {"via": ["first", "second"], "fallback": {"first": {"via": "second", "after_minutes": 0}}}
    notifiers = {alias: {"BACKEND": "memory"} for alias in ("first", "second")}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers, "ROUTES": [route]}
    announce("e-both")
    delivery.deliver_due()
    Notification.objects.update(fallback_at=timezone.now())
    delivery.deliver_due()
    assert sorted(Notification.objects.values_list("alias", "state")) == [("first", "sent"), ("second", "sent")]
