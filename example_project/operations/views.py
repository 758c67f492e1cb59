"""Endpoints for machines: liveness, readiness and metrics."""

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
    """The process is alive. Nothing else is checked, so that a database outage restarts no process."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether the shop is ready; 503 lists the failed probes. ``?only=database,migrations`` limits the probes.

    A load balancer should ask only for what the process itself needs: a stuck queue is no reason to stop serving
    pages.
    """
    only = {name for name in request.GET.get("only", "").split(",") if name}
    if unknown := sorted(only - probes.READY.keys()):
        return JsonResponse({"status": "unknown", "known": sorted(probes.READY), "unknown": unknown}, status=400)
    asked = {name: probe for name, probe in probes.READY.items() if not only or name in only}
    found = probes.run({**asked, **({} if only else probes.WARNINGS)})
    failed = {name: text for name, text in found.items() if text and name in probes.READY}
    warnings = {name: text for name, text in found.items() if text and name in probes.WARNINGS}
    content = {"status": "failed" if failed else "ok", "failed": failed, "warnings": warnings}
    response = JsonResponse(content, status=503 if failed else 200)
    if failed:
        response["Retry-After"] = "5"
    return response


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics in Prometheus' text format, for requests with METRICS_TOKEN as a bearer token."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        refused = HttpResponse("A bearer token is needed.\n", status=401, content_type="text/plain")
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(figures.render(), content_type=figures.CONTENT_TYPE)
