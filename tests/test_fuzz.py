"""Every operation of the example's API with generated requests: no 5xx, no undeclared status, no invalid body.

The callers are anonymous, a customer and staff, on the database of ``DATABASE_URL``. Afterwards every list and page
must still work: stored data must not break a later read. ``SHOP_TEST_FULL=1`` sends thousands of requests, else a few.
"""

import json
import os
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.test import Client
from shop_catalog import categories, inventory, products, reviews

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: pip install schemathesis")
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi import checks as openapi_checks  # noqa: E402

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
IS_FULL = bool(os.environ.get("SHOP_TEST_FULL"))
EXAMPLES = 12 if IS_FULL else 2
"""Requests per operation, caller and database."""

PASSWORD = "a-long-and-odd-one-42"
SEARCHES = [
    "/api/v1/products/products/?facets=true&count=true&limit=100",
    "/api/v1/products/products/?q=a&order=relevance",
    "/api/v1/products/products/?include_inactive=true&limit=100",
    "/api/v1/products/categories/?include_inactive=true&limit=100",
]
PAGES = [
    "/",
    "/categories/",
    "/search/?q=a",
    "/cart/",
    "/admin/",
    "/admin/shop_catalog/product/",
    "/admin/shop_catalog/category/",
]


@pytest.fixture
def shop(settings):
    settings.ACCOUNT_RATE_LIMITS = False
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "THROTTLES": {}}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "THROTTLES": {}}
    cache.clear()
    food = categories.create("Food", slug="fuzz-food")
    apple = products.create("A", name="Apple", slug="apple", price=Decimal(1), categories=[food], is_featured=True)
    inventory.receive({"A": 50})
    shirt = products.create("S", name="Shirt", slug="shirt", kind="group", categories=[food])
    products.create("S-L", kind="variant", parent=shirt, price=Decimal(5), options={"size": "L"})
    reviews.submit(apple, user=make_user("author"), rating=4)
    return apple


def make_user(name, **fields):
    from accounts.models import User
    from allauth.account.models import EmailAddress

    user = User.objects.create_user(f"{name}@example.org", PASSWORD, first_name="Test", last_name=name, **fields)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def token_of(user):
    body = json.dumps({"email": user.email, "password": PASSWORD})
    response = Client().post("/api/v1/auth/customers/login/", body, content_type="application/json")
    assert response.status_code == 200, response.content
    return response.json()["access_token"]


CHECKS = [
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
CALLERS = {
    "anonymous": None,
    "customer": {},
    "staff": {"is_staff": True, "is_superuser": True},
}
ENDS_THE_TOKEN = {"POST /api/v1/auth/customers/logout/"}


@pytest.mark.parametrize("name", CALLERS)
def test_generated_requests_never_break_the_api(shop, name):
    headers = {}
    if CALLERS[name] is not None:
        headers["Authorization"] = f"Bearer {token_of(make_user(name, **CALLERS[name]))}"
    document = schemathesis.openapi.from_wsgi("/swagger.json", get_wsgi_application())
    sent, failures = 0, []
    for found in document.get_all_operations():
        operation = found.ok()
        if operation.label in ENDS_THE_TOKEN and headers:
            continue
        sent += fuzz(operation, headers, failures)
    print(f"{name}: {sent} requests")
    assert failures == [], "\n".join(failures)
    assert_every_page_still_loads(name, document)


def fuzz(operation, headers, failures):
    """Send valid and invalid requests generated from the document. Appends one line per failure.

    A generated id can make the path of another operation, such as ``staff/notifiers/``, which is tested by itself.
    """
    sent = 0
    other_paths = {path for path in operation.schema.raw_schema["paths"] if "{" not in path} - {operation.path}

    def send(case):
        nonlocal sent
        if case.formatted_path in other_paths:
            return
        sent += 1
        case.call_and_validate(headers=headers, checks=CHECKS)

    for modes in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
        strategy = operation.as_strategy(generation_mode=modes)
        test = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(seed(20261122)(given(strategy)(send)))
        try:
            test()
        except (BaseExceptionGroup, Exception) as error:  # noqa: BLE001 - collects the failures of all operations
            failures.append(f"{operation.label}: {_one_line(error)}")
    return sent


def _one_line(error):
    """The failure and the curl command that reproduces it, on one line."""
    text = " ".join(str(getattr(error, "exceptions", [error])[0]).split())
    curl = next((line.strip() for line in str(error).splitlines() if "curl -X" in line), "")
    return f"{text[:500]} {curl[:500]}"


def assert_every_page_still_loads(name, document):
    """Load every list of the API, the pages of the shop and the lists of the admin."""
    staff = make_user(f"after-{name}", is_staff=True, is_superuser=True)
    headers = {"Authorization": f"Bearer {token_of(staff)}"}
    lists = [path for path, methods in document.raw_schema["paths"].items() if "get" in methods and "{" not in path]
    assert len(lists) > 10
    found = {path: Client().get(path, headers=headers).status_code for path in lists + SEARCHES}
    assert found == dict.fromkeys(lists + SEARCHES, 200)
    client = Client()
    client.force_login(staff)
    assert {path: client.get(path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)
