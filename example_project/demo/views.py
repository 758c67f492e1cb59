"""The inbox of the demo: every message that the shop sent."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe
from shop_notify.models import Notification

from demo.gateway import FAIL_NEXT
from demo.models import Mail, Switch, Text

PER_PAGE = 20


@require_safe
@never_cache
def inbox(request: HttpRequest) -> HttpResponse:
    """Mails and SMS, newest first, also as JSON; ``?to=`` narrows to one address or number."""
    to = request.GET.get("to", "").replace("\0", "")
    mails, texts = Mail.objects.all(), Text.objects.all()
    if to:
        mails, texts = mails.filter(recipient__iexact=to), texts.filter(phone=to)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(
            {"mails": [_mail(row) for row in mails[:100]], "texts": [_text(row) for row in texts[:100]]}
        )
    context = {
        "to": to,
        "mails": Paginator(mails, PER_PAGE).get_page(request.GET.get("mails")),
        "texts": Paginator(texts, PER_PAGE).get_page(request.GET.get("texts")),
        "waiting": Notification.objects.filter(state__in=["queued", "sending"]).count(),
        "will_fail": Switch.objects.filter(name=FAIL_NEXT).exists(),
    }
    return render(request, "demo/inbox.html", context)


@require_safe
@xframe_options_sameorigin
def mail(request: HttpRequest, number: int) -> HttpResponse:  # noqa: ARG001
    """The HTML of an e-mail, for a frame: without scripts and external content."""
    response = HttpResponse(get_object_or_404(Mail, pk=number).html)
    response["Content-Security-Policy"] = (
        "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox"
    )
    return response


@require_POST
def fail_next_sms(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Let the gateway report the next SMS as failed, to show the fallback; a second call undoes it."""
    _switch, is_new = Switch.objects.get_or_create(name=FAIL_NEXT)
    if not is_new:
        Switch.objects.filter(name=FAIL_NEXT).delete()
    return redirect("demo:inbox")


def _mail(row: Mail) -> dict[str, Any]:
    return {
        "received_at": row.received_at.isoformat(),
        "from": row.sender,
        "to": row.recipient,
        "subject": row.subject,
        "text": row.text,
        "html": row.html,
    }


def _text(row: Text) -> dict[str, Any]:
    return {
        "received_at": row.received_at.isoformat(),
        "from": row.sender,
        "to": row.phone,
        "text": row.text,
        "segments": row.segments,
        "cost": row.cost,
        "message_id": row.message_id,
        "report": row.report,
        "reported_at": row.reported_at.isoformat() if row.reported_at else None,
    }
