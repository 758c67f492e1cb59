"""The inbox of the demo: every message that the shop sent, and the handset on which M-Pesa rings."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe
from shop_notify.models import Notification

from demo import daraja
from demo.forms import PayByHandForm, PayTillForm
from demo.gateway import FAIL_NEXT
from demo.models import Mail, MobileRequest, MobileTransfer, Switch, Text

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
            {
                "mails": [_mail(row) for row in mails[:100]],
                "texts": [_text(row) for row in texts[:100]],
                "requests": [_request(row) for row in daraja.waiting(to.lstrip("+"))],
            }
        )
    context = {
        "to": to,
        "mails": Paginator(mails, PER_PAGE).get_page(request.GET.get("mails")),
        "texts": Paginator(texts, PER_PAGE).get_page(request.GET.get("texts")),
        "waiting": Notification.objects.filter(state__in=["queued", "sending"]).count(),
        "requests": daraja.waiting(to.lstrip("+")),
        "transfers": MobileTransfer.objects.all()[:5],
        "form": _form_by_hand()(),
        "is_till": daraja.is_till(),
        "business_number": daraja.shop_number(),
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


@require_POST
def answer_request(request: HttpRequest, number: int) -> HttpResponse:
    """Enter the PIN on the handset, or refuse, or let the request time out. The report to the shop can be lost."""
    row = get_object_or_404(MobileRequest, pk=number)
    pin = request.POST.get("pin", "")
    is_pin = len(pin) == 4 and pin.isascii() and pin.isdigit()
    results = {"refuse": daraja.CANCELLED, "time_out": daraja.TIMED_OUT}
    result = results.get(request.POST.get("answer", ""), daraja.PAID if is_pin else daraja.WRONG_PIN)
    daraja.answer_request(row, result, is_lost=request.POST.get("answer") == "lose")
    return redirect("demo:inbox")


@require_POST
def pay_by_hand(request: HttpRequest) -> HttpResponse:
    """Send money from the handset to the shop's number, as customers do when no request arrives."""
    form = _form_by_hand()(request.POST)
    if form.is_valid():
        transfer = daraja.send_by_hand(**form.cleaned_data)
        text = _("%(amount)s sent. Receipt: %(receipt)s")
        messages.success(request, text % {"amount": f"KES {transfer.amount:.0f}", "receipt": transfer.receipt})
    else:
        messages.error(request, _("Enter a phone number and a whole amount."))
    return redirect("demo:inbox")


def _form_by_hand() -> type[PayByHandForm]:
    return PayTillForm if daraja.is_till() else PayByHandForm


def _request(row: MobileRequest) -> dict[str, Any]:
    return {"id": row.pk, "phone": row.phone, "amount": f"{row.amount:.2f}", "account": row.account}


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
