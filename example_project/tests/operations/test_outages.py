import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis
from config.env import Env
from django.db import InternalError, OperationalError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from operations.middleware import request_id, unavailable  # noqa: F401 - named in MIDDLEWARE below

MIDDLEWARE = ["operations.middleware.request_id", "operations.middleware.unavailable"]


def raises(error):
    def view(request):
        raise error

    return view


urlpatterns = [
    path("database", raises(OperationalError("away"))),
    path("redis", raises(redis.ConnectionError("away"))),
    path("bug", raises(ValueError("a bug"))),
    path("well", lambda request: HttpResponse("well")),
]


@pytest.fixture
def ask(settings):
    settings.MIDDLEWARE = MIDDLEWARE
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False).get


@pytest.mark.parametrize("address", ["/database", "/redis"])
def test_an_outage_is_a_503_that_says_when_to_come_back(ask, address):
    response = ask(address)
    assert response.status_code == 503
    assert response["Retry-After"] == "2"
    assert b"away" not in response.content


def test_a_bug_stays_a_500(ask):
    assert ask("/bug").status_code == 500


def test_other_responses_are_unchanged(ask):
    assert ask("/well").status_code == 200


def test_under_the_api_an_outage_is_a_problem_document(client, db, monkeypatch):
    client.raise_request_exception = False

    def broken(*_arguments):
        raise OperationalError("away")

    with connection.execute_wrapper(broken):
        response = client.get("/api/v1/products/products/")
    assert response.status_code == 503
    assert response["Content-Type"].startswith("application/problem+json")
    assert response["Retry-After"]


class Refused(Exception):
    """An error of psycopg with the SQLSTATE of a server that refuses."""

    def __init__(self, state):
        super().__init__("refused")
        self.sqlstate = state


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (InternalError, "25006"),  # read-only, during a fail-over
        (OperationalError, "57P03"),  # starting up
        (OperationalError, "57P01"),  # shutting down
        (OperationalError, "53300"),  # out of connections
        (OperationalError, "57014"),  # a statement took longer than statement_timeout
        (OperationalError, None),  # no connection
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/products/products/", "/readyz"])
def test_a_database_that_refuses_is_503_with_retry_after(client, error, state, path):
    client.raise_request_exception = False

    def refuse(*_arguments):
        raise error("refused") from Refused(state)

    with connection.execute_wrapper(refuse):
        response = client.get(path)
    assert response.status_code == 503
    assert int(response["Retry-After"]) >= 1
    assert b"refused" not in response.content
    assert response["Content-Type"].startswith("application/problem+json") is path.startswith("/api/")


@pytest.mark.django_db
def test_an_internal_error_that_is_a_bug_stays_a_500(client):
    client.raise_request_exception = False

    def fail(*_arguments):
        raise InternalError("bug") from Refused("25P02")

    with connection.execute_wrapper(fail):
        assert client.get("/").status_code == 500


@pytest.mark.pg
@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
def test_a_read_only_postgresql_is_503_for_writes_and_for_the_probe(client, product):
    client.raise_request_exception = False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
        page = client.post("/cart/add/", {"product": product.sku})
        api = client.post("/api/v1/orders/cart/add_item/", {"product": product.sku, "quantity": 1}, "application/json")
        ready = client.get("/readyz")
        transaction.set_rollback(True)  # ends the read-only mode
    assert [response.status_code for response in (page, api, ready)] == [503] * 3
    assert all(int(response["Retry-After"]) >= 1 for response in (page, api, ready))
    assert ready.json()["failed"]["database"] == "it is read-only"


FEW_CONNECTIONS = {"max_connections": "3", "superuser_reserved_connections": "0", "max_wal_senders": "0"}


@pytest.fixture(scope="module")
def small_postgres():
    """A real server that accepts three connections."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests"))
    import postgres

    with tempfile.TemporaryDirectory(prefix="shop-postgres-") as folder:
        server = postgres.Server(Path(folder))
        server.start(**FEW_CONNECTIONS)
        yield server
        server.stop("immediate")


@pytest.fixture(params=["pool", "no pool"])
def on_small_postgres(request, small_postgres, monkeypatch, django_db_blocker):
    """Connect Django to it with the options of production, but a tenth of their times. It has no tables."""
    of_production = Env(Path("missing"), {"DATABASE_URL": small_postgres.url}).database(Path("unused"))
    pool = of_production["OPTIONS"]["pool"]
    pool = {**pool, "timeout": 0.2, "reconnect_timeout": pool.get("reconnect_timeout", 300) / 10}
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.DELAY_BACKOFF", 1000)  # as after a long outage
    options = {**of_production["OPTIONS"], "pool": pool if request.param == "pool" else None}
    with django_db_blocker.unblock():
        connection.close()
        for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD"):
            monkeypatch.setitem(connection.settings_dict, name, of_production[name])
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
        yield small_postgres
        connection.close()
        connection.close_pool()


@pytest.mark.pg
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
def test_a_postgresql_out_of_connections_is_503_until_it_has_some(client, on_small_postgres):
    client.raise_request_exception = False
    item = {"product": "MUG"}
    with ExitStack() as stack:
        for _number in range(int(FEW_CONNECTIONS["max_connections"])):
            stack.enter_context(psycopg.connect(on_small_postgres.url))
        responses = {
            "/": client.get("/"),
            "/api/v1/products/products/": client.get("/api/v1/products/products/"),
            "/api/v1/orders/cart/add_item/": client.post("/api/v1/orders/cart/add_item/", item, "application/json"),
            "/readyz": client.get("/readyz"),
        }
        assert client.get("/healthz").status_code == 200
    assert {name: response.status_code for name, response in responses.items()} == dict.fromkeys(responses, 503)
    for address, response in responses.items():
        assert int(response["Retry-After"]) >= 1
        assert b"too many clients" not in response.content
        assert response["Content-Type"].startswith("application/problem+json") is address.startswith("/api/")
    # With the pool each request waits for a connection.
    assert any(client.get("/readyz?only=database").status_code == 200 for _attempt in range(20))
