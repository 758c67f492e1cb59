"""The ``messages`` webhook, as a function and by its URL."""

import json

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.dispatch import Signal
from django.test import RequestFactory
from django.utils import timezone
from meta import NUMBER_ID, VERIFY_TOKEN, WAMID, signature, status, webhook
from shop_notify.exceptions import ReportRefused
from shop_notify.models import DeliveryReport, Notification
from shop_notify_whatsapp import WhatsAppCloudNotifier

placed = Signal()
RE_ENGAGEMENT = {
    "code": 131047,
    "title": "Re-engagement message",
    "message": "Re-engagement message",
    "error_data": {"details": "Message failed to send because more than 24 hours have passed"},
    "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
}
CHALLENGE = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}


def signed(data):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    headers = {"X-Hub-Signature-256": signature(body)}
    return RequestFactory().post("/", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("name", "state"), [("sent", "sent"), ("delivered", "delivered"), ("read", "read"), ("played", "read")]
)
def test_each_status_becomes_its_state(notifier, name, state):
    (report,) = notifier.read_report(signed(webhook(status(name))))
    assert (report.provider_id, report.status, report.state, report.detail) == (WAMID, name, state, "")


def test_failed_message_has_metas_code_and_description(notifier):
    (report,) = notifier.read_report(signed(webhook(status("failed", WAMID, RE_ENGAGEMENT))))
    assert (report.state, report.status) == ("failed", "failed 131047")
    assert report.detail == (
        "131047 Re-engagement message: Message failed to send because more than 24 hours have passed"
    )


def test_several_statuses_entries_and_escaped_letters_are_all_read(notifier):
    data = webhook(status("sent", "wamid.1"), status("delivered", "wamid.2"))
    data["entry"] += webhook({**status("read", "wamid.3"), "note": "ä"})["entry"]
    for body in (json.dumps(data).encode(), json.dumps(data, ensure_ascii=False, indent=1).encode()):
        read = [(report.provider_id, report.state) for report in notifier.read_report(signed(body))]
        assert read == [("wamid.1", "sent"), ("wamid.2", "delivered"), ("wamid.3", "read")]


@pytest.mark.parametrize(
    "data",
    [
        webhook(status("delivered"), number_id="1"),
        webhook(),
        webhook({**status("delivered"), "status": "deleted"}, {**status("delivered"), "status": ["sent"]}),
        webhook({**status("delivered"), "id": ""}, {**status("delivered"), "id": "wamid.\x00"}),
        webhook({**status("delivered"), "id": None}, {"status": "sent"}, "sent", None),
        {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "account_update", "value": {}}]}]},
        {"entry": [{"changes": [{"value": None}, 7]}, 7]},
        {"entry": {}},
        [],
        7,
        b"",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_signed_request_without_a_report_of_this_number_has_none(notifier, data):
    assert list(notifier.read_report(signed(data))) == []


def test_message_of_a_customer_has_no_report(notifier):
    data = webhook()
    value = data["entry"][0]["changes"][0]["value"]
    value["messages"] = [{"from": "254711000001", "id": "wamid.7", "type": "text", "text": {"body": "STOP"}}]
    assert list(notifier.read_report(signed(data))) == []


def test_failed_message_without_its_errors_has_failed(notifier):
    for errors in ([], None, ["131047"], {}):
        (report,) = notifier.read_report(signed(webhook({**status("failed"), "errors": errors})))
        assert (report.state, report.status, report.detail) == ("failed", "failed", "")


@pytest.mark.parametrize("given", ["", "sha256=", "sha1=0", "ü"])
def test_wrong_signature_is_refused_before_the_body_is_read(notifier, given):
    headers = {"X-Hub-Signature-256": given}
    request = RequestFactory().post("/", b"{", content_type="application/json", headers=headers)
    with pytest.raises(ReportRefused):
        notifier.read_report(request)


