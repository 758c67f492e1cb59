"""Errors as RFC 9457 problem documents, made by the router, so that they are the same in any site's NinjaAPI.

Each package installs its ``Problems`` on its routers. Its errors become responses, and bodies are checked, before the
*host*, the site's project, sees them. Error responses of the host's handlers to its own exceptions are rewritten.
"""

from __future__ import annotations

import functools
import http.client
import inspect
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from ninja import Field, NinjaAPI, Router, Schema
from ninja.errors import HttpError, ValidationError
from ninja.renderers import JSONRenderer

from shop_core.api import bodies
from shop_core.api.views import ReadMethods
from shop_core.db.transactions import is_temporary
from shop_core.exceptions import Busy, NotAuthenticated, PermissionMissing, ShopError, TooManyRequests

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

CODES: Mapping[int, str] = {
    400: "bad_request", 401: "not_authenticated", 403: "permission_denied", 404: "not_found",
    405: "method_not_allowed", 409: "conflict", 413: "too_large", 415: "unsupported_media_type", 422: "invalid",
    429: "too_many_requests", 503: "unavailable",
}  # fmt: skip
"""HTTP status to the default code of a problem."""

REASONS = (
    "body_too_large", "busy", "conflict", "form_too_large", "integer_too_large", "invalid", "not_an_amount",
    "not_authenticated", "not_found", "not_json", "number_not_finite", "permission_denied", "time_out_of_range",
    "time_without_offset", "too_deep", "too_many_requests", "unavailable", "unreadable_json", "unreadable_request",
    "unsafe_text", "value_not_stored",
)  # fmt: skip
"""Codes that core returns. The ``sentences`` of each package must have all of them."""

STATUSES: Mapping[type[Exception], int] = {
    NotAuthenticated: 401, PermissionMissing: 403, TooManyRequests: 429, Busy: 503,
}  # fmt: skip
RETRY_AFTER: Mapping[type[Exception], int] = {Busy: 1}
"""The statuses of core's own errors, and the seconds after which a client may try again."""

HANDLED: tuple[type[Exception], ...] = (
    ShopError, ValidationError, HttpError, Http404, RequestDataTooBig, SuspiciousOperation, MultiPartParserError,
    OperationalError, InternalError, IntegrityError, DataError, OverflowError, UnicodeEncodeError,
)  # fmt: skip
"""Exceptions for which ``register`` adds a handler to the host's NinjaAPI."""


