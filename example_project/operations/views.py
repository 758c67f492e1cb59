"""Addresses for machines: is the process alive, can it do its work, how much has it done?"""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from operations import metrics as figures
from operations import probes


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """The process answers. Nothing else is asked, so that a lost database restarts nobody."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether the shop can do its work; 503 names what it lacks. ``?only=database,migrations`` asks less.

    A balancer asks for what one process needs itself: a queue that stands still is no reason to send visitors away.
    """
    only = {name for name in request.GET.get("only", "").split(",") if name}
    if unknown := sorted(only - probes.READY.keys()):
        return JsonResponse({"status": "unknown", "known": sorted(probes.READY), "unknown": unknown}, status=400)
    failed = {name: text for name, text in _asked(only).items() if text}
    warnings = {} if only else {name: text for name, text in probes.ask(probes.WARNINGS).items() if text}
    answer = {"status": "failed" if failed else "ok", "failed": failed, "warnings": warnings}
    return JsonResponse(answer, status=503 if failed else 200)


def _asked(only: set[str]) -> dict[str, str]:
    return probes.ask({name: probe for name, probe in probes.READY.items() if not only or name in only})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text format, for whoever brings METRICS_TOKEN as a bearer token."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        refused = HttpResponse("A bearer token is needed.\n", status=401, content_type="text/plain")
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(figures.render(), content_type=figures.CONTENT_TYPE)
