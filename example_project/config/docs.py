"""The API's documentation pages. They load nothing from other hosts and have no inline scripts."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import shop_catalog.api.codes
import shop_notify.api.codes
import shop_orders.api.codes
import shop_orders.contrib.allauth.api
from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from config.api import api

SWAGGER_SETTINGS: Mapping[str, Any] = {"deepLinking": True, "persistAuthorization": True, "tryItOutEnabled": True}
MEANINGS: Mapping[str, str] = {
    **shop_catalog.api.codes.MEANINGS,
    **shop_notify.api.codes.MEANINGS,
    **shop_orders.api.codes.MEANINGS,
    **shop_orders.contrib.allauth.api.MEANINGS,
}


@require_safe
def schema(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    return HttpResponse(_schema(), content_type="application/json")


@cache
def _schema() -> bytes:
    """The OpenAPI document. It does not change while the process runs."""
    return JsonResponse(api.get_openapi_schema()).content


@require_safe
@ensure_csrf_cookie
def swagger(request: HttpRequest) -> HttpResponse:
    redirect = request.build_absolute_uri(reverse("swagger_redirect"))
    ui = {**SWAGGER_SETTINGS, "url": reverse("schema"), "oauth2RedirectUrl": redirect}
    return render(
        request, "config/swagger.html", {"ui": ui, "client_id": settings.SWAGGER_CLIENT_ID, "title": api.title}
    )


@require_safe
def swagger_redirect(request: HttpRequest) -> HttpResponse:
    """The redirect URI of Swagger's Authorize button: the OpenID Provider sends the code here."""
    return render(request, "config/swagger_redirect.html")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "config/redoc.html", {"schema_url": reverse("schema"), "title": api.title})


@require_safe
@cache_control(max_age=86_400, public=True)
def redoc_script(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """ReDoc's bundle without the logo that it would load from its vendor."""
    return HttpResponse(_redoc_script(), content_type="text/javascript")


@cache
def _redoc_script() -> bytes:
    path = finders.find("ninja/redoc.standalone.js")
    if path is None:
        raise Http404
    return Path(path).read_bytes().replace(b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,")


@require_safe
def problem(request: HttpRequest, code: str) -> HttpResponse:
    """The page to which the ``type`` of a problem document points."""
    if code not in MEANINGS:
        raise Http404
    return render(request, "config/problem.html", {"code": code, "help": MEANINGS[code], "codes": MEANINGS})
