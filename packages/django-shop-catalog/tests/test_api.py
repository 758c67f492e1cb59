"""The whole API: permissions, problem documents, invalid input, caching, the OpenAPI document."""

import json
import sqlite3
from decimal import Decimal

import pytest
from conftest import API, Api
from django.contrib.auth.models import Permission
from django.db import OperationalError
from django.test import Client
from pydantic import TypeAdapter
from shop_catalog import categories, inventory, products, reviews
from shop_catalog.api import schemas
from shop_catalog.models import Category, Product, StockMovement

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    food = categories.create("Food")
    categories.create("Fruit", parent=food)
    apple = products.create("A", name="Apple", price=Decimal(1), categories=[food])
    inventory.receive({"A": 5})
    return apple


PRODUCT = {"sku": "N", "name": "New", "price": "1.00"}
MATRIX = [
    # method, path, body, anonymous, customer, staff without permission, staff
    ("get", "/categories/", None, 200, 200, 200, 200),
    ("get", "/categories/?include_inactive=true", None, 403, 403, 403, 200),
    ("get", "/categories/tree/", None, 200, 200, 200, 200),
    ("get", "/categories/food/", None, 200, 200, 200, 200),
    ("get", "/categories/food/average_price/", None, 200, 200, 200, 200),
    ("get", "/categories/none/", None, 404, 404, 404, 404),
    ("post", "/categories/", {"name": "X"}, 401, 403, 403, 201),
    ("patch", "/categories/fruit/", {"name": "X"}, 401, 403, 403, 200),
    ("delete", "/categories/fruit/", None, 401, 403, 403, 204),
    ("delete", "/categories/food/image/", None, 401, 403, 403, 204),
    ("get", "/products/", None, 200, 200, 200, 200),
    ("get", "/products/?include_inactive=true", None, 403, 403, 403, 200),
    ("get", "/products/featured/", None, 200, 200, 200, 200),
    ("get", "/products/apple/", None, 200, 200, 200, 200),
    ("get", "/products/none/", None, 404, 404, 404, 404),
    ("post", "/products/", PRODUCT, 401, 403, 403, 201),
    ("patch", "/products/apple/", {"name": "X"}, 401, 403, 403, 200),
    ("delete", "/products/apple/", None, 401, 403, 403, 204),
    ("post", "/products/bulk_create/", [PRODUCT], 401, 403, 403, 201),
    ("post", "/products/bulk_create/preview/", [PRODUCT], 401, 403, 403, 200),
    ("get", "/products/apple/images/", None, 200, 200, 200, 200),
    ("delete", "/products/apple/images/?id=00000000-0000-4000-8000-000000000000", None, 401, 403, 403, 404),
    ("get", "/products/apple/stock/", None, 401, 403, 403, 200),
    ("post", "/products/apple/stock/", {"kind": "receive", "quantity": 1}, 401, 403, 403, 201),
    ("get", "/reviews/", None, 200, 200, 200, 200),
    ("post", "/reviews/", {"product": "apple", "rating": 5}, 401, 201, 403, 201),
    ("patch", "/reviews/{review}/", {"status": "published"}, 401, 404, 404, 200),
    ("delete", "/reviews/{review}/", None, 401, 404, 404, 204),
]


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} {row[1]}")
def test_each_operation_checks_the_caller(shop, row, make_user, customer, staff):
    method, path, body, *expected = row
    author = make_user("author")
    callers = [None, customer, make_user("idle", is_staff=True), staff]
    review = reviews.submit(shop, user=author, rating=1)
    responses = []
    for caller in callers:
        url = API + path.format(review=review.public_id)
        options = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        responses.append(getattr(Api(caller).client, method)(url, **options))
    assert [response.status_code for response in responses] == expected
    for response in responses:
        if response.status_code >= 400:
            assert response["Content-Type"] == "application/problem+json"
            assert response.json()["status"] == response.status_code
        if response.status_code == 401:
            assert response["WWW-Authenticate"] == "Bearer"


