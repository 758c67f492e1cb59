"""The view that payment providers call. The provider class verifies the call before its events are applied."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from shop_core.db.transactions import non_atomic

from shop_orders.exceptions import Busy, InvalidWebhook, ProviderUnavailable, UnknownPaymentProvider
from shop_orders.payment_providers import IncomingPaymentEvent, PaymentEvent, payment_provider
from shop_orders.payments import inbox, incoming

MAX_BODY_BYTES = 256 * 1024
MAX_DIGITS = 18


@non_atomic
@csrf_exempt
@require_POST
def webhook(request: HttpRequest, alias: str, secret: str = "") -> HttpResponse:  # noqa: ARG001 - read by providers
    """Apply the events of one call. Responds 400 if it was not verified, and 503 if the provider must repeat it."""
    try:
        provider = payment_provider(alias)
    except UnknownPaymentProvider:
        return _refusal("not_found", 404)
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not (length.isascii() and length.isdigit()):
        return _refusal(InvalidWebhook.code, 400)
    if len(length) > MAX_DIGITS or int(length) > MAX_BODY_BYTES or len(request.body) > MAX_BODY_BYTES:
        return _refusal("too_large", 413)
    try:
        _apply(alias, list(provider.read_webhook(request)))
    except (InvalidWebhook, RecursionError):  # JSON that is nested too deep
        return _refusal(InvalidWebhook.code, 400)
    except (Busy, ProviderUnavailable) as error:
        return _refusal(error.code, 503)
    return provider.webhook_response()


def _apply(alias: str, events: Sequence[PaymentEvent | IncomingPaymentEvent]) -> None:
    """Apply the events of a call. One statement finds those that were decided before, so a repeated call with many
    events is fast."""
    reports = [event for event in events if not isinstance(event, IncomingPaymentEvent)]
    decided = inbox.decided(alias, reports) if len(reports) > 1 else {}
    orders = dict.fromkeys(decided.values())
    for event in events:
        if isinstance(event, IncomingPaymentEvent):
            incoming.receive(alias, event)
        elif event.event_id not in decided and (payment := inbox.apply_event(alias, event).payment) is not None:
            orders[payment.order_id] = None
    for order_id in orders:
        incoming.retry_for_order(order_id)


def _refusal(code: str, status: int) -> HttpResponse:
    return HttpResponse(code, status=status, content_type="text/plain")
