"""Views that providers and recipients call: delivery reports and unsubscribing."""

from __future__ import annotations

import logging

from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from shop_core.db.transactions import non_atomic
from shop_core.exceptions import Busy

from shop_notify.delivery import reports
from shop_notify.exceptions import NotMutable, ReportRefused, UnknownNotifier
from shop_notify.notifiers.registry import notifier_class
from shop_notify.recipients import unsubscribing

logger = logging.getLogger(__name__)


@non_atomic
@csrf_exempt
@require_http_methods(["GET", "POST"])
def delivery_report(request: HttpRequest, alias: str, secret: str = "") -> HttpResponse:  # noqa: ARG001
    """Receive a provider's delivery reports. A caller that does not prove that it is the provider gets a 404."""
    length = str(request.META.get("CONTENT_LENGTH") or "")
    try:
        limit = notifier_class(alias).max_report_bytes
        if not (_is_at_most(length, limit) if length else _read_at_most(request, limit)):
            return HttpResponse(status=413)
        challenge = reports.receive_request(alias, request)
    except UnknownNotifier:
        raise Http404 from None
    except Busy:
        # The provider repeats the call. Reports that are already recorded are ignored then.
        return HttpResponse(status=503, headers={"Retry-After": "5"})
    except ReportRefused:
        logger.warning("A delivery report for %s was refused", alias)
        raise Http404 from None
    return challenge or HttpResponse(status=200)


def _is_at_most(length: str, limit: int) -> bool:
    return length.isascii() and length.isdigit() and int(length[:20]) <= limit


def _read_at_most(request: HttpRequest, limit: int) -> bool:
    """Read a body that is sent in chunks, without a length, into the request, unless it is longer than the limit.

    ``request.body`` would read all of it into memory. It returns ``_body`` if that is set.
    """
    body = request.read(limit + 1)
    request._body = body  # noqa: SLF001
    return len(body) <= limit


@csrf_exempt
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks for confirmation, POST mutes: mail scanners follow links, and mail programs send a POST (RFC 8058)."""
    try:
        _key, group, _alias = unsubscribing.read_token(token)
        if request.method == "POST":
            unsubscribing.unsubscribe(token)
    except (BadSignature, NotMutable, ValueError):
        raise Http404 from None
    return render(request, "shop_notify/unsubscribe.html", {"group": group, "done": request.method == "POST"})