def _list_codes(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted({"error", *CODES.values(), *ShopError.codes})


class FieldProblem(Schema):
    """What is wrong with one value. ``field`` is its path in the request, such as ``items.0.quantity``."""

    field: str
    code: str
    message: str


class Problem(Schema):
    """An RFC 9457 problem document. ``code`` is stable; ``type`` leads to its documentation.

    The API's document lists the codes of the routers that are loaded, and of the host's own errors.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(json_schema_extra=_list_codes)
    errors: list[FieldProblem] = []


def responses(*statuses: int) -> dict[int, type[Problem]]:
    """Error responses for ``{200: Out, **responses(404, 409)}``: these two, and those that every operation has."""
    return dict.fromkeys(sorted({400, 413, 415, 422, 429, 503, *statuses}), Problem)


@dataclass(frozen=True, kw_only=True)
class Problems:
    """The tables of one package, and the problem documents made from them.

    ``sentences``: code to the sentence that explains it, for all of ``REASONS``. ``statuses``: error class to HTTP
    status, 409 if not listed; core's ``STATUSES`` are included. ``retry_after``: error class to seconds, unless an
    error has ``retry_after`` in ``extra``. Subclasses of an error inherit both. ``type_base`` returns the URL prefix
    of problem types, or "".
    """

    sentences: Mapping[str, str | Promise]
    statuses: Mapping[type[Exception], int]
    retry_after: Mapping[type[Exception], int] = field(default_factory=dict)
    type_base: Callable[[], str] = str

    def response(
        self,
        status: int,
        detail: str = "",
        *,
        code: str = "",
        errors: Iterable[Mapping[str, str]] = (),
        extra: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> HttpResponse:
        """A problem document as a response. ``detail`` defaults to the sentence of the code.

        ``extra`` holds extension members (RFC 9457, 3.2) of plain JSON values, ``retry_after`` is in seconds.
        """
        code = code or CODES.get(status, "error")
        base = self.type_base()
        body = {
            "type": f"{base}{code}/" if base else "about:blank",
            "title": http.client.responses.get(status, ""),  # RFC 9457, 4.2.1
            "status": status,
            "detail": detail or str(self.sentences.get(code, code)),
            "code": code,
            "errors": list(errors),
            **(extra or {}),
        }
        response = HttpResponse(json.dumps(body), status=status, content_type=CONTENT_TYPE)
        if retry_after is not None:
            response["Retry-After"] = str(retry_after)
        if status == 401:
            response["WWW-Authenticate"] = "Bearer"
        return response

    def from_exception(self, error: Exception) -> HttpResponse | None:
        """The response for an error that the API reports; None for any other error, which is a bug and is raised."""
        match error:
            case ShopError():
                tables = import_string(error.problems) if error.problems else self  # those of the error's package
                return tables._from_shop_error(error)  # noqa: SLF001 - of the same class
            case ValidationError():
                return self.response(422, errors=self._field_problems(error.errors))
            case Http404():
                return self.response(404)
            case HttpError():
                return self.response(error.status_code, "" if error.status_code == 401 else str(error))
            case RequestDataTooBig():
                return self.response(413, str(self.sentences["body_too_large"]))
            case SuspiciousOperation() | MultiPartParserError():
                return self.response(400, str(self.sentences["unreadable_request"]))
            case OperationalError() | InternalError() if is_temporary(error):
                logger.error("The database refused an operation", exc_info=error)
                return self.response(503, retry_after=1)
            case IntegrityError():
                logger.error("A constraint refused an operation that validation should have refused", exc_info=error)
                return self.response(409)
            case DataError() | OverflowError() | UnicodeEncodeError():
                logger.error("A value reached the database that validation should have refused", exc_info=error)
                return self.response(422, str(self.sentences["value_not_stored"]))
        return None

    def install(self, router: Router, *, codes: Iterable[str] = ()) -> None:
        """Make every operation of a router return problem documents. Call it once, where the router is created.

        ``codes`` are those of its problem documents, which the API's document then lists.
        """
        ShopError.codes.update(codes)
        router.add_decorator(self._return_problems, mode="view")

    def register(self, api: NinjaAPI) -> None:
        """Return problem documents from a host's own operations too. Further calls do not change the responses."""
        for kind in HANDLED:
            api.add_exception_handler(kind, self._handle)
        make = api.get_openapi_schema
        api.get_openapi_schema = lambda *args, **kwargs: _declare_media_type(make(*args, **kwargs))  # type: ignore[method-assign]

    def _from_shop_error(self, error: ShopError) -> HttpResponse:
        known = type(error).__mro__
        statuses, waits = {**STATUSES, **self.statuses}, {**RETRY_AFTER, **self.retry_after}
        status = next((statuses[kind] for kind in known if kind in statuses), 409)
        wait = error.extra.get("retry_after", next((waits[kind] for kind in known if kind in waits), None))
        message = str(self.sentences[str(error)]) % error.extra if str(error) in self.sentences else str(error)
        errors = [{"field": error.field, "code": error.code, "message": message}] if error.field else []
        return self.response(status, message, code=error.code, errors=errors, extra=error.extra, retry_after=wait)

    def _handle(self, _request: HttpRequest, error: Any) -> HttpResponse:
        if (response := self.from_exception(error)) is None:
            raise error
        return response

    def _return_problems(self, run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        operation: Any = inspect.unwrap(run).__self__
        streams = getattr(operation.view_func, "reads_stream", False)  # and has a size limit of its own
        operation.methods = ReadMethods(operation.methods)
        wants_json = any(getattr(model, "__ninja_param_source__", None) == "body" for model in operation.models)

        @functools.wraps(run)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not isinstance(operation.api, _PlainAPI):
                operation.api = _PlainAPI(operation.api, self)
            try:
                if not streams:
                    bodies.check(request, wants_json=wants_json)
                return self._as_problem(run(request, *args, **kwargs))
            except bodies.BodyRefused as refused:
                return self.response(refused.status, str(self.sentences[refused.reason]))
            except Exception as error:  # noqa: BLE001 - unknown errors are raised again
                return self._handle(request, error)

        return wrapped

    def _as_problem(self, response: HttpResponseBase) -> HttpResponseBase:
        """Turn an error response of the host's exception handlers into a problem document."""
        if response.status_code < 400 or not isinstance(response, HttpResponse):
            return response
        if not response.get("Content-Type", "").startswith("application/json"):
            return response
        body = json.loads(response.content or "{}")
        detail = body.get("detail", "") if isinstance(body, dict) else ""
        is_text = isinstance(detail, str) and response.status_code != 401
        problem = self.response(response.status_code, detail if is_text else "")
        for name in ("Retry-After", "WWW-Authenticate"):
            if name in response:
                problem[name] = response[name]
        return problem

    def _field_problems(self, errors: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
        """Pydantic's errors, without the values that were sent. Our own codes become sentences."""
        for error in errors:
            field = ".".join(str(part) for part in error.get("loc", ())[1:] if part != "payload")
            text = str(error.get("msg", "")).removeprefix("Value error, ")
            message = str(self.sentences.get(text, text))
            yield {"field": field, "code": str(error.get("type", "invalid")), "message": message}


class _PlainAPI(NinjaAPI):
    """The host's NinjaAPI as our operations see it: its class, renderer and handlers do not change our responses."""

    def __init__(self, host: NinjaAPI, problems: Problems) -> None:
        vars(self).update(vars(host), renderer=JSONRenderer())
        self.host, self.problems = host, problems

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        """The host's handlers get only its own exceptions, such as a subclass of HttpError that they name."""
        handled = next((kind for kind in type(exc).__mro__ if kind in self._exception_handlers), object)
        is_ours = isinstance(exc, ShopError) or handled.__module__.startswith(("builtins", "django.", "ninja."))
        response = self.problems.from_exception(exc) if is_ours else None
        return response or self.host.on_exception(request, exc)


def _declare_media_type(document: Any) -> Any:
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation.get("responses", {}).items():
                if int(status) >= 400 and "application/json" in response.get("content", {}):
                    response["content"] = {CONTENT_TYPE: response["content"]["application/json"]}
    return document
