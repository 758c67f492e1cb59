import io
import json
import logging
import re
import smtplib

import django
import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings
from django_q.models import OrmQ, Task
from operations.logs import ErrorMail, JsonFormatter, Mask, mask, request_id
from shop_notify import delivery
from shop_notify.models import Attempt, Notification

CANARIES = {
    "email": "canary.person@example.org",
    "phone": "+254712999888",
    "password": "canary-Passw0rd-4711",
    "card": "4111 1111 1111 1111",
    "name": "Canaria",
}


@pytest.fixture
def written():
    """The output of a handler with our formatter and mask, of every logger at DEBUG."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(Mask())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to jane.doe+shop@mail.example.org now", "to <e-mail> now"),
        ("to jörg@bücher.example now", "to <e-mail> now"),
        ("to हिन्दी.भाषा@example.org now", "to <e-mail> now"),
        ("call +254 712 345 678", "call <phone>"),
        ("call 0712345678", "call <phone>"),
        ("Called +254712345678.", "Called <phone>."),
        ("Paid with 4242 4242 4242 4242.", "Paid with <number>."),
        (
            "This is not a phone number in E.164 form, such as +254711000001.",
            "This is not a phone number in E.164 form, such as +254711000001.",
        ),
        ("card 4111-1111-1111-1111 paid", "card <number> paid"),
        ("Authorization: Bearer abc.def-1", "Authorization: <secret> <secret>"),
        ("password=hunter2&next=/", "password=<secret>&next=/"),
        ('{"api_key": "atsk_1"}', '{"api_key": "<secret>"}'),
        ("postgres://shop:pw@db:5432/shop", "postgres://<secret>@db:5432/shop"),
        (
            "Bad Request: /payments/webhooks/mobile_money/my-secret-0/",
            "Bad Request: /payments/webhooks/mobile_money/<secret>/",
        ),
        ("/payments/webhooks/card/", "/payments/webhooks/card/"),
        ("/notify/reports/sms/report-secret/", "/notify/reports/sms/<secret>/"),
        ("/notify/reports/sms/" + "Ab3" * 12 + "/", "/notify/reports/sms/<secret>/"),
        ("took 1234567 ms at 2026-11-22 12:30:45,123", "took 1234567 ms at 2026-11-22 12:30:45,123"),
        ("shop_orders.jobs reconcile_payments_of_last_night", "shop_orders.jobs reconcile_payments_of_last_night"),
    ],
)
def test_personal_data_and_secrets_are_replaced(text, masked):
    assert mask(text) == masked


def test_a_line_is_one_json_object_with_the_request(written):
    token = request_id.set("request-0001")
    logging.getLogger("shop.test").warning("Two\nlines for %s", "a@example.org", extra={"fields": {"status": 200}})
    request_id.reset(token)
    (line,) = lines(written)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "shop.test",
        "message": "Two\nlines for <e-mail>",
        "request_id": "request-0001",
        "status": 200,
    }


def test_tracebacks_are_masked(written):
    try:
        raise ValueError("no such customer: a@example.org")
    except ValueError:
        logging.getLogger("shop.test").exception("Failed")
    (line,) = lines(written)
    assert "ValueError: no such customer: <e-mail>" in line["traceback"]


def test_a_request_carries_its_id_from_end_to_end(client, db, written):
    response = client.get("/healthz", headers={"X-Request-ID": "proxy-4711-abcd"})
    assert response["X-Request-ID"] == "proxy-4711-abcd"
    (line,) = [line for line in lines(written) if line["logger"] == "shop.request"]
    assert line.pop("duration_ms") >= 0
    assert (line["request_id"], line["method"], line["route"], line["status"]) == (
        "proxy-4711-abcd", "GET", "/healthz", 200,
    )  # fmt: skip


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "line\\nbreak-in-it", "ümläut-ümläut"])
def test_an_invalid_id_is_replaced(client, db, given):
    identity = client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert identity != given
    assert len(identity) == 32


def test_the_journey_of_a_customer_leaves_no_trace_in_the_logs(client, product, written):
    def post(address, body, **headers):
        return client.post(f"/api/v1{address}", body, content_type="application/json", headers=headers)

    account = {"email": CANARIES["email"], "password": CANARIES["password"]}
    name = {"first_name": CANARIES["name"], "last_name": "Person", "phone": CANARIES["phone"]}
    assert post("/auth/customers/register/", account | name).status_code < 500
    assert post("/auth/customers/login/", account).status_code < 500
    assert post("/auth/customers/login/", account | {"password": CANARIES["card"]}).status_code < 500
    added = post("/orders/cart/add_item/", {"product": product.sku, "quantity": 1})
    assert added.status_code == 200, added.content
    placed = post(
        "/orders/orders/",
        {
            "contact": {"name": CANARIES["name"], "email": CANARIES["email"], "phone": CANARIES["phone"]},
            "delivery": "home",
            "shipping_address": {
                "name": CANARIES["name"],
                "line1": "Moi Avenue 1",
                "city": "Nairobi",
                "country": "KE",
            },
            "note": CANARIES["card"],
        },
        **{"X-Cart-Token": added["X-Cart-Token"]},
    )
    assert placed.status_code == 201, placed.content
    client.get(f"/api/v1/orders/orders/{placed.json()['number']}/?token={CANARIES['password']}")
    log = written.getvalue()
    assert len(lines(written)) >= 6
    found = [canary for canary in (*CANARIES.values(), added["X-Cart-Token"]) if canary in log]
    assert found == []


@pytest.fixture
def crash(client, product, monkeypatch):
    """A function that places an order and ends with an error about the customer; it returns the cart's token."""

    def fail(*_args, **_kwargs):
        raise ValueError("no delivery to {email}, {phone}, {card}, password={password}".format(**CANARIES))

    def place():
        client.raise_request_exception = False
        line, contact = {"product": product.sku, "quantity": 1}, {k: CANARIES[k] for k in ("name", "email", "phone")}
        json_type = "application/json"
        added = client.post("/api/v1/orders/cart/add_item/", line, content_type=json_type)
        token = {"X-Cart-Token": added["X-Cart-Token"]}
        monkeypatch.setattr("shop_orders.checkout.place_order", fail)
        body = {"contact": contact, "note": CANARIES["card"]}
        response = client.post("/api/v1/orders/orders/", body, content_type=json_type, headers=token)
        assert response.status_code == 500
        return added["X-Cart-Token"]

    handler = next(h for h in logging.getLogger("django").handlers if isinstance(h, ErrorMail))
    handler._mailed.clear()
    return place


