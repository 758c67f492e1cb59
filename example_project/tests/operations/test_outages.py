import pytest
import redis
from django.db import OperationalError
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
    from django.db import connection

    client.raise_request_exception = False

    def broken(*_arguments):
        raise OperationalError("away")

    with connection.execute_wrapper(broken):
        response = client.get("/api/v1/products/products/")
    assert response.status_code == 503
    assert response["Content-Type"].startswith("application/problem+json")
    assert response["Retry-After"]
