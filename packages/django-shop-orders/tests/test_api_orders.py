import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from shop_orders import carts, customers, guest_links, lifecycle, payments
from shop_orders.models import IdempotencyKey, Order, Payment, Refund
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

ORDERS = "/api/orders/orders/"


def login(user):
    return Client(headers={"Authorization": f"Bearer user-{user.pk}"})


@pytest.fixture
def api(user, book):
    return login(user)


@pytest.fixture
def with_cart(api):
    api.post("/api/orders/cart/add_item/", {"product": "978-1", "quantity": 2}, "application/json")
    return api


def place_order(client, body=None, **headers):
    return client.post(ORDERS, body or {}, "application/json", headers=headers)


def test_response_never_shows_a_database_key(with_cart):
    response = place_order(with_cart).json()
    keys = set(response) | set(response["lines"][0]) | set(response["contact"])
    assert not {"id", "pk", "customer", "customer_id", "cart", "user"} & keys


def test_changed_total_is_refused_with_the_current_cart(with_cart):
    response = place_order(with_cart, {"expected_total": "24.00"})
    assert response.status_code == 409
    problem = response.json()
    assert (problem["code"], problem["total"], problem["expected_total"]) == ("total_changed", "25.00", "24.00")
    assert problem["cart"]["total"] == "25.00"
    assert Order.objects.count() == 0


def test_empty_cart_is_refused(api, client):
    assert place_order(api).json()["code"] == "cart_empty"
    assert place_order(client).json()["code"] == "cart_empty"


def test_same_key_replays_the_response(with_cart):
    first = place_order(with_cart, {"note": "Ring"}, **{"Idempotency-Key": "k-1"})
    second = place_order(with_cart, {"note": "Ring"}, **{"Idempotency-Key": "k-1"})
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert ("Idempotency-Replayed" in first.headers, second.headers["Idempotency-Replayed"]) == (False, "true")
    assert Order.objects.count() == 1


def test_key_with_another_body_is_refused(with_cart):
    place_order(with_cart, {"note": "Ring"}, **{"Idempotency-Key": "k-1"})
    other = place_order(with_cart, {"note": "Knock"}, **{"Idempotency-Key": "k-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_key_of_another_customer_is_independent(with_cart, other_user):
    other = login(other_user)
    other.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    first = place_order(with_cart, **{"Idempotency-Key": "k-1"}).json()
    second = place_order(other, **{"Idempotency-Key": "k-1"}).json()
    assert first["number"] != second["number"]


def test_refused_request_stores_no_idempotency_key(with_cart):
    Book.objects.update(on_hand=1)
    assert place_order(with_cart, **{"Idempotency-Key": "k-1"}).status_code == 409
    assert IdempotencyKey.objects.count() == 0
    Book.objects.update(on_hand=2)
    assert place_order(with_cart, **{"Idempotency-Key": "k-1"}).status_code == 201


def test_list_is_paginated_newest_first(api, place, django_assert_num_queries):
    numbers = [place(quantity=1).number for _order in range(5)][::-1]
    first = api.get(ORDERS, {"limit": 2}).json()
    assert [item["number"] for item in first["items"]] == numbers[:2]
    second = api.get(ORDERS, {"limit": 2, "after": first["next"]}).json()
    third = api.get(ORDERS, {"limit": 2, "after": second["next"]}).json()
    assert [item["number"] for item in second["items"] + third["items"]] == numbers[2:]
    assert third["next"] is None
    with django_assert_num_queries(3):
        api.get(ORDERS)


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"limit": 2**63}, {"after": "\0"}, {"after": "x" * 300}]
)
def test_invalid_pagination_is_refused(api, query):
    assert api.get(ORDERS, query).status_code == 422


def test_page_after_another_customers_order_is_not_found(api, place, other_user):
    other_order = place(of=customers.for_user(other_user))
    assert api.get(ORDERS, {"after": other_order.number}).status_code == 404


def test_cancel_with_an_idempotency_key_releases_stock_once(api, place):
    order = place(quantity=3)
    for _time in range(2):
        response = api.post(
            f"{ORDERS}{order.number}/cancel/",
            {"reason": "Too late"},
            "application/json",
            headers={"Idempotency-Key": "c-1"},
        )
        assert (response.status_code, response.json()["cancel_reason"]) == (200, "Too late")
    assert Book.objects.get().on_hand == 10


def test_shipped_order_cannot_be_cancelled(api, place):
    order = place()
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    response = api.post(f"{ORDERS}{order.number}/cancel/", {}, "application/json")
    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")


