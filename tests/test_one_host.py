"""The three packages on one host give the same response to the same mistake, however the host registers them.

Bodies that no operation can accept are tested here for all packages, so that their own tests need not.
"""

import itertools
import json
from functools import cache

import pytest
from django.apps import apps
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadhandler import StopUpload
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.test import Client
from django.urls import path
from django.utils import translation
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError
from shop_catalog.api import problems as catalog
from shop_catalog.exceptions import UnknownProduct
from shop_core.api.problems import REASONS
from shop_core.exceptions import Busy
from shop_notify.api import problems as notify
from shop_notify.exceptions import NotRetryable
from shop_orders.api import problems as orders
from shop_orders.exceptions import CartEmpty

TABLES = {"catalog": catalog.PROBLEMS, "orders": orders.PROBLEMS, "notify": notify.PROBLEMS}
ERRORS = {
    "catalog": UnknownProduct(),
    "orders": CartEmpty(),
    "notify": NotRetryable(),
    "busy": Busy(),
    "404": Http404(),
    "401": AuthenticationError(),
    "403": HttpError(403, "No."),
    "429": HttpError(429, "Slow down."),
    "large": RequestDataTooBig(),
    "suspicious": SuspiciousOperation(),
    "form": MultiPartParserError("broken"),
    "locked": OperationalError("database is locked"),
    "integrity": IntegrityError("duplicate"),
    "data": DataError("too long"),
    "overflow": OverflowError("2**70"),
    "text": UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"),
    "bug": StopUpload(),
}
BODIES = {
    "NUL": b'{"a": "\\u0000"}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "a lone surrogate as a name": b'{"\\udfff": 1}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number without end": b'{"a": 1e999}',
    "65 bits": b'{"a": 18446744073709551616}',
    "10^400": b'{"a": 1' + b"0" * 400 + b"}",
    "a name twice": b'{"a": 1, "a": 2}',
    "21 levels": b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}",
    "5,000 levels": b"[" * 5000 + b"]" * 5000,
    "no end": b'{"a": ',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": b'{"a": "\xe9"}',
    "300 kB": b'{"a": "' + b"x" * 300_000 + b'"}',
    "3 MB": b'{"a": "' + b"x" * 3_000_000 + b'"}',
}
KINDS = ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
urlpatterns = []


def host(*registered):
    """A NinjaAPI with the three routers, whose problem handlers were registered in this order."""
    api = NinjaAPI(urls_namespace="-".join(["host", *registered]))
    for name in ("catalog", "orders", "notify"):
        api.add_router(f"/{name}/", f"shop_{name}.api.router")

    @api.get("/raise/{name}")
    def raise_it(request, name: str):
        raise ERRORS[name]

    for name in registered:
        TABLES[name].register(api)
    return api


HOSTS = {
    names: host(*names)
    for count in (0, 1, 3)
    for names in itertools.permutations(TABLES, count)
}  # fmt: skip
urlpatterns += [path(f"{'-'.join(names) or 'none'}/", api.urls) for names, api in HOSTS.items()]


@pytest.fixture
def client(settings):
    settings.ROOT_URLCONF = __name__
    with translation.override("en"):
        yield Client(raise_request_exception=False)


def comparable(response):
    headers = {name: response.headers.get(name) for name in ("Content-Type", "Retry-After", "WWW-Authenticate")}
    return response.status_code, response.content, headers


@cache
def json_operations(api):
    """``(method, path)`` of every operation that takes a JSON body. Path parameters become plain words.

    The bulk upload of products is left out: it is read as a stream and has its own limits.
    """
    return [
        (method.upper(), place.replace("{", "").replace("}", ""))
        for place, methods in api.get_openapi_schema(path_prefix="/")["paths"].items()
        for method, operation in methods.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
        and operation["operationId"] not in ("bulk_create_products", "preview_products_file")
    ]


def count_rows():
    labels = ("shop_catalog", "shop_orders", "shop_notify")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    return {model: model.objects.count() for model in models}


def test_all_three_packages_have_operations_with_bodies():
    packages = {place.split("/")[1] for _method, place in json_operations(HOSTS[()])}
    assert packages == {"catalog", "orders", "notify"}


@pytest.mark.parametrize("name", ERRORS)
def test_error_response_does_not_depend_on_the_registered_packages(client, name):
    registered = [names for names in HOSTS if names]
    responses = {names: comparable(client.get(f"/{'-'.join(names)}/raise/{name}")) for names in registered}
    assert len(responses) == 9
    first = responses[registered[0]]
    assert {names: found for names, found in responses.items() if found != first} == {}
    assert first[0] == 500 if name == "bug" else first[2]["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
@pytest.mark.parametrize("bad_body", BODIES)
def test_bad_body_gets_the_same_response_from_every_operation(client, bad_body):
    responses, before = {}, count_rows()
    for names, api in HOSTS.items():
        for method, place in json_operations(api):
            url = f"/{'-'.join(names) or 'none'}{place}"
            response = client.generic(method, url, BODIES[bad_body], content_type="application/json")
            responses.setdefault(comparable(response)[:2], []).append(url)
        if len(names) == 3:
            break
    assert len(responses) == 1, {found: urls[:3] for found, urls in responses.items()}
    [(status, body)] = responses
    assert status in {400, 413, 422}
    assert json.loads(body)["detail"]
    assert count_rows() == before


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
def test_body_with_another_content_type_gets_415_everywhere(client, kind):
    statuses = {
        place: client.generic(method, f"/none{place}", b'{"a": 1}', content_type=kind).status_code
        for method, place in json_operations(HOSTS[()])
    }
    assert set(statuses.values()) == {415}, statuses


@pytest.mark.parametrize("name", TABLES)
def test_each_package_has_a_text_for_every_code_of_core(name):
    tables = TABLES[name]
    assert {reason for reason in REASONS if not str(tables.sentences.get(reason, ""))} == set()


@pytest.mark.parametrize("language", ["en", "de"])
def test_packages_have_the_same_texts(language):
    with translation.override(language):
        texts = [{reason: str(tables.sentences[reason]) for reason in REASONS} for tables in TABLES.values()]
    assert texts[0] == texts[1] == texts[2]
