"""What comes in from outside: delivery reports, and recipients who unsubscribe."""

from __future__ import annotations

import logging

from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from shop_notify import reports, unsubscribing
from shop_notify.exceptions import NotMutable, ReportRefused, UnknownNotifier
from shop_notify.notifiers import registry

logger = logging.getLogger(__name__)

MAX_REPORT_BYTES = 256 * 1024


@csrf_exempt
@require_http_methods(["GET", "POST"])
def delivery_report(request: HttpRequest, alias: str, secret: str = "") -> HttpResponse:  # noqa: ARG001
    """Take a provider's delivery reports. 404 for whoever does not prove to be the provider."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_REPORT_BYTES:
        return HttpResponse(status=413)
    try:
        notifier = registry.get_notifier(alias)
        challenge = notifier.answer_challenge(request)
        if challenge is not None:
            return challenge
        reports.receive(alias, notifier.read_report(request))
    except UnknownNotifier:
        raise Http404 from None
    except ReportRefused:
        logger.warning("A delivery report for %s was refused", alias)
        raise Http404 from None
    return HttpResponse(status=200)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST mutes: mail scanners follow links, and RFC 8058 has the mail program send a POST."""
    try:
        _key, group, _alias = unsubscribing.read(token)
        if request.method == "POST":
            unsubscribing.unsubscribe(token)
    except (BadSignature, NotMutable, ValueError):
        raise Http404 from None
    return render(request, "shop_notify/unsubscribe.html", {"group": group, "done": request.method == "POST"})
