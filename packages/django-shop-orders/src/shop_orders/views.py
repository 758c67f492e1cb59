"""The page of the test provider."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.test import RequestFactory
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods
from shop_core.db.transactions import non_atomic
from shop_core.money import as_text

from shop_orders import payments, webhooks
from shop_orders.exceptions import UnknownPaymentProvider
from shop_orders.models import Payment
from shop_orders.payment_providers import HostedTestProvider, payment_provider

OUTCOMES = {"pay": "captured", "authorise": "authorised", "refuse": "failed", "lose": "captured"}


@non_atomic
@require_http_methods(["GET", "POST"])
def hosted_test(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """Pay, refuse, authorise, or pay without a webhook. Only the customer who started the payment knows the URL."""
    payment = get_object_or_404(Payment.objects.select_related("order"), public_id=payment_id)
    provider = _provider(payment)
    is_over = payment.expires_at is not None and payment.expires_at <= timezone.now()
    is_open = payment.is_open and not is_over
    context = {"payment": payment, "amount": as_text(payment.amount, payment.currency), "is_open": is_open}
    if request.method == "GET" or not is_open:
        return render(request, "shop_orders/hosted_test.html", context)
    choice = request.POST.get("choice", "")
    if choice not in OUTCOMES:
        return render(request, "shop_orders/hosted_test.html", context, status=400)
    payments.add_data(payment.pk, outcome=OUTCOMES[choice])
    if choice != "lose":
        _call_webhook(provider, payment, OUTCOMES[choice])
    target = str(payment.data.get("return_url", ""))
    if target and url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(target)  # redirect() would look for a URL pattern with this name
    payment.refresh_from_db()
    return render(request, "shop_orders/hosted_test.html", {**context, "is_open": False})


def _provider(payment: Payment) -> HostedTestProvider:
    try:
        provider = payment_provider(payment.provider)
    except UnknownPaymentProvider:
        raise Http404
    if not isinstance(provider, HostedTestProvider):
        raise Http404
    return provider


def _call_webhook(provider: HostedTestProvider, payment: Payment, kind: str) -> None:
    """Handle a signed webhook call, as a real provider would send it over the network."""
    amount = as_text(payment.amount, payment.currency) if kind == "captured" else ""
    body, headers = provider.signed_call(
        kind=kind, reference=payment.provider_reference, amount=amount, currency=payment.currency
    )
    call = RequestFactory().post("/", body, content_type="application/json", headers=headers)
    webhooks.webhook(call, alias=provider.alias)
