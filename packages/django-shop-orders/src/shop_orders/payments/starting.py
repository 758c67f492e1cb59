"""Starts payments. The provider is called outside of any transaction."""

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
from shop_orders.payments import account, inbox, order_status, states
from shop_orders.transactions import in_transaction, outside_transaction


@outside_transaction(Payment)
def start(order_id: int, *, provider: str = "", phone: str = "", return_url: str = "", base_url: str = "") -> Payment:
    """Start a payment of the amount due, with the order's provider or another one.

    If such a payment is already waiting, it is returned, and no second one is started. ``phone`` is for providers that
    send a payment request to a phone. ``base_url`` is the address of the site (``https://example.org``), from which
    the address of the webhook is built.

    Raises:
        NotPayable: the order is paid, cancelled or free.
        UnknownPaymentProvider, InvalidPhone: ``provider`` is not configured, or ``phone`` is not valid.
        PaymentDeclined: the provider refused; the payment is recorded as failed.
        ProviderUnavailable: the result is not known; repeating the call continues this payment.
    """
    number = phones.normalise(phone)
    payment, must_call = _open_payment(order_id, provider)
    if not must_call:
        return payment
    chosen = payment_provider(payment.provider)
    try:
        started = chosen.start(_request(payment, phone=number, return_url=return_url, base_url=base_url))
    except PaymentDeclined as error:
        states.apply_state(payment.pk, PaymentState(status="failed", error=str(error)))
        raise
    except ProviderNotReached:
        _allow_restart(payment.pk)
        raise
    return _record_start(payment.pk, started)


@in_transaction(Payment)
def add_data(payment_id: int, **data: Any) -> None:
    """Add values to the provider's ``data`` of a payment."""
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    payment.data = {**payment.data, **data}
    payment.save(update_fields=["data", "updated_at"])


def available_providers() -> list[PaymentProvider]:
    """The configured providers, in the order of the settings. A form can show their ``alias`` and ``label``."""
    return [payment_provider(alias) for alias in aliases()]


@in_transaction(Payment, durable=True)
def _open_payment(order_id: int, alias: str) -> tuple[Payment, bool]:
    """Find or create the payment to use, and return it with whether the provider must be called now.

    It must be called for a new payment and for one whose start was interrupted, not for one that is waiting. If the
    provider has ``start_once_for``, the payment becomes waiting before the call, so that neither a concurrent request
    nor one after a crash repeats the call.
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
        if order.payment_status == PaymentStatus.FAILED:
            order_status.update(order, payment)
    if order.payment_provider != provider.alias:
        _change_provider(order, provider)
    must_call = payment.status == Payment.Status.STARTED
    if must_call and provider.start_once_for is not None:
        payment.status, payment.expires_at = Payment.Status.PENDING, timezone.now() + provider.start_once_for
        payment.instructions = str(provider.instructions)
        payment.save(update_fields=["status", "expires_at", "instructions", "updated_at"])
        order_status.update(order, payment)
    return payment, must_call


def _waiting(order: Order, provider: PaymentProvider) -> Payment | None:
    """The newest open, unexpired payment with this provider over the whole amount due."""
    waiting = order.payments.filter(provider=provider.alias, amount=order.amount_due, status__in=Payment.OPEN)
    return waiting.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now())).order_by("-id").first()


def _change_provider(order: Order, provider: PaymentProvider) -> None:
    order.payment_provider = provider.alias
    if order.status == OrderStatus.PENDING:
        time_to_pay = provider.expires_after
        order.expires_at = timezone.now() + time_to_pay if time_to_pay is not None else None
    order.save(update_fields=["payment_provider", "expires_at", "updated_at"])


@in_transaction(Payment, durable=True)
def _allow_restart(payment_id: int) -> None:
    """Let the next call start the payment at once, because the request did not reach the provider."""
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


@in_transaction(Payment, durable=True)
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
