"""Invalid input to every operation that accepts any: an exact 4xx, nothing stored, and every list still responds.

The values are those for which an unprotected API responds with 500, or which it stores and cannot read again:
decimals out of range, NUL, lone surrogates, years that no time zone can show, integers beyond 64 bits. Bodies of
products are in ``test_api.py``.
"""

import io
import json
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from conftest import API
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.asgi import ASGIHandler
from django.test import Client
from PIL import Image
from shop_catalog import categories, inventory, products, reviews
from shop_catalog.models import Category, Product, ProductImage, Review, StockMovement

pytestmark = pytest.mark.django_db
STOCK = "/products/apple/stock/"
DEEP = json.loads("[" * 60 + "]" * 60)


@pytest.fixture
def shop(make_user):
    food = categories.create("Food")
    apple = products.create("A", name="Apple", price=Decimal(1), categories=[food])
    inventory.receive({"A": 5})
    reviews.submit(apple, user=make_user("author"), rating=4)
    return apple


def stored():
    return {
        "products": list(Product.objects.order_by("pk").values()),
        "categories": list(Category.objects.order_by("pk").values()),
        "movements": list(StockMovement.objects.order_by("pk").values()),
        "reviews": list(Review.objects.order_by("pk").values()),
        "images": list(ProductImage.objects.order_by("pk").values()),
    }


LISTS = [
    "/products/",
    "/products/?facets=true&count=true",
    "/products/?q=apple",
    "/products/featured/",
    "/products/apple/",
    "/products/apple/images/",
    "/products/apple/stock/",
    "/categories/",
    "/categories/tree/",
    "/categories/food/",
    "/categories/food/average_price/",
    "/reviews/",
]


def assert_every_list_responds(api):
    assert {path: api.get(path).status_code for path in LISTS} == dict.fromkeys(LISTS, 200)


