"""Calls of allauth's headless API for apps, from inside a request, by URL name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from django.http import HttpRequest
from django.urls import resolve, reverse


@dataclass(frozen=True)
class Result:
    """The response of a headless view. https://docs.allauth.org/en/latest/headless/openapi-specification/"""

    status: int
    data: Mapping[str, Any]
    meta: Mapping[str, Any]
    errors: tuple[Mapping[str, Any], ...]
    retry_after: int | None = None

    @property
    def error_codes(self) -> frozenset[str]:
        return frozenset(str(error.get("code", "")) for error in self.errors)

    @property
    def pending_flow(self) -> Mapping[str, Any]:
        """The step that has to be done next, {} if there is none."""
        return next((flow for flow in self.data.get("flows", ()) if flow.get("is_pending")), {})


def url(name: str) -> str:
    """The path of a headless operation for apps, such as ``account:login``."""
    return reverse(f"headless:app:{name}")


def call(
    request: HttpRequest, name: str, body: Mapping[str, Any] | None = None, *, method: str = "POST", token: str = ""
) -> Result:
    """Run a headless view on this request, with another method and body, and restore the request.

    It must be this request: allauth's middleware stores it, and its flows write their session to the stored request.
    ``token`` is the access token that the view sees; the view does not see the credentials of the caller.
    """
    view = resolve(url(name))
    with _replaced_request(request, method, json.dumps(body or {}).encode(), token):
        try:
            response = view.func(request, *view.args, **view.kwargs)
        except ImmediateHttpResponse as stop:
            response = stop.response
    try:
        content = json.loads(response.content)
    except ValueError:
        content = {}
    return Result(
        status=response.status_code,
        data=content.get("data") or {},
        meta=content.get("meta") or {},
        errors=tuple(content.get("errors") or ()),
        retry_after=int(response.get("Retry-After") or 0) or None,
    )


@contextmanager
def _replaced_request(request: HttpRequest, method: str, body: bytes, token: str) -> Iterator[None]:
    credentials = {"HTTP_AUTHORIZATION", "HTTP_X_SESSION_TOKEN", "HTTP_COOKIE"}
    meta = {name: value for name, value in request.META.items() if name not in credentials}
    meta |= {"REQUEST_METHOD": method, "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    if token:
        meta["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    attributes = request.__dict__
    replaced = {"method": method, "_body": body, "META": meta, "COOKIES": {}}
    kept = {name: attributes[name] for name in (*replaced, "headers") if name in attributes}
    attributes.pop("headers", None)
    attributes.update(replaced)
    try:
        yield
    finally:
        for name in (*replaced, "headers"):
            attributes.pop(name, None)
        attributes.update(kept)
