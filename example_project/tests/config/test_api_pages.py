"""The API's errors and documentation pages: problem documents everywhere, nothing from other hosts."""

from __future__ import annotations

import re

import pytest
from config.docs import MEANINGS
from django.test import Client

pytestmark = pytest.mark.django_db
FOREIGN = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


@pytest.fixture
def document(client):
    return client.get("/swagger.json").json()


def operations(document):
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "post", "patch", "put", "delete"}
    ]


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/nothing", "/api/v1/orders/orders/nothing/"])
def test_unknown_address_gets_a_problem_document(client, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"
    assert response.json()["type"] == "http://127.0.0.1:8000/problems/not_found/"


def test_a_wrong_method_is_a_problem_document(client):
    response = client.put("/api/v1/products/categories/")

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert "GET" in response["Allow"]


def test_a_crash_is_a_problem_document(monkeypatch):
    from shop_catalog import categories

    def crash():
        raise RuntimeError("a secret of the shop")

    monkeypatch.setattr(categories, "current_tree", crash)
    monkeypatch.setattr(categories, "tree_version", crash)

    response = Client(raise_request_exception=False).get("/api/v1/products/categories/tree/")

    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert "secret" not in response.content.decode()


@pytest.mark.parametrize("path", ["/swagger/", "/redoc/"])
def test_the_documentation_loads_nothing_foreign_and_has_no_script_in_the_page(client, path):
    response = client.get(path)
    page = response.content.decode()

    assert response.status_code == 200
    assert not FOREIGN.search(page)
    assert not re.search(r"<script(?![^>]*(?:src=|application/json))", page)
    assert "script-src 'self';" in response["Content-Security-Policy"]


def test_redoc_asks_no_vendor_for_its_logo(client):
    script = client.get("/redoc/redoc.js")

    assert script.status_code == 200
    assert b"cdn.redoc.ly" not in script.content


def test_every_operation_is_described(document):
    found = operations(document)

    assert len(found) > 50
    assert len({operation["operationId"] for _method, _path, operation in found}) == len(found)
    for method, path, operation in found:
        assert operation.get("summary"), (method, path)
        assert any(status.startswith("4") for status in map(str, operation["responses"])), (method, path)


def test_the_security_schemes_are_proper(document):
    schemes = document["components"]["securitySchemes"]

    kinds = {(scheme["type"], scheme.get("scheme") or scheme.get("in") or "") for scheme in schemes.values()}
    assert kinds == {("http", "bearer"), ("openIdConnect", ""), ("apiKey", "cookie")}
    for scheme in schemes.values():
        if scheme["type"] == "openIdConnect":
            assert scheme["openIdConnectUrl"] == "/.well-known/openid-configuration"
        if scheme["type"] == "apiKey":
            assert scheme["name"] == "sessionid"


def test_errors_are_declared_as_problem_documents(document):
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if str(status).startswith(("4", "5")):
                assert set(response["content"]) == {"application/problem+json"}, (method, path, status)


def test_every_code_has_its_page(client):
    assert len(MEANINGS) > 20
    for code, sentence in MEANINGS.items():
        page = client.get(f"/problems/{code}/")
        assert page.status_code == 200, code
        assert sentence.split("`")[0][:20] in page.content.decode().replace("&#x27;", "'").replace("&quot;", '"'), code


def test_an_unknown_code_has_no_page(client):
    assert client.get("/problems/no_such_code/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/cart/", "/accounts/login/", "/accounts/signup/", "/admin/login/", "/swagger/"]
)
def test_every_page_has_the_headers(client, path):
    response = client.get(path, follow=True)

    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert not re.search(r"script-src[^;]*unsafe", policy)
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"


def test_no_form_may_lead_elsewhere(client):
    for path in ("/", "/accounts/login/", "/identity/o/authorize"):
        assert "form-action 'self';" in f"{client.get(path)['Content-Security-Policy']};"


def test_staff_operations_are_closed(client, document, api, user, log_in):
    """Every operation below a staff path: 401 without a log-in, 403 for a customer."""
    staff = [(method, path) for method, path, _operation in operations(document) if "/staff/" in path]
    log_in(user)

    assert len(staff) > 10
    for method, path in staff:
        real = re.sub(r"\{[^}]+\}", "00000000-0000-0000-0000-000000000000", path)
        body = {} if method in {"post", "patch"} else None
        assert api.client.generic(method.upper(), real).status_code in {401, 415}, (method, path)
        assert api.call(method.upper(), real, body).status_code in {403, 422}, (method, path)


def test_another_site_may_call_the_api_with_tokens_only(client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]

    response = client.get("/api/v1/orders/cart/", headers={"Origin": "https://app.example.org"})

    assert response["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "X-Cart-Token" in response["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in response
    assert "Origin" in response["Vary"]


def test_a_preflight_needs_no_credential(client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]

    response = client.options(
        "/api/v1/orders/cart/add_item/",
        headers={"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"},
    )

    assert response.status_code == 204
    assert "Idempotency-Key" in response["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("origin", "path"), [("https://evil.example.org", "/api/v1/orders/cart/"), ("https://app.example.org", "/")]
)
def test_no_other_site_and_no_page_is_let_through(client, settings, origin, path):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]

    assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": origin})