def test_tracking_shows_public_events_parcels_and_messages(api, place, shop_settings, user):
    shop_settings(DELIVERIES="testproject.hooks.deliveries")
    order = place()
    lifecycle.add_note(order.pk, text="Looks odd", by=user)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk, carrier="Test Carrier", tracking_number="T1", tracking_url="https://track.example.org/T1")
    tracking = api.get(f"{ORDERS}{order.number}/tracking/").json()
    assert [event["new_status"] for event in tracking["events"]] == [
        "pending",
        "confirmed",
        "processing",
        "shipped",
        "shipped",
    ]
    assert "Looks odd" not in str(tracking)
    (parcel,) = tracking["shipments"]
    assert (parcel["carrier"], parcel["tracking_url"]) == ("Test Carrier", "https://track.example.org/T1")
    assert parcel["lines"] == [
        {"line": "#1", "product": "978-1", "name": "Trees of Kenya", "options": {}, "quantity": 2}
    ]
    assert tracking["deliveries"] == [{"channel": "email", "status": "sent", "order": order.number}]


def test_guest_link_reads_cancels_and_pays(client, guest_order, memory_provider):
    order = guest_order(provider="memory")
    token = guest_links.token_for(order.number)
    path = f"{ORDERS}{order.number}/"
    assert client.get(path, {"token": token}).status_code == 200
    assert client.get(f"{path}tracking/", {"token": token}).status_code == 200
    paid = client.post(f"{path}payments/", {}, "application/json", headers={"X-Order-Token": token})
    assert (paid.status_code, paid.json()["status"]) == (201, "pending")
    listed = client.get(f"{path}payments/", {"token": token}).json()
    assert [payment["id"] for payment in listed] == [paid.json()["id"]]
    cancelled = client.post(f"{path}cancel/", {}, "application/json", headers={"X-Order-Token": token})
    assert cancelled.json()["status"] == "cancelled"


def test_guest_link_opens_one_order_only_and_expires(client, guest_order, shop_settings):
    order, other = guest_order(), guest_order(email="another@example.org")
    token = guest_links.token_for(order.number)
    assert client.get(f"{ORDERS}{other.number}/", {"token": token}).status_code == 404
    assert client.get(f"{ORDERS}{order.number}/", {"token": token[:-1] + "x"}).status_code == 404
    shop_settings(GUEST_LINK_MAX_AGE=timedelta(0))
    assert client.get(f"{ORDERS}{order.number}/", {"token": token}).status_code == 404


def test_guest_link_stops_working_once_an_account_owns_the_order(client, guest_order, customer):
    order = guest_order()
    token = guest_links.token_for(order.number)
    Order.objects.update(customer=customer)
    assert client.get(f"{ORDERS}{order.number}/", {"token": token}).status_code == 404


def test_missing_order_and_another_customers_order_get_the_same_response(api, client, guest_order):
    other_order = guest_order()
    bodies = [
        caller.get(f"{ORDERS}{number}/").content
        for caller in (api, client)
        for number in (other_order.number, "ZZZZZ-ZZZZZ", "%00", "x" * 300)
    ]
    assert len(set(bodies)) == 1


def test_starting_a_payment_is_idempotent(api, place, memory_provider):
    order = place(provider="memory")
    path = f"{ORDERS}{order.number}/payments/"
    responses = [
        api.post(path, {"phone": "0712345678"}, "application/json", headers={"Idempotency-Key": "p-1"})
        for _time in range(2)
    ]
    assert [response.status_code for response in responses] == [201, 201]
    assert responses[0].json() == responses[1].json()
    assert Payment.objects.count() == 1
    assert memory_provider.calls == ["start"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"is_down": True}, 503, "payment_provider_unavailable"),
        ({"decline": True}, 409, "payment_declined"),
    ],
)
def test_provider_error_is_a_problem_document(api, place, memory_provider, change, status, code):
    order = place(provider="memory")
    for name, value in change.items():
        setattr(memory_provider, name, value)
    response = api.post(f"{ORDERS}{order.number}/payments/", {}, "application/json")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert ("Retry-After" in response.headers) == (status == 503)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://evil.example.org/", ""),
        ("//evil.example.org/", ""),
        ("javascript:alert(1)", ""),
        ("https://testserver.evil.example.org/", ""),
        ("/thanks/", "/thanks/"),
        ("http://testserver/thanks/", "http://testserver/thanks/"),
    ],
)
def test_return_url_of_another_host_never_reaches_the_provider(api, place, memory_provider, given, sent):
    order = place(provider="memory")
    response = api.post(f"{ORDERS}{order.number}/payments/", {"return_url": given}, "application/json")
    assert response.status_code == 201
    assert [request.return_url for request in memory_provider.requests] == [sent]