@pytest.mark.parametrize(
    "changes",
    [
        {"hub.verify_token": "guessed"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "ü"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
    ],
)
def test_challenge_without_the_verify_token_is_not_returned(notifier, changes):
    assert notifier.answer_challenge(RequestFactory().get("/", {**CHALLENGE, **changes})) is None


def test_challenge_is_not_returned_to_a_post(notifier):
    request = RequestFactory().post("/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=" + VERIFY_TOKEN)
    assert notifier.answer_challenge(request) is None


def test_url_returns_the_challenge_as_plain_text_and_refuses_others(client):
    response = client.get("/notify/reports/whatsapp/", {**CHALLENGE, "hub.challenge": "<b>1</b>"})
    assert (response.status_code, response.content) == (200, b"<b>1</b>")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/notify/reports/whatsapp/", {**CHALLENGE, "hub.verify_token": "no"}).status_code == 404


def test_largest_call_of_meta_is_read_and_a_larger_one_is_not(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 3 * 1024 * 1024

    def post(size):
        body = json.dumps({"padding": ""}).encode().ljust(size)
        headers = {"X-Hub-Signature-256": signature(body)}
        url = "/notify/reports/whatsapp/"
        return client.post(url, body, content_type="application/json", headers=headers).status_code

    assert (post(3 * 1024 * 1024), post(3 * 1024 * 1024 + 1)) == (200, 413)


def test_order_is_sent_and_reported_as_read_through_the_outbox(client, db, meta, options, settings):
    notifiers = {"whatsapp": {"BACKEND": "whatsapp_cloud", "OPTIONS": {**options, "free_text": True}}}
    route = {"signal": "tests.test_webhook.placed", "event": "order_placed", "to": ["customer"], "via": ["whatsapp"]}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers, "ROUTES": [route]}
    customer = {"key": "customer:7", "phone": "+254711000001", "language": "en"}
    payload = {"order": {"number": "K7Q", "currency": "KES", "total": "10.00"}, "recipients": {"customer": customer}}
    placed.send_robust(sender=None, event_id="1", payload=payload)
    call_command("deliver_notifications")
    assert [request["to"] for request in meta.requests] == ["254711000001"]
    row = Notification.objects.get()
    assert (row.state, row.provider_id) == ("sent", f"{WAMID}1")

    def report(*statuses, secret="app-secret-that-stays-secret"):
        body = json.dumps(webhook(*statuses)).encode()
        headers = {"X-Hub-Signature-256": signature(body, secret)}
        url = "/notify/reports/whatsapp/"
        return client.post(url, body, content_type="application/json", headers=headers).status_code

    assert report(status("read", f"{WAMID}1"), secret="guessed") == 404
    row.refresh_from_db()
    assert row.state == "sent"
    assert report(status("read", f"{WAMID}1"), status("delivered", f"{WAMID}1")) < 300
    assert report(status("failed", f"{WAMID}1", RE_ENGAGEMENT)) < 300
    row.refresh_from_db()
    assert row.state == "read"


@pytest.fixture
def route(settings, options):
    notifiers = {"whatsapp": {"BACKEND": "whatsapp_cloud", "OPTIONS": options}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers}


def queue(number=1):
    order = {"number": "K7Q", "currency": "KES", "total": "10.00"}
    values = {"event": "order_placed", "alias": "whatsapp", "channel": "whatsapp", "address": "+254711000001"}
    return Notification.objects.create(event_id=str(number), context={"order": order}, **values)


def call(client, body, signed=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Hub-Signature-256": signature(body if signed is None else signed)}
    url = "/notify/reports/whatsapp/"
    return client.post(url, body, content_type="application/json", headers=headers).status_code


def state_of(row):
    row.refresh_from_db()
    return row.state


@pytest.mark.django_db(transaction=True)
def test_reports_that_arrive_before_the_response_are_applied(client, meta, route, monkeypatch):
    row = queue()
    accept = meta.server.RequestHandlerClass.accept

    def report_first(handler, body):
        early.append(webhook(status("sent", f"{WAMID}1"), status("delivered", f"{WAMID}1")))
        return accept(handler, body)

    early = []
    monkeypatch.setattr(meta.server.RequestHandlerClass, "accept", report_first)
    send = WhatsAppCloudNotifier.send

    def send_and_report(self, message):
        receipt = send(self, message)
        assert [call(client, body) for body in early] == [200]
        assert state_of(row) == "sending"
        return receipt

    monkeypatch.setattr(WhatsAppCloudNotifier, "send", send_and_report)
    call_command("deliver_notifications")
    assert state_of(row) == "delivered"
    assert len(meta.requests) == 1


@pytest.mark.django_db
def test_replayed_and_late_reports_change_nothing(client, meta, route):
    row = queue()
    call_command("deliver_notifications")
    read = webhook(status("read", f"{WAMID}1"))
    assert [call(client, read) for _ in range(3)] == [200] * 3
    late = webhook(status("delivered", f"{WAMID}1"), status("failed", f"{WAMID}1", RE_ENGAGEMENT))
    assert call(client, late) == 200
    assert state_of(row) == "read"
    assert DeliveryReport.objects.count() == 3


@pytest.mark.django_db
def test_reports_of_unknown_messages_are_kept_and_change_no_message(client, meta, route):
    row = queue()
    call_command("deliver_notifications")
    assert (
        call(client, webhook(status("failed", "wamid.unknown", RE_ENGAGEMENT), status("read", "wamid.other"))) == 200
    )
    assert state_of(row) == "sent"
    assert DeliveryReport.objects.filter(notification=None).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changed",
    [lambda body: body + b" ", lambda body: body.replace(b'": ', b'":'), lambda body: body[:-1], lambda body: b""],
)
def test_signature_of_other_bytes_is_refused(client, meta, route, changed):
    row = queue()
    call_command("deliver_notifications")
    body = json.dumps(webhook(status("read", f"{WAMID}1"))).encode()
    assert call(client, changed(body), signed=body) == 404
    assert state_of(row) == "sent"
    assert not DeliveryReport.objects.exists()
    assert call(client, body) == 200
    assert state_of(row) == "read"


@pytest.mark.django_db(transaction=True)
def test_message_is_sent_again_only_if_its_worker_died_after_the_response(client, meta, route, monkeypatch):
    row = queue()
    send = WhatsAppCloudNotifier.send

    def send_and_die(self, message):
        send(self, message)
        raise KeyboardInterrupt

    monkeypatch.setattr(WhatsAppCloudNotifier, "send", send_and_die)
    with pytest.raises(KeyboardInterrupt):
        call_command("deliver_notifications")
    monkeypatch.setattr(WhatsAppCloudNotifier, "send", send)
    assert state_of(row) == "sending"
    call_command("deliver_notifications")  # its lease has not ended
    assert len(meta.requests) == 1
    Notification.objects.update(due_at=timezone.now())
    call_command("deliver_notifications")
    assert (state_of(row), len(meta.requests)) == ("sent", 2)
    # A receipt of the first one is about no message that is known.
    assert call(client, webhook(status("failed", f"{WAMID}1", RE_ENGAGEMENT))) == 200
    assert state_of(row) == "sent"


def test_check_finds_nothing_wrong_with_the_test_project(db):
    assert [problem.id for problem in run_checks() if problem.id.startswith("shop_notify.E")] == []
    assert [problem for problem in run_checks() if "whatsapp" in str(problem.msg)] == []
    assert NUMBER_ID not in str(run_checks())