def test_every_operation_is_in_the_matrix():
    from testproject.urls import api

    listed = {
        (method, path.split("?")[0].replace("food", "{slug}").replace("fruit", "{slug}"))
        for method, path, *_ in MATRIX
    }
    known = {(method, path.replace("apple", "{slug}").replace("{review}", "{id}")) for method, path in listed}
    document = api.get_openapi_schema()
    operations = {
        (method, path.removeprefix(API)) for path, methods in document["paths"].items() for method in methods
    }
    assert operations - known == {("post", "/products/{slug}/images/"), ("post", "/categories/{slug}/image/")}


def test_invalid_credential_is_401_even_where_guests_are_allowed(shop):
    for path in ("/products/", "/categories/tree/", "/products/apple/"):
        response = Client(headers={"Authorization": "Bearer nonsense"}).get(API + path)
        assert response.status_code == 401


def test_deactivated_staff_is_refused(shop, staff):
    api = Api(staff)
    staff.is_active = False
    staff.save()
    assert api.post("/categories/", {"name": "X"}).status_code == 401
    assert Category.objects.count() == 2


def test_session_requires_the_csrf_token(shop, staff):
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    response = client.post(f"{API}/categories/", '{"name": "X"}', content_type="application/json")
    assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")
    assert Category.objects.count() == 2


def test_openapi_document_is_complete(shop):
    from testproject.urls import api

    document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    ids = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            assert operation["summary"], path
            statuses = set(operation["responses"])
            assert {"400", "413", "415", "422", "429", "503"} <= statuses, path
            assert {} in operation["security"] if method == "get" and "/stock/" not in path else operation["security"]
    assert len(ids) == len(set(ids)) == 26
    assert document["components"]["securitySchemes"]["SessionAuth"]["in"] == "cookie"


def test_responses_have_the_declared_shape(shop, anyone, customer, staff_api):
    reviews.submit(shop, user=customer, rating=3)
    group = products.create("S", name="Shirt", kind="group", categories=[categories.get("fruit")])
    products.create("S-L", kind="variant", parent=group, price=Decimal(5), options={"size": "L"})
    shapes = {
        "/products/": schemas.ProductPage,
        "/products/?facets=true&count=true&category=food": schemas.ProductPage,
        "/products/featured/": schemas.ProductPage,
        "/products/apple/": schemas.ProductDetail,
        "/products/shirt/": schemas.ProductDetail,
        "/products/shirt-l/": schemas.ProductDetail,
        "/categories/": schemas.CategoryPage,
        "/categories/tree/": list[schemas.TreeNode],
        "/categories/fruit/": schemas.CategoryDetail,
        "/categories/food/average_price/": schemas.AveragePrice,
    }
    for path, shape in shapes.items():
        body = anyone.client.get(API + path).json()
        adapter = TypeAdapter(shape)
        adapter.validate_python(body)
        assert _keys(body) <= _declared(adapter.json_schema()), path


def _keys(value):
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    if isinstance(value, dict):
        return set(value).union(
            *(
                _keys(v)
                for k, v in value.items()
                if k not in {"options", "attributes", "categories", "ratings", "renditions"}
            )
        )
    return set()


def _declared(schema):
    found = set(schema.get("properties", {}))
    for part in schema.get("$defs", {}).values():
        found |= _declared(part)
    return found


def test_amounts_are_text_beside_their_currency(shop, anyone, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "KWD"}
    body = anyone.get("/products/apple/").json()
    assert (body["price"], body["currency"], body["lowest_price_30_days"]) == ("1.000", "KWD", "1.000")
    assert anyone.get("/categories/food/average_price/").json() == {
        "category": "food",
        "currency": "KWD",
        "count": 1,
        "average": "1.000",
        "min": "1.000",
        "max": "1.000",
    }