def test_pending_order_cannot_change_to_pay_on_delivery(api, place, memory_provider):
    order = place(provider="bank")
    body = {"payment_provider": "on_delivery"}
    response = api.post(f"{ORDERS}{order.number}/payments/", body, "application/json")
    assert (response.status_code, response.json()["code"]) == (409, "cannot_change_provider")
    order.refresh_from_db()
    assert (order.payment_provider, order.payments.count()) == ("bank", 0)


UNDECLARED_FIELDS = [
    "id",
    "pk",
    "number",
    "customer",
    "customer_id",
    "user",
    "user_id",
    "is_staff",
    "is_superuser",
    "is_active",
    "groups",
    "permissions",
    "email_verified",
    "password",
    "price",
    "unit_price",
    "total",
    "total_amount",
    "subtotal",
    "tax",
    "discount",
    "currency",
    "status",
    "paid",
    "paid_at",
    "payment_status",
    "payment_reference",
    "stock",
    "stock_quantity",
    "reserved",
    "created_at",
    "updated_at",
    "tracking_number",
    "carrier",
    "attempts",
    "provider_id",
]


@pytest.mark.parametrize("field", UNDECLARED_FIELDS)
def test_undeclared_fields_are_refused(with_cart, field):
    response = place_order(with_cart, {field: "1"})
    assert response.status_code == 422
    nested = place_order(
        with_cart, {"contact": {field: "1"}, "shipping_address": {"line1": "1", "city": "N", "country": "KE"}}
    )
    assert nested.status_code == 422
    order = place_order(with_cart).json()
    for path in ("cancel", "payments"):
        assert (
            with_cart.post(f"{ORDERS}{order['number']}/{path}/", {field: "1"}, "application/json").status_code == 422
        )
    assert (Order.objects.get().status, Order.objects.get().total) == ("confirmed", 25)


@pytest.mark.parametrize(
    "body",
    [
        {"expected_total": 25},
        {"expected_total": "1e3"},
        {"expected_total": "-25"},
        {"expected_total": "25.00001"},
        {"expected_total": "NaN"},
        {"contact": {"email": "no"}},
        {"contact": {"email": "a@example.org\r\nBcc: b@example.org"}},
        {"contact": {"phone": "12"}},
        {"contact": {"name": "x" * 201}},
        {"contact": None},
        {"shipping_address": {"line1": "1 Test Road"}},
        {"shipping_address": {"line1": "1", "city": "Nairobi", "country": "KEN"}},
        {"payment_provider": "gold"},
        {"note": "x" * 2001},
        {"delivery": 5},
    ],
)
def test_invalid_orders_are_refused_and_nothing_changes(with_cart, body):
    response = place_order(with_cart, body)
    assert response.status_code == 422, response.content
    assert response.json()["detail"]
    assert (Order.objects.count(), Book.objects.get().on_hand) == (0, 10)


def test_expired_order_cannot_be_paid(api, place, memory_provider):
    order = place(provider="memory")
    Order.objects.update(expires_at=timezone.now())
    payments.expire_due()
    response = api.post(f"{ORDERS}{order.number}/payments/", {}, "application/json")
    assert (response.status_code, response.json()["code"]) == (409, "not_payable")
    assert Refund.objects.count() == 0


def test_guests_ordered_cart_returns_its_order_and_then_a_new_cart(client, book):
    added = client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    token = {"X-Cart-Token": added.headers["X-Cart-Token"]}
    body = {"contact": {"email": "guest@example.org"}}
    numbers = {place_order(client, body, **token).json()["number"] for _time in range(3)}
    assert len(numbers) == 1
    assert client.get("/api/orders/cart/", headers=token).json()["lines"] == []
    again = client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json", headers=token)
    assert again.headers["X-Cart-Token"] != token["X-Cart-Token"]
    assert carts.find(token=again.headers["X-Cart-Token"]).items.count() == 1


def test_responses_are_json_with_money_as_text(with_cart):
    response = json.loads(place_order(with_cart).content)
    assert [type(response[name]) for name in ("total", "subtotal", "amount_due")] == [str, str, str]
