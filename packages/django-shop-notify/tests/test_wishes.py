"""STOP and START that people send to the short code of Africa's Talking: the latest one counts, once."""

from __future__ import annotations

import io
import itertools
import threading

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import Http404
from django.test import Client
from django.urls import ResolverMatch
from django.utils import timezone
from shop_core.exceptions import Busy
from shop_notify import delivery, outbox
from shop_notify.models import DeliveryReport, Notification, Suppression
from shop_notify.notifiers import Report, SmsNotifier
from shop_notify.recipients import lift_suppression, suppress, suppressed, wishes
from shop_notify.webhooks import delivery_report

PHONE = "+254711000001"
SECRET = "report-secret-0123456789"


@pytest.fixture
def sms(settings, gateway):
    pytest.importorskip("africastalking", reason="needs django-shop-notify[africastalking]")
    options = {"username": "sandbox", "api_key": "key-that-nobody-sees", "sender": "DUKA", "base_url": gateway.url}
    notifier = {"BACKEND": "africastalking", "OPTIONS": {**options, "report_secret": SECRET}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"sms": notifier}, "PHONE_REGIONS": ["KE"]}


def incoming(text, *, number=1, secret=SECRET, **form):
    """A message to the short code, as https://developers.africastalking.com/docs/sms/notifications describes it."""
    data = {"date": f"2026-11-30T10:00:0{number}Z", "from": PHONE, "id": f"in-{number}", "linkId": "", "text": text}
    path = f"/notify/reports/sms/{secret}/"
    return Client(enforce_csrf_checks=True).post(path, {**data, "to": "20880", "networkCode": "63902", **form})


def is_suppressed():
    return suppressed("sms", [PHONE]) == {PHONE}


STOPS = ["STOP", "stop", " Stop \r\n", "S T O P", "stop.", "“STOP”!", "ＳＴＯＰ", "UNSUBSCRIBE"]
STOPS += ["STOP DUKA", "duka stop", "STOP ALL", "DUKA: Stop."]
STARTS = ["START", " start", "UNSTOP", "s-t-a-r-t", "Duka START"]
NEITHER = ["", "DUKA", "please stop calling me", "stop it", "startup", "nonstop", "🛑", "stop" * 50]


@pytest.mark.parametrize(
    ("text", "wish"),
    [(text, wish) for wish, texts in (("stop", STOPS), ("start", STARTS), ("", NEITHER)) for text in texts],
)
def test_words_in_any_case_with_spaces_and_punctuation(text, wish):
    assert SmsNotifier.wish_in(text, names=["DUKA", ""]) == wish


@pytest.mark.django_db
def test_stop_suppresses_and_start_permits(sms, gateway):
    assert incoming(" stop ").status_code == 200
    row = Suppression.objects.get()
    assert (row.channel, row.address, row.reason) == ("sms", PHONE, "stop")
    message = {"event": "order_placed", "alias": "sms", "channel": "sms", "address": PHONE, "event_id": "e-1"}
    skipped = Notification.objects.create(**message)
    delivery.deliver_due()
    skipped.refresh_from_db()
    assert (skipped.state, gateway.requests) == ("skipped", [])
    assert incoming("Start", number=2).status_code == 200
    assert not is_suppressed()


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_latest_wish_counts_in_whatever_order_they_arrive(sms, order):
    texts = {1: "START", 2: "STOP", 3: "START"}
    for number in order:
        incoming(texts[number], number=number)
    assert not is_suppressed()
    incoming("STOP", number=4)
    assert is_suppressed()


@pytest.mark.parametrize(("size", "status"), [(300_000, 413), (1000, 404)])
def test_call_without_a_length_is_limited_too(sms, size, status):
    """An ASGI server passes a body that is sent in chunks on without a length."""
    scope = {"type": "http", "method": "POST", "path": "/notify/reports/sms/x/", "query_string": b"", "headers": []}
    body = io.BytesIO(b"x" * size)
    request = ASGIRequest(scope, body)
    try:
        assert delivery_report(request, "sms", "x").status_code == status
    except Http404:
        assert status == 404
    assert body.tell() <= 256 * 1024 + 1