def test_no_response_has_a_database_key(shop, anyone, staff_api):
    for path in ("/products/", "/products/apple/", "/categories/", "/categories/tree/", "/categories/food/"):
        assert not _keys(anyone.client.get(API + path).json()) & {"pk", "parent_id", "tree_id", "lft", "rght"}
    assert "id" not in _keys(staff_api.get("/products/apple/stock/").json())


def test_cursors_lead_through_the_whole_list(shop, anyone):
    for number in range(6):
        products.create(f"P{number}", name=f"P{number}", price=Decimal(1))
    seen, cursor = [], ""
    while cursor is not None:
        page = anyone.get("/products/", limit=2, cursor=cursor, order="price").json()
        seen += [item["sku"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ["A", "P0", "P1", "P2", "P3", "P4", "P5"]
    assert anyone.get("/products/", cursor="nonsense").json()["code"] == "invalid_cursor"


def test_categories_are_paged_filtered_and_hidden(shop, anyone, staff_api):
    for number in range(5):
        categories.create(f"C{number}", is_active=number != 3)
    hidden = categories.get("c3")
    categories.create("Below", parent=hidden)
    seen, cursor = [], ""
    while cursor is not None:
        page = anyone.get("/categories/", limit=2, cursor=cursor).json()
        seen += [item["slug"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ["c0", "c1", "c2", "c4", "food", "fruit"]
    assert [row["slug"] for row in anyone.get("/categories/", parent="food").json()["items"]] == ["fruit"]
    assert "fruit" not in [row["slug"] for row in anyone.get("/categories/", depth=1).json()["items"]]
    assert anyone.get("/categories/below/").status_code == 404
    assert staff_api.get("/categories/below/").status_code == 200
    everything = staff_api.get("/categories/", include_inactive="true").json()["items"]
    assert len(everything) == 8


def test_etag_of_the_tree_changes_with_every_change(shop, anyone, django_assert_num_queries):
    url = f"{API}/categories/tree/"
    first = anyone.client.get(url)
    etag = first["ETag"]
    with django_assert_num_queries(1):
        assert anyone.client.get(url).content == first.content
    with django_assert_num_queries(1):
        again = anyone.client.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    steps = [
        lambda: categories.create("Tools"),
        lambda: categories.change(categories.get("tools"), name="Toolbox"),
        lambda: categories.move(categories.get("tools"), parent=categories.get("food")),
        lambda: categories.change(categories.get("tools"), is_active=False),
        lambda: categories.delete(categories.get("tools")),
        lambda: Category.objects.filter(slug="fruit").update(name="Fruits"),
    ]
    for step in steps:
        before = anyone.client.get(url)
        step()
        after = anyone.client.get(url, headers={"If-None-Match": before["ETag"]})
        assert after.status_code == 200
        assert (after.content != before.content) or step is steps[4]
    assert b"Fruits" in anyone.client.get(url).content


def test_tree_by_root_and_depth(shop, anyone):
    def slugs(nodes):
        return [(node["slug"], slugs(node["children"])) for node in nodes]

    assert slugs(anyone.get("/categories/tree/").json()) == [("food", [("fruit", [])])]
    assert slugs(anyone.get("/categories/tree/", depth=1).json()) == [("food", [])]
    assert slugs(anyone.get("/categories/tree/", root="fruit").json()) == [("fruit", [])]
    assert anyone.get("/categories/tree/", root="none").status_code == 404
    assert anyone.get("/categories/tree/", depth=0).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_rolled_back_tree_is_not_served(shop, anyone):
    from django.db import transaction

    before = anyone.get("/categories/tree/").content
    with transaction.atomic():
        categories.create("Never")
        assert "never" in categories.current_tree().by_slug
        transaction.set_rollback(True)
    categories.create("Really")
    assert b"Really" in anyone.get("/categories/tree/").content
    assert b"Never" not in anyone.get("/categories/tree/").content
    assert before != anyone.get("/categories/tree/").content


def test_category_moves_by_patch(shop, staff_api):
    tools = staff_api.post("/categories/", {"name": "Tools", "parent": "fruit"}).json()
    assert [link["slug"] for link in tools["ancestors"]] == ["food", "fruit"]
    moved = staff_api.patch("/categories/tools/", {"parent": None, "before": "food", "name": "Toolbox"}).json()
    assert (moved["ancestors"], moved["name"]) == ([], "Toolbox")
    assert [node.slug for node in categories.current_tree().walk()] == ["tools", "food", "fruit"]
    response = staff_api.patch("/categories/food/", {"parent": "fruit"})
    assert (response.status_code, response.json()["code"]) == (422, "category_cycle")
    response = staff_api.delete("/categories/food/")
    assert (response.status_code, response.json()["code"]) == (409, "category_not_empty")
    assert staff_api.delete("/categories/food/?children=move_up").status_code == 204
    assert [node.slug for node in categories.current_tree().walk()] == ["fruit", "tools"]


def test_response_to_a_stock_change_has_the_ledger_only_with_the_permission_to_view_it(make_user, shop):
    user = make_user("porter", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="add_stockmovement"))
    body = {"kind": "receive", "quantity": 1, "reason": "Brought by Wanjiru"}
    first = Api(user).post("/products/apple/stock/", body)
    assert (first.status_code, first.json()["on_hand"] > 0, first.json()["movements"]) == (201, True, [])
    user = make_user("keeper", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_stockmovement", "view_stockmovement"]))
    assert Api(user).post("/products/apple/stock/", body).json()["movements"][0]["reason"] == "Brought by Wanjiru"


def test_stock_can_be_changed_through_the_api(shop, staff_api):
    url = "/products/apple/stock/"
    assert staff_api.post(url, {"kind": "adjust", "quantity": -1}).json()["errors"][0]["field"] == "reason"
    body = staff_api.post(url, {"kind": "adjust", "quantity": -1, "reason": "broken", "reference": "x1"}).json()
    assert (body["on_hand"], body["available"], body["movements"][0]["reason"]) == (4, 4, "broken")
    assert (
        staff_api.post(url, {"kind": "adjust", "quantity": -1, "reason": "broken", "reference": "x1"}).json()[
            "on_hand"
        ]
        == 4
    )
    response = staff_api.post(url, {"kind": "adjust", "quantity": -2, "reason": "broken", "reference": "x1"})
    assert (response.status_code, response.json()["code"]) == (409, "movement_conflict")
    response = staff_api.post(url, {"kind": "adjust", "quantity": -9, "reason": "broken"})
    assert (response.status_code, response.json()["available"]) == (409, {"A": 4})
    page = staff_api.get(url, limit=1).json()
    older = staff_api.get(url, limit=1, cursor=page["next"]).json()
    assert [row["kind"] for row in page["movements"] + older["movements"]] == ["adjust", "receive"]
    assert older["next"] is None


def test_variants_can_be_changed_through_the_api(staff_api):
    group = {"sku": "S", "name": "Shirt", "kind": "group", "tax_class": "reduced"}
    assert staff_api.post("/products/", group).status_code == 201
    made = staff_api.post(
        "/products/", {"sku": "S-L", "kind": "variant", "parent": "S", "price": "5", "options": {"size": "L"}}
    )
    assert (made.json()["group"], made.json()["tax_class"]) == ("shirt", "reduced")
    body = staff_api.get("/products/shirt/").json()
    assert (body["price"], [variant["sku"] for variant in body["variants"]]) == ("5.00", ["S-L"])
    assert [item["sku"] for item in staff_api.get("/products/").json()["items"]] == ["S"]


LONG = "x" * 201
DEEP = json.loads("[" * 60 + "]" * 60)
BAD_BODIES = [
    ("decimal with exponent", {"price": "1e400"}, 422),
    ("tiny decimal", {"price": "1e-400"}, 422),
    ("too many digits", {"price": "99999999999"}, 422),
    ("three places", {"price": "0.001"}, 422),
    ("negative", {"price": "-5"}, 422),
    ("negative zero", {"price": "-0"}, 422),
    ("underscore", {"price": "1_0"}, 422),
    ("blanks", {"price": " 5 "}, 422),
    ("full-width digits", {"price": "５"}, 422),
    ("number for money", {"price": 5}, 422),
    ("NaN text", {"price": "NaN"}, 422),
    ("null price", {"price": None, "kind": "simple"}, 422),
    ("stock -1", {"stock_quantity": -1}, 422),
    ("stock 2^31", {"stock_quantity": 2**31}, 422),
    ("stock 2^63", {"stock_quantity": 2**63}, 422),
    ("stock 10^400", {"stock_quantity": 10**400}, 422),
    ("stock true", {"stock_quantity": True}, 422),
    ("stock text", {"stock_quantity": "5"}, 422),
    ("stock 1.0", {"stock_quantity": 1.0}, 422),
    ("NUL in text", {"name": "a\0b"}, 422),
    ("lone surrogate", {"name": "\ud800"}, 422),
    ("text of 201", {"name": LONG}, 422),
    ("slug of 101", {"slug": "s" * 101}, 422),
    ("slug with blanks", {"slug": "a b/c"}, 422),
    ("empty slug", {"slug": ""}, 422),
    ("NUL in JSON", {"attributes": {"a": "\0"}}, 422),
    ("surrogate in JSON", {"attributes": {"\udfff": 1}}, 422),
    ("deep JSON", {"attributes": {"a": DEEP}}, 422),
    ("large JSON", {"attributes": {"a": "x" * 20_000}}, 422),
    ("time before 1900", {"publish_from": "0001-01-01T00:00:00+14:00"}, 422),
    ("time after 2200", {"publish_until": "9999-12-31T23:59:59-14:00"}, 422),
    ("time without offset", {"publish_from": "2026-01-01T00:00:00"}, 422),
    ("unknown field", {"is_staff": True}, 422),
    ("id", {"id": 7}, 422),
    ("rating", {"rating": "5"}, 422),
    ("reserved", {"reserved_quantity": 1}, 422),
    ("tree fields", {"lft": 1}, 422),
    ("taken slug", {"slug": "apple"}, 409),
    ("taken SKU", {"sku": "A"}, 409),
    ("unknown category", {"categories": ["none"]}, 404),
    ("unknown group", {"kind": "variant", "parent": "none"}, 404),
]


def assert_lists_respond():
    client = Client()
    for path in (
        "/products/",
        "/categories/",
        "/categories/tree/",
        "/products/featured/",
        "/reviews/",
        "/products/apple/",
    ):
        assert client.get(API + path).status_code == 200


def test_invalid_bodies_are_refused_and_change_nothing(shop, staff_api):
    before = (Product.objects.count(), StockMovement.objects.count(), Category.objects.count())
    found = {}
    for name, fields, _status in BAD_BODIES:
        response = staff_api.client.post(
            f"{API}/products/", json.dumps({**PRODUCT, **fields}), content_type="application/json"
        )
        assert response["Content-Type"] == "application/problem+json", name
        found[name] = response.status_code
    assert found == {name: status for name, _fields, status in BAD_BODIES}
    assert (Product.objects.count(), StockMovement.objects.count(), Category.objects.count()) == before
    assert_lists_respond()


RAW_BODIES = [
    (b'{"sku": "N", "name": "N", "price": NaN}', "application/json", 400),
    (b'{"sku": "N", "sku": "M"}', "application/json", 400),
    (b'{"sku": "N"', "application/json", 400),
    (b"\xff\xfe{\x00}\x00", "application/json", 400),
    ('{"sku": "N"}'.encode("utf-16"), "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"attributes": ' + b"9" * 5000 + b"}", "application/json", 400),
    (b"{}", "text/plain", 415),
    (b"a=b", "application/x-www-form-urlencoded", 415),
    (b'{"a": "' + b"x" * 300_000 + b'"}', "application/json", 413),
    (b'{"a": "' + b"x" * 3_000_000 + b'"}', "application/json", 413),
    (b"", "application/json", 422),
    (b"[]", "application/json", 422),
    (b"null", "application/json", 422),
]


def test_raw_bodies_are_refused(shop, staff_api):
    found = [
        staff_api.client.post(f"{API}/products/", body, content_type=kind).status_code
        for body, kind, _status in RAW_BODIES
    ]
    assert found == [status for _body, _kind, status in RAW_BODIES]
    assert Product.objects.count() == 1


BAD_QUERIES = [
    "/products/?min_price=1e400",
    "/products/?min_price=1e999999",
    "/products/?max_price=-1",
    "/products/?min_price=abc",
    "/products/?limit=0",
    "/products/?limit=-1",
    "/products/?limit=101",
    "/products/?limit=9223372036854775808",
    "/products/?cursor=%00",
    "/products/?q=%00",
    "/products/?q=" + "x" * 101,
    "/products/?category=%00",
    "/products/?category=a%20b",
    "/products/?rating=6",
    "/products/?rating=NaN",
    "/products/?order=id",
    "/products/?in_stock=perhaps",
    "/products/?attributes=colour",
    "/products/?attributes=a:%00",
    "/products/%00/",
    "/products/a%20b/",
    "/products/" + "x" * 101 + "/",
    "/categories/%00/",
    "/categories/?depth=99999999999999999999",
    "/categories/tree/?root=%00",
    "/reviews/?product=%00",
    "/reviews/?status=secret",
    "/categories/%ED%A0%80/",
]


def test_invalid_query_parameters_are_refused(shop, anyone):
    found = {path: anyone.client.get(API + path).status_code for path in BAD_QUERIES}
    assert found == dict.fromkeys(BAD_QUERIES, 422)
    assert anyone.get("/products/", q="%").status_code == 200
    assert anyone.get("/reviews/not-a-uuid/").status_code == 405
    assert anyone.client.put(f"{API}/products/").status_code == 405


def test_busy_database_is_503_and_unexpected_exception_is_500(shop, anyone, monkeypatch):
    from shop_catalog import browsing

    def busy(*_args, **_options):
        raise OperationalError("database is locked")

    monkeypatch.setattr(browsing, "list_products", busy)
    response = anyone.get("/products/")
    assert (response.status_code, response["Retry-After"]) == (503, "1")

    def broken(*_args, **_options):
        raise OperationalError("no such table: shelves") from sqlite3.OperationalError("no such table: shelves")

    monkeypatch.setattr(browsing, "list_products", broken)
    with pytest.raises(OperationalError):
        anyone.get("/products/")


def test_problem_types_can_be_urls_of_pages(shop, anyone, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "KES", "PROBLEM_TYPE_BASE": "/problems/"}
    body = anyone.get("/products/none/").json()
    assert (body["type"], body["code"]) == ("/problems/unknown_product/", "unknown_product")
    from shop_catalog.api.codes import MEANINGS

    assert body["code"] in MEANINGS


def test_register_declares_the_media_type_of_problems():
    from ninja import NinjaAPI
    from shop_catalog.api import problems, router

    api = NinjaAPI(title="Host", urls_namespace="host")
    problems.register(api)
    api.add_router("/products/", router)
    responses = api.get_openapi_schema(path_prefix="")["paths"]["/products/products/"]["get"]["responses"]
    assert list(responses[422]["content"]) == ["application/problem+json"]
    assert list(responses[200]["content"]) == ["application/json"]


def test_number_of_statements_is_the_same_with_five_hundred_categories(anyone, django_assert_num_queries):
    from shop_catalog.imports import import_categories

    import_categories([f"Root {number % 5} > Leaf {number}" for number in range(500)])
    anyone.get("/categories/")
    with django_assert_num_queries(1):
        anyone.get("/categories/", limit=100)
