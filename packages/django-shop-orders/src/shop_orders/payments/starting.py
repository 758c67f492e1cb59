"""Starting a payment with a provider, which is called outside of any transaction."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.money import quantise

from shop_orders import lifecycle, phones
from shop_orders.exceptions import NotPayable, PaymentDeclined, ProviderNotReached
from shop_orders.models import Order, OrderStatus, Payment, PaymentStatus
from shop_orders.payment_providers import (
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    aliases,
    payment_provider,
)
from shop_orders.payments import account, inbox, order_status
from shop_orders.transactions import in_transaction


def start(order_id: int, *, provider: str = "", phone: str = "", return_url: str = "", base_url: str = "") -> Payment:
    """Begin to pay what is due, with the order's provider or another one.

    Returns a payment that already waits instead of starting a second one. ``phone`` is for providers that send a
    request to it; ``base_url`` is the site's address (``https://example.org``), by which the provider reaches our
    webhook.

    Raises:
        NotPayable: the order is paid, cancelled or free.
        UnknownPaymentProvider, InvalidPhone: not usable.
        PaymentDeclined: the provider refused; the payment is recorded as failed.
        ProviderUnavailable: the result is not known; repeating the call continues this payment.
    """
    number = phones.normalise(phone)
    payment, is_ours = _open_payment(order_id, provider)
    if not is_ours:
        return payment
    chosen = payment_provider(payment.provider)
    try:
        started = chosen.start(_request(payment, phone=number, return_url=return_url, base_url=base_url))
    except PaymentDeclined as error:
        account.apply_state(payment.pk, PaymentState(status="failed", error=str(error)))
        raise
    except ProviderNotReached:
        _reopen(payment.pk)
        raise
    return _record_start(payment.pk, started)


@in_transaction(Payment)
def add_data(payment_id: int, **data: Any) -> None:
    """Add to the data that a provider keeps with a payment."""
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    payment.data = {**payment.data, **data}
    payment.save(update_fields=["data", "updated_at"])


def available_providers() -> list[PaymentProvider]:
    """The configured providers in their order, for a form: ``alias`` and ``label``."""
    return [payment_provider(alias) for alias in aliases()]


@in_transaction(Payment)
def _open_payment(order_id: int, alias: str) -> tuple[Payment, bool]:
    """The payment to use (one that waits, one whose start was interrupted, or a new one), and whether to call the
    provider now. With ``start_once_for``, the call is recorded before it is made, so that a request that arrives
    meanwhile, or after a crash, finds a waiting payment and does not call the provider again.
    """
    order = lifecycle.lock(order_id)
    if not order.amount_due or order.payment_status == PaymentStatus.AUTHORISED:
        raise NotPayable
    provider = payment_provider(alias or order.payment_provider)
    payment = _waiting(order, provider)
    if payment is None:
        payment = Payment.objects.create(
            order=order, provider=provider.alias, amount=order.amount_due, currency=order.currency
        )
    if order.payment_provider != provider.alias:
        _change_provider(order, provider)
    is_ours = payment.status == Payment.Status.STARTED
    if is_ours and provider.start_once_for is not None:
        payment.status, payment.expires_at = Payment.Status.PENDING, timezone.now() + provider.start_once_for
        payment.instructions = str(provider.instructions)
        payment.save(update_fields=["status", "expires_at", "instructions", "updated_at"])
        order_status.update(order, payment)
    return payment, is_ours


def _waiting(order: Order, provider: PaymentProvider) -> Payment | None:
    """The newest open, unexpired payment with this provider whose amount is what is due."""
    waiting = order.payments.filter(provider=provider.alias, amount=order.amount_due, status__in=Payment.OPEN)
    return waiting.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now())).order_by("-id").first()


def _change_provider(order: Order, provider: PaymentProvider) -> None:
    order.payment_provider = provider.alias
    if order.status == OrderStatus.PENDING:
        time_to_pay = provider.expires_after
        order.expires_at = timezone.now() + time_to_pay if time_to_pay is not None else None
    order.save(update_fields=["payment_provider", "expires_at", "updated_at"])


def _reopen(payment_id: int) -> None:
    """The request did not reach the provider, so the next call may start the payment at once."""
    waiting = Payment.objects.filter(pk=payment_id, status=Payment.Status.PENDING, provider_reference="")
    waiting.update(status=Payment.Status.STARTED, expires_at=None, updated_at=timezone.now())


def _request(payment: Payment, *, phone: str, return_url: str, base_url: str) -> PaymentRequest:
    order = payment.order
    return PaymentRequest(
        payment_id=str(payment.public_id),
        order_number=order.number,
        amount=quantise(payment.amount, payment.currency),
        currency=payment.currency,
        description=_("Order %(number)s") % {"number": order.number},
        email=order.email,
        phone=phone or order.phone,
        name=order.contact_name,
        language=order.language,
        return_url=return_url,
        base_url=base_url,
        webhook_url=_webhook_url(base_url, payment.provider),
    )


def _webhook_url(base_url: str, alias: str) -> str:
    try:
        return base_url + reverse("shop_orders:webhook", args=[alias])
    except NoReverseMatch:
        return ""


@in_transaction(Payment)
def _record_start(payment_id: int, started: PaymentStart) -> Payment:
    order, payment = account.lock(payment_id)
    payment.provider_reference = started.reference
    payment.redirect_url = started.redirect_url
    payment.instructions = started.instructions
    payment.expires_at = started.expires_at
    payment.data = {**payment.data, **started.data}
    payment.save()
    amount = payment.amount if started.status == "captured" else None
    account.apply(order, payment, started.status, amount=amount, currency=payment.currency)
    inbox.apply_early_events(order, payment)
    return payment
