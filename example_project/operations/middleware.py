"""For every request: an id, a log line and a count; and 503 instead of 500 while the database is unavailable."""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import redis
from django.core.signals import got_request_exception
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from shop_core.db.transactions import is_temporary

from operations import logs, metrics

logger = logging.getLogger("shop.request")

OUTAGES = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError)
ID = re.compile(r"[\w-]{8,64}", re.ASCII)
PROBES = {"/healthz", "/readyz", "/metrics"}
"""Requested every few seconds; they are not logged."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def request_id(get_response: GetResponse) -> GetResponse:
    """Give each request the id of ``X-Request-ID`` or a new one, return it in the response, log and count the request.

    The log line has the route, not the URL: URLs contain tokens and order numbers.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        identity = given if ID.fullmatch(given) else uuid.uuid4().hex
        token = logs.request_id.set(identity)
        started = time.perf_counter()
        try:
            response = get_response(request)
            _log_request(request, response, time.perf_counter() - started)
        finally:
            logs.request_id.reset(token)
        response["X-Request-ID"] = identity
        return response

    return middleware


def _log_request(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    route = f"/{request.resolver_match.route}" if request.resolver_match else "(none)"
    metrics.count_request(request.method or "", route, response.status_code, seconds)
    fields = {
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 1),
    }
    level = logging.DEBUG if route in PROBES else logging.INFO
    logger.log(level, "%s %s %s", request.method, route, response.status_code, extra={"fields": fields})


def unavailable(get_response: GetResponse) -> GetResponse:
    """Return 503 with ``Retry-After`` if a request failed because the database or Redis is unavailable."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code != 500 or not getattr(request, "met_an_outage", False):
            return response
        refusal = HttpResponse(
            _("The shop is temporarily unavailable. Please try again in a few seconds."),
            status=503,
            content_type="text/plain; charset=utf-8",
        )
        refusal["Retry-After"] = "2"
        return refusal

    return middleware


def _remember_outage(request: HttpRequest | None = None, **_kwargs: Any) -> None:
    error = sys.exc_info()[1]
    is_read_only = isinstance(error, InternalError) and is_temporary(error)
    if request is not None and (is_read_only or isinstance(error, OUTAGES)):
        request.met_an_outage = True  # type: ignore[attr-defined]


got_request_exception.connect(_remember_outage, dispatch_uid="operations.unavailable")
