import io
import json
import logging

import pytest
from operations.logs import JsonFormatter, Mask, mask, request_id

CANARIES = {
    "email": "canary.person@example.org",
    "phone": "+254712999888",
    "password": "canary-Passw0rd-4711",
    "card": "4111 1111 1111 1111",
    "name": "Canaria",
}


@pytest.fixture
def written():
    """What a handler with our formatter and mask writes, from every logger at DEBUG."""
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
        ("call +254 712 345 678", "call <phone>"),
        ("call 0712345678", "call <phone>"),
        ("card 4111-1111-1111-1111 paid", "card <number> paid"),
        ("Authorization: Bearer abc.def-1", "Authorization: <secret> <secret>"),
        ("password=hunter2&next=/", "password=<secret>&next=/"),
        ('{"api_key": "atsk_1"}', '{"api_key": "<secret>"}'),
        ("postgres://shop:pw@db:5432/shop", "postgres://<secret>@db:5432/shop"),
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
    answer = client.get("/healthz", headers={"X-Request-ID": "proxy-4711-abcd"})
    assert answer["X-Request-ID"] == "proxy-4711-abcd"
    (line,) = [line for line in lines(written) if line["logger"] == "shop.request"]
    assert line.pop("duration_ms") >= 0
    assert (line["request_id"], line["method"], line["route"], line["status"]) == (
        "proxy-4711-abcd", "GET", "/healthz", 200,
    )  # fmt: skip


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "line\\nbreak-in-it", "ümläut-ümläut"])
def test_an_id_that_is_none_is_replaced(client, db, given):
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
