"""Errors as RFC 9457 problem documents, made by the router itself, so that any host answers them.

``install(router)`` puts two decorators on a router. The one around the operation's function turns our own errors into
answers where they are raised, before the host's exception handlers see them. The one around the whole view checks the
body before it is parsed and rewrites what the host's NinjaAPI answered by itself (401, 403, 422, 429).
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Router, Schema
from ninja.errors import HttpError, ValidationError

from shop_notify.api.types import UNSAFE
from shop_notify.conf import app_settings
from shop_notify.exceptions import (
    AddressRefused,
    NotAuthenticated,
    NotFound,
    NotMutable,
    PermissionMissing,
    RouteRefused,
    ShopNotifyError,
)

logger = logging.getLogger(__name__)
Operation = TypeVar("Operation", bound=Callable[..., Any])

CONTENT_TYPE = "application/problem+json"
MAX_BODY_BYTES = 256 * 1024
MAX_JSON_DEPTH = 20

CODES: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request could not be read"),
    401: ("not_authenticated", "Authentication is required"),
    403: ("permission_denied", "Permission denied"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    413: ("too_large", "The request is too large"),
    415: ("unsupported_media_type", "Unsupported media type"),
    422: ("invalid", "The request is not valid"),
    429: ("too_many_requests", "Too many requests"),
    503: ("unavailable", "Try again in a moment"),
}
"""HTTP status: default code and title."""

STATUSES: Mapping[type[ShopNotifyError], int] = {
    NotAuthenticated: 401,
    PermissionMissing: 403,
    NotFound: 404,
    AddressRefused: 422,
    NotMutable: 422,
    RouteRefused: 422,
}
"""Domain error: HTTP status. A subclass inherits; anything not listed is 409."""

CODES_HELP: Mapping[str, str] = {
    "address_refused": "The notifier cannot send to this address, or may not.",
    "bad_request": "The body is not JSON in UTF-8, or the request is malformed.",
    "conflict": "The request conflicts with what is stored.",
    "invalid": "`errors` names each field, a code and a message.",
    "method_not_allowed": "The path exists, the method does not.",
    "not_authenticated": "No credential, or one that is wrong, expired or revoked.",
    "not_found": "It does not exist, or it is somebody else's.",
    "not_mutable": "Transactional messages are always sent; anything else must be a group and alias of the list.",
    "not_retryable": "Only what was given up, refused or has an unknown outcome is retried. Resend it instead.",
    "permission_denied": "The user lacks the Django permission, or the CSRF token is missing.",
    "route_refused": "A route in SHOP_NOTIFY is wrong (`manage.py check` says which), or cannot read the payload.",
    "template_missing": "There is no text for this event and channel. Write the template that is named.",
    "too_large": "The body exceeds 256 kB.",
    "too_many_requests": "Wait for Retry-After.",
    "unavailable": "The database refused for a moment. Repeat after Retry-After.",
    "unknown_notifier": "The alias is not in SHOP_NOTIFY, or its notifier cannot be loaded.",
    "unsupported_media_type": "Send application/json.",
}
"""What each code means to the client's developer."""


class FieldProblem(Schema):
    field: str
    code: str
    message: str


class Problem(Schema):
    """An RFC 9457 problem document. ``code`` is stable; ``type`` leads to its documentation."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []


def responses(*statuses: int) -> dict[int, type[Problem]]:
    """The error answers of an operation, to be declared beside its good one: ``{200: Out, **responses(404, 409)}``.

    What every operation may answer (400, 413, 415, 422, 429, 503) is included.
    """
    return dict.fromkeys(sorted({400, 413, 415, 422, 429, 503, *statuses}), Problem)


def problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    errors: Iterable[Mapping[str, str]] = (),
    extra: Mapping[str, Any] | None = None,
    retry_after_seconds: int | None = None,
) -> HttpResponse:
    """A problem document as an answer. ``extra`` holds extension members (RFC 9457, 3.2) of plain JSON values."""
    default_code, title = CODES.get(status, ("error", "Error"))
    code = code or default_code
    base = app_settings.PROBLEM_TYPE_BASE
    body = {
        "type": f"{base}{code}/" if base else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(errors),
        **(extra or {}),
    }
    response = HttpResponse(json.dumps(body), status=status, content_type=CONTENT_TYPE)
    if retry_after_seconds is not None:
        response["Retry-After"] = str(retry_after_seconds)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def from_exception(error: Exception) -> HttpResponse | None:
    """The answer for an error that the API explains, None for a bug, which stays an exception."""
    match error:
        case ShopNotifyError():
            status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 409)
            return problem(status, str(error), code=error.code, extra=error.extra)
        case ValidationError():
            return problem(422, _("Some fields are not valid."), errors=_field_problems(error.errors))
        case Http404():
            return problem(404, _("There is nothing here, or it is not yours."))
        case HttpError():
            return problem(error.status_code, str(error))
        case RequestDataTooBig():
            return problem(413, _("The request body is too large."))
        case OperationalError() if is_passing(error):
            logger.error("The database refused an operation", exc_info=error)
            return problem(503, _("The shop is busy. Try again in a moment."), retry_after_seconds=1)
        case IntegrityError():
            logger.error("A constraint stopped an operation that should have been refused before", exc_info=error)
            return problem(409, _("This conflicts with what is stored."))
        case DataError() | OverflowError() | UnicodeEncodeError():
            logger.error("A value reached the database that should have been refused before", exc_info=error)
            return problem(422, _("A value cannot be stored."))
    return None


PASSING = ("40001", "40P01", "55P03", "57014", "57P")
"""SQLSTATEs of PostgreSQL for serialisation, deadlock, lock and statement time-out, and a server that shuts down."""


def is_passing(error: OperationalError) -> bool:
    """Whether the database refuses only for the moment; anything else is a bug and stays one."""
    state = str(getattr(error.__cause__, "sqlstate", None) or "")
    text = str(error)
    return state.startswith((*PASSING, "08", "53")) or "locked" in text or "connection" in text


def reads_stream(operation: Operation) -> Operation:
    """Mark an operation that reads its body itself, under a limit of its own."""
    operation.reads_stream = True  # type: ignore[attr-defined]
    return operation


def install(router: Router) -> None:
    """Give every operation of a router problem documents. Call it once, where the router is made."""
    router.add_decorator(_answer_errors, mode="operation")
    router.add_decorator(_answer_problems, mode="view")


def register(api: NinjaAPI) -> None:
    """Answer a host's own operations in the same way, and give problem documents their media type in OpenAPI."""
    for kind in (ShopNotifyError, HttpError, ValidationError, RequestDataTooBig, Http404):
        api.add_exception_handler(kind, _handle)
    schema_of = api.get_openapi_schema

    @functools.wraps(schema_of)
    def with_media_type(*args: Any, **kwargs: Any) -> Any:
        schema = schema_of(*args, **kwargs)
        for path in schema["paths"].values():
            for operation in path.values():
                for status, answer in operation.get("responses", {}).items():
                    if int(status) >= 400 and "application/json" in answer.get("content", {}):
                        answer["content"] = {CONTENT_TYPE: answer["content"]["application/json"]}
        return schema

    api.get_openapi_schema = with_media_type  # type: ignore[method-assign]