BACKWARDS = {"publish_from": "2030-01-02T00:00:00Z", "publish_until": "2030-01-01T00:00:00Z"}
BODIES = [
    # what, method, path, body, status
    ("NUL in a name", "post", "/categories/", {"name": "a\0b"}, 422),
    ("lone surrogate in a name", "post", "/categories/", {"name": "\ud800"}, 422),
    ("name of 201", "post", "/categories/", {"name": "x" * 201}, 422),
    ("empty name", "post", "/categories/", {"name": ""}, 422),
    ("name of blanks", "post", "/categories/", {"name": "   "}, 422),
    ("slug with a slash", "post", "/categories/", {"name": "x", "slug": "a/b"}, 422),
    ("slug of 101", "post", "/categories/", {"name": "x", "slug": "x" * 101}, 422),
    ("empty slug", "post", "/categories/", {"name": "x", "slug": ""}, 422),
    ("taken slug", "post", "/categories/", {"name": "x", "slug": "food"}, 409),
    ("position -1", "post", "/categories/", {"name": "x", "position": -1}, 422),
    ("position 2^31", "post", "/categories/", {"name": "x", "position": 2**31}, 422),
    ("position 2^63", "post", "/categories/", {"name": "x", "position": 2**63}, 422),
    ("position 10^400", "post", "/categories/", {"name": "x", "position": 10**400}, 422),
    ("position true", "post", "/categories/", {"name": "x", "position": True}, 422),
    ("position text", "post", "/categories/", {"name": "x", "position": "5"}, 422),
    ("position 1.0", "post", "/categories/", {"name": "x", "position": 1.0}, 422),
    ("position 1e3", "post", "/categories/", '{"name": "x", "position": 1e3}', 422),
    ("active 1", "post", "/categories/", {"name": "x", "is_active": 1}, 422),
    ("tree numbers", "post", "/categories/", {"name": "x", "lft": 1}, 422),
    ("id", "post", "/categories/", {"name": "x", "id": 7}, 422),
    ("unknown parent", "post", "/categories/", {"name": "x", "parent": "none"}, 404),
    ("below itself", "patch", "/categories/food/", {"parent": "food"}, 422),
    ("null name", "patch", "/categories/food/", {"name": None}, 422),
    ("tree_id", "patch", "/categories/food/", {"tree_id": 9}, 422),
    ("stock quantity 0", "post", STOCK, {"kind": "receive", "quantity": 0}, 422),
    ("receive -1", "post", STOCK, {"kind": "receive", "quantity": -1}, 422),
    ("stock 2^31", "post", STOCK, {"kind": "receive", "quantity": 2**31}, 422),
    ("stock 2^63-1", "post", STOCK, {"kind": "receive", "quantity": 2**63 - 1}, 422),
    ("stock 10^24", "post", STOCK, {"kind": "receive", "quantity": 10**24}, 422),
    ("stock above the column", "post", STOCK, {"kind": "receive", "quantity": 2**31 - 1}, 409),
    ("stock true", "post", STOCK, {"kind": "receive", "quantity": True}, 422),
    ("NUL in a reason", "post", STOCK, {"kind": "receive", "quantity": 1, "reason": "\0"}, 422),
    ("NUL in a reference", "post", STOCK, {"kind": "receive", "reference": "\0", "quantity": 1}, 422),
    ("reserved", "post", "/products/apple/stock/", {"kind": "reserve", "quantity": 1}, 422),
    ("rating 0", "post", "/reviews/", {"product": "apple", "rating": 0}, 422),
    ("rating 6", "post", "/reviews/", {"product": "apple", "rating": 6}, 422),
    ("rating 2^63", "post", "/reviews/", {"product": "apple", "rating": 2**63}, 422),
    ("rating text", "post", "/reviews/", {"product": "apple", "rating": "5"}, 422),
    ("rating true", "post", "/reviews/", {"product": "apple", "rating": True}, 422),
    ("NUL in a review", "post", "/reviews/", {"product": "apple", "rating": 5, "body": "\0"}, 422),
    ("surrogate in a review", "post", "/reviews/", {"product": "apple", "rating": 5, "body": "\udfff"}, 422),
    ("review of 10,001", "post", "/reviews/", {"product": "apple", "rating": 5, "body": "x" * 10_001}, 422),
    ("status set by the author", "post", "/reviews/", {"product": "apple", "rating": 5, "status": "published"}, 422),
    ("self-verified", "post", "/reviews/", {"product": "apple", "rating": 5, "is_verified_purchase": True}, 422),
    ("nothing to review", "post", "/reviews/", {"product": "none", "rating": 5}, 404),
    ("price 1e400", "patch", "/products/apple/", {"price": "1e400"}, 422),
    ("price 1e-400", "patch", "/products/apple/", {"price": "1e-400"}, 422),
    ("price of 11 digits", "patch", "/products/apple/", {"price": "99999999999"}, 422),
    ("price 12345678.999", "patch", "/products/apple/", {"price": "12345678.999"}, 422),
    ("price null", "patch", "/products/apple/", {"price": None}, 422),
    ("weight 1e400", "patch", "/products/apple/", {"weight": "1e400"}, 422),
    ("weight -1", "patch", "/products/apple/", {"weight": "-1"}, 422),
    ("weight NaN", "patch", "/products/apple/", {"weight": "NaN"}, 422),
    ("attributes 60 deep", "patch", "/products/apple/", {"attributes": {"a": DEEP}}, 422),
    ("attributes 200 deep", "patch", "/products/apple/", '{"attributes": ' + '{"a":' * 200 + "1" + "}" * 201, 422),
    ("attributes NaN", "patch", "/products/apple/", '{"attributes": {"a": NaN}}', 400),
    ("attributes 2^63", "patch", "/products/apple/", {"attributes": {"a": 2**63}}, 422),
    ("year 1", "patch", "/products/apple/", {"publish_from": "0001-01-01T00:00:00+14:00"}, 422),
    ("year 9999", "patch", "/products/apple/", {"publish_from": "9999-12-31T23:59:59-14:00"}, 422),
    ("ends before it begins", "patch", "/products/apple/", BACKWARDS, 422),
    ("stock in a product update", "patch", "/products/apple/", {"stock_quantity": 9}, 422),
    ("rating in a product update", "patch", "/products/apple/", {"rating_average": "5"}, 422),
    ("SKU of NUL", "post", "/products/", {"sku": "\0", "name": "x", "price": "1"}, 422),
    ("SKU of 65", "post", "/products/", {"sku": "x" * 65, "name": "x", "price": "1"}, 422),
    ("no such review", "patch", "/reviews/00000000-0000-4000-8000-000000000000/", {"rating": 1}, 404),
    ("review id 7", "patch", "/reviews/7/", {"rating": 1}, 422),
    ("delete a review by 2^63", "delete", f"/reviews/{2**63}/", None, 422),
    ("image id of another form", "delete", "/products/apple/images/?id=1", None, 422),
]  # fmt: skip


