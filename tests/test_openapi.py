"""The OpenAPI document: valid, complete, and a committed snapshot, so that a change to the API is a reviewed change.

After an intended change: ``SHOP_TEST_SNAPSHOT=write pytest -c tests/pytest.ini tests/test_openapi.py``.
"""

import json
import os
from pathlib import Path

import pytest
from config.api import api
from config.docs import MEANINGS
from openapi_spec_validator import validate
from shop_core.exceptions import ShopError
from shop_orders.exceptions import CheckoutRefused

SNAPSHOT = Path(__file__).with_name("openapi.json")
CODES = frozenset(ShopError.codes)
"""Before other tests run the examples of the documentation, which have errors of their own."""
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShopError, "codes", set(CODES))
        return json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/")))


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def without_phrases(document):
    """The document without the statuses' names, which differ between Python's versions."""
    copy = json.loads(json.dumps(document))
    for _name, operation in operations(copy):
        for response in operation["responses"].values():
            response.pop("description")
    return copy


def test_the_document_is_valid(document):
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_document_matches_the_snapshot(document):
    text = json.dumps(without_phrases(document), indent=1, sort_keys=True) + "\n"
    if os.environ.get("SHOP_TEST_SNAPSHOT") == "write":
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8"), "The API changed; see the first lines of this file."


def test_every_operation_has_a_unique_id_and_a_summary(document):
    found = list(operations(document))
    ids = [operation["operationId"] for _name, operation in found]
    assert len(ids) == len(set(ids))
    assert [name for name, operation in found if not operation.get("summary")] == []
    assert [key for key in ids if "." in key or "_api_" in key] == []


def test_errors_are_declared_as_problem_documents(document):
    wrong = [
        (name, status)
        for name, operation in operations(document)
        for status, response in operation["responses"].items()
        if int(status) >= 400 and list(response.get("content", {})) != ["application/problem+json"]
    ]
    assert wrong == []


def test_every_operation_declares_the_common_errors(document):
    always = {"400", "413", "415", "422", "429", "503"}
    assert [name for name, operation in operations(document) if not always <= set(operation["responses"])] == []


def test_no_response_shows_a_database_key(document):
    names = {
        (schema, name)
        for schema, definition in document["components"]["schemas"].items()
        for name, value in definition.get("properties", {}).items()
        if name in {"id", "pk"} and value.get("type") == "integer"
    }
    assert names == set()


def test_document_names_every_documented_code_of_a_problem(document):
    """Typed clients get a union. ``error`` is the code of any other status that a host's authentication has."""
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert codes == sorted(set(codes))
    assert set(codes) - {"error"} == set(MEANINGS)


def test_document_names_the_codes_of_the_hosts_own_errors(document, monkeypatch):
    monkeypatch.setattr(ShopError, "codes", set(CODES))

    class NoPork(CheckoutRefused):
        code = "no_pork"

    again = api.get_openapi_schema(path_prefix="/api/v1/")
    before = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert set(again["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == {*before, "no_pork"}
