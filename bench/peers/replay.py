"""Our own statements, sent again without Django: the cost of an add and a checkout without our code.

``record`` sends one flow (three adds, a checkout) through the project and records every statement with its parameters
and rows. ``application`` is a bare WSGI function that sends the same statements again over psycopg: keys, references
and numbers of the recording are replaced by those that its own statements return, or by new ones.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import uuid
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

NAMED = re.compile(r"SKU-\d+|customer\d+@example\.org|[0-9A-Z]{5}-[0-9A-Z]{5}")
SMALLEST_KEY = 1000
"""Whole numbers below it are quantities and positions; the bench's keys are larger."""

SKUS = ("SKU-0007001", "SKU-0007002", "SKU-0007003")
CUSTOMER = "customer1000@example.org"


class Sent(NamedTuple):
    """A statement of the recording. ``places`` are the parameters that a replay replaces."""

    sql: str
    parameters: list[Any]
    places: list[int]
    rows: list[tuple[Any, ...]]
    in_transaction: bool


def is_replaced(value: Any) -> bool:
    if isinstance(value, str):
        return bool(NAMED.fullmatch(value))
    return isinstance(value, uuid.UUID) or (type(value) is int and value >= SMALLEST_KEY)


def record(path: str) -> None:
    """Record the statements of one flow by request, with the responses."""
    import django

    django.setup()
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connection

    handler: Any = WSGIHandler()
    sent: list[Sent] = []

    def record_statement(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        result = execute(sql, parameters, many, context)
        cursor = context["cursor"].cursor
        rows = cursor.fetchall() if cursor.description else []
        if rows:
            cursor.scroll(0, mode="absolute")
        plain = [_plain(value) for value in parameters or ()]
        places = [place for place, value in enumerate(plain) if is_replaced(value)]
        text = re.sub(r'(SAVEPOINT) "\w+"', r"\1 replayed", sql)
        sent.append(Sent(text, plain, places, rows, connection.in_atomic_block))
        return result

    requests = [("/orders/cart/add_item/", {"product": sku, "quantity": 1}) for sku in SKUS]
    requests.append(("/orders/orders/", {"shipping_address": ADDRESS}))
    recording = []
    for url, payload in requests:
        body = json.dumps(payload).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": url,
            "SERVER_NAME": "bench",
            "SERVER_PORT": "80",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Bearer {CUSTOMER}",
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        with connection.execute_wrapper(record_statement):
            content = b"".join(handler(environ, lambda _status, _headers: None))
        recording.append((list(sent), content))
        sent.clear()
    Path(path).write_bytes(pickle.dumps(recording))


ADDRESS = {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == "/ready":
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    payload, step = json.loads(body), int(environ["HTTP_X_STEP"])
    known: dict[Any, Any] = {CUSTOMER: environ["HTTP_AUTHORIZATION"].removeprefix("Bearer ")}
    if "product" in payload:
        known[SKUS[step]] = payload["product"]
    statements, content = RECORDING[step]
    with POOL.connection() as connection:
        _replay(connection, statements, known)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def _plain(value: Any) -> Any:
    """A parameter as plain data, which the WSGI function can load without the project."""
    if isinstance(value, Jsonb):
        return Jsonb(json.loads(json.dumps(value.obj, default=str)))
    return value.value if isinstance(value, Enum) else value


def _replay(connection: Any, statements: list[Sent], known: dict[Any, Any]) -> None:
    in_transaction = False
    for sent in statements:
        if sent.in_transaction != in_transaction:
            connection.execute("BEGIN" if sent.in_transaction else "COMMIT")
            in_transaction = sent.in_transaction
        parameters = list(sent.parameters)
        for place in sent.places:
            value = parameters[place]
            if value not in known:
                known[value] = _another(value)
            parameters[place] = known[value]
        cursor = connection.execute(sent.sql, parameters, prepare=True)
        if sent.rows:
            for old, new in zip(sent.rows, cursor.fetchall(), strict=False):
                for before, now in zip(old, new, strict=True):
                    if is_replaced(before):
                        known.setdefault(before, now)
    if in_transaction:
        connection.execute("COMMIT")


def _another(value: Any) -> Any:
    """A new value in place of a generated one: an id or an order number."""
    if isinstance(value, uuid.UUID):
        return uuid.uuid4()
    if isinstance(value, str) and len(value) == len("ABCDE-12345"):
        text = uuid.uuid4().hex.upper()
        return f"{text[:5]}-{text[5:10]}"
    return value


if "BENCH_RECORDING" in os.environ:
    from psycopg_pool import ConnectionPool

    RECORDING = pickle.loads(Path(os.environ["BENCH_RECORDING"]).read_bytes())
    POOL = ConnectionPool(os.environ["DATABASE_URL"], min_size=4, max_size=4, kwargs={"autocommit": True})
