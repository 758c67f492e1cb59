import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.test import Client
from shop_orders.models import Cart, CartItem
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

ADD = "/api/orders/cart/add_item/"
SET = "/api/orders/cart/update_quantity/"
REMOVE = "/api/orders/cart/remove_item/"


@pytest.fixture
def api(user, book):
    return Client(headers={"Authorization": f"Bearer user-{user.pk}"})


def add(client, product="978-1", quantity=1, **options):
    return client.post(ADD, {"product": product, "quantity": quantity}, "application/json", **options)


def test_cart_shows_lines_charges_and_totals(api, shop_settings):
    shop_settings(
        PRICING=[
            {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "3"}},
            {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}},
        ]
    )
    assert add(api, quantity=2).json() == {
        "currency": "KES",
        "item_count": 2,
        "lines": [
            {
                "line": "12a87882c3fbd2297f612271",
                "product": "978-1",
                "sku": "978-1",
                "name": "Trees of Kenya",
                "options": {},
                "quantity": 2,
                "unit_price": "12.50",
                "price_when_added": "12.50",
                "line_total": "25.00",
                "available": 10,
                "url": "/books/978-1/",
                "image": "",
                "changes": [],
                "problem": "",
                "discount": "0.00",
                "tax_rate": "0.16",
                "net": "25.00",
                "tax": "4.00",
            }
        ],
        "charges": [
            {
                "kind": "shipping",
                "label": "Shipping",
                "amount": "3.00",
                "is_included": False,
                "discount": "0.00",
                "tax_rate": "0.16",
                "net": "3.00",
                "tax": "0.48",
            },
            {
                "kind": "tax",
                "label": "Tax",
                "amount": "4.48",
                "is_included": False,
                "discount": "0.00",
                "tax_rate": "0.16",
                "net": None,
                "tax": None,
            },
        ],
        "tax_lines": [{"label": "Tax", "rate": "0.16", "base": "28.00", "amount": "4.48", "is_included": False}],
        "subtotal": "25.00",
        "net_total": "28.00",
        "tax_total": "4.48",
        "total": "32.48",
        "needs_delivery": True,
        "can_be_ordered": True,
        "problem": "",
        "problems": [],
    }


def test_items_are_updated_removed_and_cleared(api, other_book):
    add(api, quantity=2)
    add(api, "978-2")
    assert api.patch(SET, {"product": "978-1", "quantity": 5}, "application/json").json()["item_count"] == 6
    assert api.patch(SET, {"product": "978-1", "quantity": 0}, "application/json").json()["item_count"] == 1
    assert api.delete(f"{REMOVE}?product=978-2").json()["lines"] == []
    add(api)
    assert api.delete(REMOVE, {"product": "978-1"}, "application/json").json()["lines"] == []
    add(api)
    assert api.delete("/api/orders/cart/clear/").json()["lines"] == []


def test_guest_cart_is_found_by_the_token_of_the_first_write(client, book):
    token = add(client).headers["X-Cart-Token"]
    again = add(client, headers={"X-Cart-Token": token})
    assert again.json()["item_count"] == 2
    assert "X-Cart-Token" not in again.headers
    assert client.get("/api/orders/cart/").json()["item_count"] == 0


def test_refused_first_write_opens_no_cart(client, book):
    assert add(client, "no-such-book").status_code == 422
    assert add(client, quantity=11).status_code == 409
    assert Cart.objects.count() == 0


def test_unknown_token_is_refused(client, book):
    assert add(client, headers={"X-Cart-Token": "guess"}).json()["code"] == "cart_not_found"
    assert client.get("/api/orders/cart/", headers={"X-Cart-Token": "guess"}).status_code == 404


def test_customer_with_a_guest_token_uses_their_own_cart_until_the_merge(api, client, book):
    token = add(client, quantity=3).headers["X-Cart-Token"]
    add(api, headers={"X-Cart-Token": token})
    assert api.get("/api/orders/cart/", headers={"X-Cart-Token": token}).json()["item_count"] == 1
    merged = api.post("/api/orders/cart/merge/", headers={"X-Cart-Token": token})
    assert merged.status_code == 200
    assert merged.json()["cart"]["item_count"] == 4
    assert merged.json()["changes"] == [
        {
            "line": "12a87882c3fbd2297f612271",
            "product": "978-1",
            "name": "Trees of Kenya",
            "options": {},
            "code": "quantity_changed",
            "quantity": 4,
            "was": 1,
        }
    ]
    assert api.post("/api/orders/cart/merge/", headers={"X-Cart-Token": token}).status_code == 404
    assert client.get("/api/orders/cart/", headers={"X-Cart-Token": token}).status_code == 404