def test_busy_database_asks_the_provider_to_call_again(sms, monkeypatch):
    def busy(alias, reports):
        raise Busy

    monkeypatch.setattr("shop_notify.delivery.reports.receive_reports", busy)
    response = incoming("STOP")
    assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.django_db
def test_form_without_a_length_is_read(sms):
    body = f"from=%2B{PHONE[1:]}&text=STOP&id=7".encode()
    kind = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": f"/r/{SECRET}/", "query_string": b"", "headers": kind}
    request = ASGIRequest(scope, io.BytesIO(body))
    request.resolver_match = ResolverMatch(delivery_report, (), {"alias": "sms", "secret": SECRET})
    assert delivery_report(request, "sms", SECRET).status_code == 200
    assert is_suppressed()


@pytest.mark.django_db
@pytest.mark.parametrize(("words", "is_stopped"), [(("start", "stop"), True), (("stop", "start"), False)])
def test_wishes_of_one_call_count_in_its_order(sms, words, is_stopped):
    reports = [
        Report(provider_id=message, status=wish, state="sent", wish=wish, address=PHONE)
        for message, wish in zip("ba", words, strict=True)
    ]
    delivery.receive_reports("sms", reports)
    assert is_suppressed() is is_stopped


@pytest.mark.django_db
def test_stop_without_an_id_is_not_a_duplicate(sms):
    for wish in ("stop", "start", "stop"):
        delivery.receive_reports("sms", [Report(status=wish, state="sent", wish=wish, address=PHONE)])
    assert is_suppressed()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "phone", [PHONE[1:], " 254711000001", "+254 711 000-001", "(254) 711.000.001", "++254711000001"]
)
def test_stop_from_a_phone_in_any_spelling(sms, phone):
    assert incoming("STOP", **{"from": phone}).status_code == 200
    assert is_suppressed()


@pytest.fixture
def confirming(sms, settings):
    settings.SHOP_NOTIFY["NOTIFIERS"]["sms"]["OPTIONS"]["confirm_stop"] = True
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "CONTEXT": {"shop_name": "Duka"}}


def replies(gateway):
    delivery.deliver_due()
    return [form["message"] for form in gateway.requests]


@pytest.mark.django_db
def test_stop_is_confirmed_once_if_that_is_wanted(confirming, gateway):
    text = "Duka: We send no more messages to this number. To get them again, reply START."
    for number in (1, 1, 2, 2, 3):
        assert incoming("STOP", number=number).status_code == 200
        assert replies(gateway) == [text]
    assert is_suppressed()
    # A person who plays with both words gets one a day, and nothing for START.
    for number, word in ((4, "START"), (5, "STOP"), (6, "START"), (7, "STOP")):
        assert incoming(word, number=number).status_code == 200
    assert replies(gateway) == [text]
    message = {"event": "order_placed", "alias": "sms", "channel": "sms", "address": PHONE, "event_id": "e-1"}
    Notification.objects.create(**message)
    copy = outbox.resend(Notification.objects.get(event="stop_confirmed"))
    assert replies(gateway) == [text]
    copy.refresh_from_db()
    assert copy.state == "skipped"


@pytest.mark.django_db
def test_stop_is_not_confirmed_too_late_or_to_a_phone_that_gets_nothing(confirming, gateway):
    incoming("STOP")
    Notification.objects.update(expires_at=timezone.now())
    assert replies(gateway) == []
    Notification.objects.all().delete()
    Suppression.objects.update(reason="manual")
    incoming("STOP", number=2)
    assert replies(gateway) == []


@pytest.mark.django_db
def test_stop_is_not_confirmed_by_default(sms, gateway):
    incoming("STOP")
    assert replies(gateway) == []
    assert not Notification.objects.exists()


@pytest.mark.django_db
def test_stop_without_a_phone_number_is_logged(sms, caplog):
    assert incoming("STOP", **{"from": "0711000001"}).status_code == 200
    assert "STOP from a sender that is not a phone number" in caplog.text


