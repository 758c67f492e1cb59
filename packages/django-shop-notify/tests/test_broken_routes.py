"""Functions of routes that raise, return nothing or nonsense: the sender goes on, and nothing is lost unseen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from shop_notify import outbox, personal_data, pruning, routes
from shop_notify.checks import check_failed_routes, check_settings
from shop_notify.exceptions import RouteRefused
from shop_notify.models import Notification, RouteFailure
from shop_notify.notifiers import EmailNotifier
from shop_notify.recipients import preferences
from testproject.library import signals

pytestmark = pytest.mark.django_db

ROUTE = {"event": "loan_made", "to": ["member"], "via": ["email"]}
LOG_IN = {**ROUTE, "signal": "django.contrib.auth.signals.user_logged_in"}
FOREIGN = {**ROUTE, "signal": "testproject.library.signals.newsletter_published"}
LOAN = {**ROUTE, "signal": "testproject.library.signals.loan_made"}
MEMBER = {"key": "member:7", "email": "member@example.org"}
GOOD = f"{__name__}.good"


def good(sender, **kwargs):
    return {"recipients": {"member": MEMBER}}


def raises(sender, **kwargs):
    raise KeyError("no such thing")


class Unprintable(Exception):
    def __str__(self):
        raise KeyError("no text")


def unprintable(sender, **kwargs):
    raise Unprintable


def leaks(sender, **kwargs):
    raise ValueError("no book for member@example.org")


def nothing(sender, **kwargs):
    return None


def empty(sender, **kwargs):
    return ""


def a_row(sender, *, user, **kwargs):
    return {**good(sender), "user": user}


def a_text(sender, **kwargs):
    return "nonsense"


def endless(sender, **kwargs):
    payload = good(sender)
    payload["payload"] = payload
    return payload


def wrong_statement(sender, *args, **kwargs):
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column FROM shop_notify_notification")


def no_recipients(sender, **kwargs):
    return {"recipients": None}


def texts_as_recipients(sender, **kwargs):
    return {"recipients": {"member": ["member@example.org"]}}


def raises_for(payload):
    raise KeyError("no such thing")


def long_id(sender, *, end, **kwargs):
    return "x" * 100 + end


@pytest.fixture
def route(settings):
    def use(*entries):
        settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "ROUTES": entries}

    return use


def rows():
    return list(Notification.objects.values_list("event_id", flat=True))


WRONG = [
    {"context": f"{__name__}.raises"},
    {"context": f"{__name__}.unprintable"},
    {"context": f"{__name__}.a_row"},
    {"context": f"{__name__}.a_text"},
    {"context": f"{__name__}.endless"},
    {"context": f"{__name__}.wrong_statement"},
    {"context": f"{__name__}.texts_as_recipients"},
    {"context": f"{__name__}.not_there"},
    {"context": GOOD, "event_id": f"{__name__}.raises"},
    {"context": GOOD, "event_id": f"{__name__}.wrong_statement"},
    {"context": GOOD, "to": [f"{__name__}.raises_for"]},
    {"context": GOOD, "priority": 0},
    {"context": GOOD, "event": "x" * 101},
    {"context": GOOD, "group": "x" * 51},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str([*wrong.values()][-1])[-30:])
def test_log_in_works_with_a_broken_route_and_the_other_route_too(wrong, route, client, caplog):
    route({**LOG_IN, **wrong}, {**LOG_IN, "context": GOOD, "event": "welcome"})
    user = get_user_model().objects.create_user("member")
    with transaction.atomic():
        client.force_login(user)
        assert get_user_model().objects.filter(last_login__isnull=False).exists()  # the transaction is usable
    assert list(Notification.objects.values_list("event", flat=True)) == ["welcome"]
    (record,) = [record for record in caplog.records if record.name == "shop_notify.routes"]
    assert "Route 0 (signal django.contrib.auth.signals.user_logged_in" in record.getMessage()


def test_notifier_of_the_site_that_cannot_read_its_table_does_not_end_the_transaction(route, monkeypatch):
    monkeypatch.setattr(EmailNotifier, "address_of", classmethod(wrong_statement))
    route(FOREIGN)
    with transaction.atomic():
        signals.newsletter_published.send(None, payload=good(None))
        assert not Notification.objects.exists()  # on PostgreSQL, otherwise no statement would work


def test_context_that_returns_none_or_no_recipients_is_no_message(route, caplog):
    route({**FOREIGN, "context": f"{__name__}.nothing"}, {**FOREIGN, "context": f"{__name__}.no_recipients"})
    signals.newsletter_published.send(None)
    assert (rows(), caplog.records) == ([], [])


def test_signal_with_an_id_gets_the_error_so_that_its_sender_repeats_it(route):
    """The outbox of orders repeats an event until no receiver fails. The good route has one message all the same."""
    route({**LOAN, "context": f"{__name__}.raises"}, {**LOAN, "context": GOOD, "event_id": f"{__name__}.nothing"})
    for _ in range(2):
        with transaction.atomic():
            (result,) = [result for _, result in signals.loan_made.send_robust(sender=None, event_id="e-1")]
        assert isinstance(result, KeyError)
    assert rows() == ["e-1"]


@pytest.mark.parametrize("event_id", [None, "e-1"])
def test_outbox_that_refuses_does_not_end_the_transaction(event_id, route, monkeypatch):
    monkeypatch.setattr(outbox, "put", wrong_statement)
    route(LOAN)
    with transaction.atomic():
        ((_receiver, result),) = signals.loan_made.send_robust(None, payload=good(None), event_id=event_id)
        assert not Notification.objects.exists()  # on PostgreSQL, otherwise no statement would work
    assert isinstance(result, DatabaseError) is bool(event_id)


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_id_function_that_returns_nothing_gives_fresh_ids(name, route):
    route({**FOREIGN, "context": GOOD, "event_id": f"{__name__}.{name}"})
    for _ in range(2):
        signals.newsletter_published.send(None)
    assert len(set(rows())) == 2
    assert all(len(event_id) == 36 for event_id in rows())


@pytest.mark.parametrize("ends", [("a", "b"), ("a" * 500, "a" * 500 + "b"), ("a\0", "a"), ("\ud800", "\ud801")])
def test_events_whose_long_ids_differ_are_two_messages(ends, route):
    route({**FOREIGN, "context": GOOD, "event_id": f"{__name__}.long_id"})
    for end in [*ends, *ends]:
        signals.newsletter_published.send(None, end=end)
        signals.loan_made.send_robust(sender=None, payload=good(None), event_id="x" * 100 + end)
    assert len(rows()) == 2
    assert all(event_id.startswith("x" * 35) and len(event_id) <= 100 for event_id in rows())


def test_long_keys_and_references_of_two_people_stay_apart(route):
    route({**LOAN, "reference": "number"})
    for end in "ab":
        recipients = {"member": {"key": "k" * 100 + end, "email": f"{end}@example.org"}}
        payload = {"number": "n" * 100 + end, "recipients": recipients}
        signals.loan_made.send_robust(sender=None, payload=payload, event_id=end)
    for person in ({"keys": ["k" * 100 + "a"]}, {"references": ["n" * 100 + "b"]}):
        personal_data.erase_personal_data(person)
        assert Notification.objects.count() == (1 if "keys" in person else 0)


def test_id_that_fits_is_kept_as_it_is(route):
    route(LOAN)
    signals.loan_made.send_robust(sender=None, payload=good(None), event_id="é" * 100)
    assert rows() == ["é" * 100]


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": "high"},
        {"to": [None]},
        {"when": ["first"]},
        {"event": ""},
        {"group": None},
        {"fallback": {"email": "sms"}},
        {"fallback": {"email": {"after_minutes": 5}}},
        {"fallback": {"email": {"via": "sms", "after_minutes": "soon"}}},
        {"expires_after_minutes": -1},
    ],
)
def test_values_that_cannot_be_stored_or_used_are_found_by_check(wrong, route):
    with pytest.raises(RouteRefused, match=next(iter(wrong))):
        routes.Route.read({**LOAN, **wrong})
    route({**LOAN, **wrong})
    assert [message.id for message in check_settings(None)] == ["shop_notify.E003"]


def test_failure_is_shown_to_staff_and_by_check_for_a_day(route, django_capture_on_commit_callbacks):
    route({**FOREIGN, "context": f"{__name__}.leaks"})
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            signals.newsletter_published.send(None)
    failure = RouteFailure.objects.get()
    assert (failure.event, failure.last_error) == ("loan_made", "ValueError: no book for m***@example.org")
    (message,) = check_failed_routes(None, databases=["default"])
    assert (message.id, "loan_made" in message.msg) == ("shop_notify.W016", True)
    assert all(name in message.hint for name in ("context", "event_id", "to", "address_of"))
    assert check_failed_routes(None, databases=[]) == []
    RouteFailure.objects.update(failed_at=timezone.now() - timedelta(days=2))
    assert check_failed_routes(None, databases=["default"]) == []
    pruning.prune(days=1)
    assert not RouteFailure.objects.exists()


def test_database_that_is_gone_after_the_commit_does_not_break_the_sender(
    route, django_capture_on_commit_callbacks, monkeypatch, caplog
):
    route({**FOREIGN, "context": f"{__name__}.raises"})
    monkeypatch.setattr(RouteFailure.objects, "update_or_create", raises)
    with django_capture_on_commit_callbacks(execute=True):
        signals.newsletter_published.send(None)
    assert "Route 0" in caplog.text


def test_long_key_and_reference_are_found_as_they_were_given(route):
    key, reference = "k" * 101, "n" * 101
    route({**LOAN, "reference": "number", "group": "offers"})
    preferences.write_preferences(key, {"offers": {"email": False}})
    assert preferences.read_preferences(key) == {"offers": {"email": False}}
    payload = {"number": reference, "recipients": {"member": {**MEMBER, "key": key}}}
    signals.loan_made.send_robust(sender=None, payload=payload, event_id="e-1")
    row = Notification.objects.get()
    assert preferences.muted([row.recipient_key]) == {(row.recipient_key, "offers", "email")}
    assert [*Notification.objects.about(reference), *Notification.objects.search(key)] == [row, row]


def test_recipient_whose_address_is_none_gets_no_message(route, monkeypatch):
    """As a notifier has it that returns `recipient.get("email")`."""
    monkeypatch.setattr(
        EmailNotifier, "address_of", classmethod(lambda _cls, recipient, _options: recipient.get("post"))
    )
    route(LOAN)
    signals.loan_made.send_robust(sender=None, payload=good(None), event_id="e-1")
    assert rows() == []