def test_shortage_problem_reports_the_available_quantity(api):
    response = add(api, quantity=11)
    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["code"], problem["shortages"]) == ("insufficient_stock", [{"product": "978-1", "available": 10}])
    assert (problem["type"], problem["status"]) == ("about:blank", 409)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"product": "978-1", "quantity": 0}, 422),
        ({"product": "978-1", "quantity": -1}, 422),
        ({"product": "978-1", "quantity": 1.5}, 422),
        ({"product": "978-1", "quantity": 1.0}, 422),
        ({"product": "978-1", "quantity": "1"}, 422),
        ({"product": "978-1", "quantity": True}, 422),
        ({"product": "978-1", "quantity": None}, 422),
        ({"product": "978-1", "quantity": 1000}, 422),
        ({"product": "978-1", "quantity": 2**31}, 422),
        ({"product": "978-1", "quantity": 2**63}, 422),
        ({"product": "978-1", "quantity": 10**400}, 422),
        ({"product": "", "quantity": 1}, 422),
        ({"product": "x" * 201, "quantity": 1}, 422),
        ({"product": 5, "quantity": 1}, 422),
        ({"product": ["978-1"], "quantity": 1}, 422),
        ({"product": "978-1\0", "quantity": 1}, 422),
        ({"product": "no-such-book", "quantity": 1}, 422),
        ({"quantity": 1}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_invalid_items_are_refused_and_nothing_is_added(api, body, status):
    response = api.post(ADD, body, "application/json")
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert CartItem.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 422),
        (b"\xff\xfe{\x00}\x00", "application/json", 400),
        (b'{"product": "\\ud800", "quantity": 1}', "application/json", 422),
        (b'{"product": "978-1", "quantity": NaN}', "application/json", 400),
        (b'{"product": "978-1", "quantity": 1e400}', "application/json", 422),
        (b'{"product": "978-1", "product": "978-1", "quantity": 1}', "application/json", 400),
        (b'{"product": ' + b"[" * 100 + b"]" * 100 + b"}", "application/json", 422),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400),
        (b'{"product": "978-1", "quantity": 1}', "text/plain", 415),
        (b"product=978-1", "application/x-www-form-urlencoded", 415),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 415),
        (b"--x--", "multipart/form-data", 415),
        (b'"' + b"x" * 300_000 + b'"', "application/json", 413),
        (b"x" * 3_000_000, "application/json", 413),
    ],
)
def test_unreadable_bodies_get_a_4xx(api, body, content_type, status):
    response = api.generic("POST", ADD, body, content_type)
    assert response.status_code == status, response.content[:300]
    assert response["Content-Type"] == "application/problem+json"
    assert CartItem.objects.count() == 0


@pytest.mark.parametrize("path", [ADD, "/pay/webhooks/bank/"])
def test_large_body_without_a_length_gets_413(db, path, memory_provider):
    """An ASGI server passes on a chunked request body in parts, without a length."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"testserver")],
    }
    parts = iter([b'{"product": "', *[b"x" * 100_000] * 3, b'"}'])
    sent = []

    async def receive():
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": part != b'"}'}

    async def send(message):
        sent.append(message)

    async def call():
        application = ASGIHandler()
        application.load_middleware(is_async=True)
        with await application.read_body(receive) as body:
            request, _error = application.create_request(scope, body)
            await application.send_response(await application.get_response_async(request), send)

    async_to_sync(call)()
    assert sent[0]["status"] == 413


@pytest.mark.parametrize(
    "field",
    [
        "id",
        "pk",
        "price",
        "unit_price",
        "total",
        "discount",
        "currency",
        "customer",
        "user",
        "tax",
        "cart",
        "is_staff",
    ],
)
def test_unknown_fields_are_refused(api, field):
    for method, path in (("post", ADD), ("patch", SET)):
        response = getattr(api, method)(path, {"product": "978-1", "quantity": 1, field: 1}, "application/json")
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == field
    assert CartItem.objects.count() == 0


@pytest.mark.parametrize("query", ["product=%00", "product=" + "x" * 300, "product="])
def test_invalid_query_strings_get_a_4xx(api, query):
    add(api)
    assert 400 <= api.delete(f"{REMOVE}?{query}").status_code < 500
    assert CartItem.objects.count() == 1


def test_cart_query_count_does_not_depend_on_the_lines(api, customer, django_assert_num_queries):
    for number in range(30):
        Book.objects.create(isbn=f"isbn-{number}", title="A book", sale_price=1, on_hand=5)
    add(api)
    with django_assert_num_queries(5):
        api.get("/api/orders/cart/")
    for number in range(30):
        add(api, f"isbn-{number}")
    with django_assert_num_queries(5):
        assert api.get("/api/orders/cart/").json()["item_count"] == 31