@pytest.mark.django_db
def test_repeated_stop_changes_nothing_after_start_or_after_staff(sms):
    for number, text in ((1, "STOP"), (2, "START"), (1, "STOP")):
        incoming(text, number=number)
    assert not is_suppressed()
    incoming("STOP", number=3)
    lift_suppression("sms", PHONE)
    incoming("STOP", number=3)
    assert not is_suppressed()
    assert DeliveryReport.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["bounce", "staff", "complaint"])
def test_start_permits_only_what_stop_has_suppressed(sms, reason):
    suppress("sms", PHONE, reason=reason)
    incoming("START")
    assert is_suppressed()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "date", ["2099-01-01T00:00:00Z", "yesterday", "", "2026-13-45 99:99", "2026-11-30 10:00:05", "0"]
)
def test_time_that_is_wrong_does_not_keep_later_wishes_out(sms, date):
    incoming("START", date=date)
    incoming("STOP", number=2, date=timezone.now().isoformat())
    assert is_suppressed()


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["wrong", "report-secret-012345678", "%00"])
def test_stop_without_the_secret_is_404_and_changes_nothing(sms, secret):
    assert incoming("STOP", secret=secret).status_code == 404
    assert not DeliveryReport.objects.exists()
    assert not Suppression.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "form",
    [
        {"from": ""},
        {"from": "DUKA"},
        {"from": "+254711000001\0"},
        {"from": "+2547110000011111111"},
        {"from": "'; DROP TABLE"},
        {"text": "Where is my order?"},
        {"text": "\0"},
        {"text": "x" * 100_000},
    ],
)
def test_hostile_message_is_accepted_and_changes_nothing(sms, form):
    assert incoming(**{"text": "STOP", **form}).status_code == 200
    assert not DeliveryReport.objects.exists()
    assert not Suppression.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "form", [{"id": ""}, {"id": "x" * 5000}, {"id": "a\0b"}, {"id": "\ud800", "linkId": "\ud800"}]
)
def test_stop_with_an_odd_id_is_honoured_once(sms, form):
    form = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    for _ in range(2):
        assert incoming("STOP", **form).status_code == 200
    assert is_suppressed()
    assert DeliveryReport.objects.count() == 1


@pytest.mark.django_db
def test_form_that_does_not_encode_the_plus_sign(sms):
    path = f"/notify/reports/sms/{SECRET}/"
    body = "from=+254711000001&text=STOP&id=9&to=20880&date=2026-11-30"
    assert Client().post(path, body, content_type="application/x-www-form-urlencoded").status_code == 200
    assert is_suppressed()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("application/json", b'{"from": "+254711000001", "text": "STOP"}'),
        ("application/x-www-form-urlencoded; charset=latin-1", b"from=%2B254711000001&text=STOP"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(2000))),
    ],
)
def test_body_that_is_no_form_is_refused(sms, content_type, body):
    path = f"/notify/reports/sms/{SECRET}/"
    client = Client(raise_request_exception=False)
    assert client.post(path, body, content_type=content_type).status_code in {400, 404}
    assert not Suppression.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("length", ["-1", "abc", "9" * 5000, "²"])
def test_length_that_is_no_number_is_refused(sms, length):
    assert Client().post("/notify/reports/sms/x/", {}, CONTENT_LENGTH=length).status_code == 413


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_stop_and_start_at_once_end_as_the_later_one(sms):
    """Neither transaction sees the other's row before both have ended."""
    for number in range(10):
        Suppression.objects.all().delete()
        DeliveryReport.objects.all().delete()
        barrier = threading.Barrier(2)

        def send(text, at, barrier=barrier):
            barrier.wait()
            incoming(text, number=at)
            connections.close_all()

        later = "STOP" if number % 2 else "START"
        earlier = "START" if number % 2 else "STOP"
        threads = [threading.Thread(target=send, args=args) for args in ((earlier, 1), (later, 2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert is_suppressed() == (later == "STOP")


@pytest.mark.django_db(transaction=True)
def test_process_that_dies_before_the_commit_has_recorded_nothing_and_the_repetition_counts(sms, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*arguments):
        raise Killed

    monkeypatch.setattr(wishes, "apply_latest_wish", killed)
    with pytest.raises(Killed):
        incoming("STOP")
    monkeypatch.undo()
    assert not DeliveryReport.objects.exists()
    incoming("STOP")
    assert is_suppressed()