def test_a_mail_about_an_error_says_where_and_names_nobody(crash, mailoutbox):
    token = crash()
    (mail,) = mailoutbox
    assert mail.subject.endswith("ERROR: ValueError at /api/v1/orders/orders/")
    assert "in fail" in mail.body
    assert re.search(r"request [0-9a-f]{32}\n", mail.body)
    text = mail.subject + mail.body + str(mail.alternatives)
    assert [canary for canary in (*CANARIES.values(), token) if canary in text] == []


def test_the_same_error_is_mailed_once(crash, mailoutbox, caplog):
    crash()
    crash()
    assert len(mailoutbox) == 1
    assert len([record for record in caplog.records if record.name == "django.request"]) >= 2


def test_requests_for_other_hosts_are_logged_and_not_mailed(client, db, settings, mailoutbox, caplog):
    settings.ALLOWED_HOSTS = ["shop.example.org"]
    for host in ("one.example", "two.example"):
        assert client.get("/", headers={"host": host}).status_code == 400
    errors = [record.name for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["django.security.DisallowedHost"] * 2
    assert mailoutbox == []


def test_an_unavailable_mail_server_does_not_break_the_response(crash, monkeypatch, caplog):
    def away(*_args, **_kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.mail_admins", away)
    crash()
    assert "The e-mail about an error could not be sent: ConnectionRefusedError" in caplog.text


class Refusing(BaseEmailBackend):
    """A mail server that refuses and repeats its input in the response."""

    def send_messages(self, email_messages):
        (message,) = email_messages
        reply = f"550 no {message.to[0]}: {message.body} {CANARIES['phone']} password={CANARIES['password']}"
        raise smtplib.SMTPDataError(550, reply.encode())


@pytest.mark.django_db(transaction=True)
def test_tasks_and_errors_of_messages_name_nobody(place, settings, written):
    backend = f"{__name__}.Refusing"
    mail = {"MAILERS": {"default": {"BACKEND": backend}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": backend}
    gateway = {"username": "sandbox", "api_key": "canary-api-key-4711", "base_url": "http://127.0.0.1:1"}
    notifiers = {
        **settings.SHOP_NOTIFY["NOTIFIERS"],
        "sms": {"BACKEND": "africastalking", "OPTIONS": {**gateway, "report_secret": "canary-report-secret"}},
    }
    notify = {**settings.SHOP_NOTIFY, "NOTIFIERS": notifiers, "QUEUE": "shop_notify.queues.django_q2"}
    with override_settings(SHOP_NOTIFY=notify, Q_CLUSTER={}, **mail):
        place(email=CANARIES["email"], phone=CANARIES["phone"])
        tasks = [(row.key, row.payload, row.task) for row in OrmQ.objects.all()]
        delivery.wake_up()
    rows = Notification.objects.filter(address__in=[CANARIES["email"], CANARIES["phone"]])
    assert {row.channel for row in rows} == {"email", "sms"}
    tries = list(Attempt.objects.values_list("detail", "response"))
    assert len(tries) >= 2
    assert "550" in repr(tries)
    assert tasks
    kept = repr([tasks, tries, [row.last_error for row in rows], list(Task.objects.values())]) + written.getvalue()
    secrets = [CANARIES["email"], CANARIES["phone"], "canary-api-key-4711", "canary-report-secret"]
    assert [canary for canary in secrets if canary in kept] == []


def test_process_names_stay_and_secrets_behind_them_are_masked():
    token = "aB3" * 12
    assert mask("Process-1f9c2d33aa6f4b7c9f00aa11bb22cc33 ends") == "Process-1f9c2d33aa6f4b7c9f00aa11bb22cc33 ends"
    assert mask(f"Process-{token}") == "Process-<secret>"
    assert mask(f"x {token}-{token}.") == "x <secret>."
    assert mask(f"{'a' * 8000}@example.org") == "<e-mail>"