def _handle(request: HttpRequest, error: Any) -> HttpResponse:  # noqa: ARG001 - ninja's handler signature
    response = from_exception(error)
    if response is None:
        raise error
    return response


def _answer_errors(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return operation(request, *args, **kwargs)
        except Exception as error:
            response = from_exception(error)
            if response is None:
                raise
            return response

    return answered


def _answer_problems(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    operation: Any = getattr(inspect.unwrap(run), "__self__")  # noqa: B009 - a bound method, which mypy cannot know
    streams = getattr(operation.view_func, "reads_stream", False)
    wants_json = any(getattr(model, "__ninja_param_source__", None) == "body" for model in operation.models)

    @functools.wraps(run)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        refusal = None if streams else _check_body(request, wants_json=wants_json)
        if refusal is not None:
            return refusal
        try:
            return _as_problem(run(request, *args, **kwargs))
        except Exception as error:
            response = from_exception(error)
            if response is None:
                raise
            return response

    return answered


def _as_problem(response: HttpResponseBase) -> HttpResponseBase:
    """What the host's NinjaAPI answered by itself, as a problem document."""
    if response.status_code < 400 or not isinstance(response, HttpResponse):
        return response
    if not response.get("Content-Type", "").startswith("application/json"):
        return response
    detail = json.loads(response.content).get("detail", "")
    if isinstance(detail, list):
        answer = problem(response.status_code, _("Some fields are not valid."), errors=_field_problems(detail))
    elif response.status_code == 401:
        answer = problem(401, _("Log in, or send a valid access token."))
    else:
        answer = problem(response.status_code, str(detail))
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in response:
            answer[name] = response[name]
    return answer


def _field_problems(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Pydantic's errors as field, code and message; what was sent in is not repeated."""
    return [
        {
            "field": ".".join(str(part) for part in error.get("loc", ())[1:] if part != "payload"),
            "code": str(error.get("type", "invalid")),
            "message": str(error.get("msg", "")).removeprefix("Value error, "),
        }
        for error in errors
    ]


def _check_body(request: HttpRequest, *, wants_json: bool) -> HttpResponse | None:
    """Refuse a body that the parser, the database or a later reader would choke on. None means: go on."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or request.content_type == "multipart/form-data":
        return None
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        return problem(413, _("The request body is larger than 256 kB."))
    try:
        body = request.body
    except RequestDataTooBig:
        return problem(413, _("The request body is too large."))
    if len(body) > MAX_BODY_BYTES:  # sent in chunks, without a length
        return problem(413, _("The request body is larger than 256 kB."))
    if not body or not wants_json:
        return None
    if request.content_type != "application/json":
        return problem(415, _("Send the body as application/json."))
    try:
        _check_value(json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique), 0)
    except _UnsafeValue as error:
        return problem(422, str(error))
    except (ValueError, RecursionError):
        return problem(400, _("The body is not valid JSON in UTF-8."))
    return None


class _UnsafeValue(Exception):
    """JSON that parses, but holds a value that cannot be kept."""


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("duplicate key")
    return values


def _check_value(value: Any, depth: int) -> None:  # noqa: C901 - one case a JSON type
    if depth > MAX_JSON_DEPTH:
        raise _UnsafeValue(_("The JSON is nested more than 20 levels deep."))
    match value:
        case str():
            if UNSAFE.search(value):
                raise _UnsafeValue(_("Texts must not contain NUL characters or lone surrogates."))
        case bool() | None:
            return
        case int():
            if abs(value) >= 2**63:
                raise _UnsafeValue(_("Whole numbers must fit into 64 bits."))
        case float():
            if not math.isfinite(value):
                raise _UnsafeValue(_("Numbers must be finite."))
        case list():
            for item in value:
                _check_value(item, depth + 1)
        case dict():
            for key, item in value.items():
                _check_value(key, depth + 1)
                _check_value(item, depth + 1)