def test_invalid_bodies_get_their_status_and_store_nothing(shop, staff_api):
    before = stored()
    found = {}
    for what, method, path, body, _status in BODIES:
        text = body if isinstance(body, str) else json.dumps(body)
        options = {} if body is None else {"data": text, "content_type": "application/json"}
        response = getattr(staff_api.client, method)(API + path, **options)
        assert response["Content-Type"] == "application/problem+json", (what, response.content)
        found[what] = response.status_code
    assert found == {what: status for what, _method, _path, _body, status in BODIES}
    assert stored() == before
    assert_every_list_responds(staff_api)


def test_json_nested_too_deeply_for_the_parser_is_refused(shop, staff_api):
    body = '{"attributes": ' + '{"a":' * 5000 + "1" + "}" * 5001
    response = staff_api.client.patch(f"{API}/products/apple/", body, content_type="application/json")
    assert response.status_code in {400, 422}
    assert response["Content-Type"] == "application/problem+json"


CONTENT_TYPES = [
    ("text/plain", b'{"name": "x"}', 415),
    ("application/xml", b"<name>x</name>", 415),
    ("application/json; charset=utf-16", '{"name": "x"}'.encode("utf-16"), 400),
    ("application/json; charset=klingon", b'{"name": "\xff"}', 400),
    ("application/json", b'{"name": "x", "name": "y"}', 400),
    ("application/json", b'{"name": "\xff"}', 400),
    ("application/json", b"[" * 5000, 400),
    ("application/json", b'{"name": "' + b"x" * 3_000_000 + b'"}', 413),
    ("multipart/form-data; boundary=x", b"--x--\r\n", 415),
    ("multipart/form-data", b"nothing", 415),
]


def test_bodies_of_other_media_types_are_refused(shop, staff_api):
    before = stored()
    found = [
        staff_api.client.generic("POST", f"{API}/categories/", body, content_type=kind).status_code
        for kind, body, _status in CONTENT_TYPES
    ]
    assert found == [status for _kind, _body, status in CONTENT_TYPES]
    assert stored() == before
    assert_every_list_responds(staff_api)


def picture():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name", ["...", ".", "..", "a" * 300 + ".png", "a.php", "../../x.png", "con", "\u202egnp.exe"]
)
def test_name_of_an_uploaded_file_has_no_effect(shop, staff_api, name):
    file = SimpleUploadedFile("x", picture(), "image/png")
    file._name = name
    response = staff_api.client.post(f"{API}/products/apple/images/", {"file": file})
    assert response.status_code in {201, 422}
    if response.status_code == 201:
        stem = response.json()["url"].rpartition("/")[2]
        assert len(stem) == len("0" * 32 + ".png")
    assert_every_list_responds(staff_api)


def test_more_form_fields_and_files_than_django_accepts_are_refused(shop, staff_api):
    many = {f"f{number}": "x" for number in range(1500)}
    assert staff_api.client.post(f"{API}/products/apple/images/", many).status_code == 400
    files = {f"f{number}": SimpleUploadedFile("x.png", b"x") for number in range(150)}
    response = staff_api.client.post(f"{API}/products/apple/images/", files)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert_every_list_responds(staff_api)


def test_malformed_multipart_body_is_refused(shop, staff_api):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=\xff", "multipart/form-data; boundary=x"):
        for path in (
            "/products/apple/images/",
            "/categories/food/image/",
            "/products/bulk_create/",
            "/products/bulk_create/preview/",
        ):
            response = staff_api.client.generic("POST", API + path, b"--x\r\nnonsense", content_type=kind)
            assert response.status_code in {400, 422}, (kind, path)
            assert response["Content-Type"] == "application/problem+json", (kind, path)
    assert_every_list_responds(staff_api)


def test_unknown_path_is_404(shop):
    for path in ("/products/apple/nothing/", "/categories/food/nothing/", "/reviews/x/y/"):
        assert Client().get(API + path).status_code == 404


def test_a_large_body_without_a_length_gets_413():
    """The body arrives in chunks, as from an ASGI server."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{API}/products/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"testserver")],
    }
    parts = iter([b'{"name": "', *[b"x" * 100_000] * 3, b'"}'])
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
