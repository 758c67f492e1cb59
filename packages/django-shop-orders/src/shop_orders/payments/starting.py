"""Starting a payment with a provider, which is called outside of any transaction."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders import lifecycle, phones
from shop_orders.exceptions import NotPayable, PaymentDeclined, ProviderNotReached
from shop_orders.locking import in_transaction
from shop_orders.models import OrderStatus, Payment, PaymentStatus
from shop_orders.money import quantise
from shop_orders.payment_providers import (
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    aliases,
    payment_provider,
)
from shop_orders.payments import account, inbox, order_status
from shop_orders.payments.account import note_state


def start(order_id: int, *, provider: str = "", phone: str = "", return_url: str = "", base_url: str = "") -> Payment:
    """Begin to pay what is due, with the order's provider or another one.

    A payment that waits already is answered again. ``phone`` is for providers that ring it; ``base_url`` is the site's
    address (``https://example.org``), by which the provider reaches our webhook.

    Raises:
        NotPayable: the order is paid, cancelled or free.
        UnknownPaymentProvider, InvalidPhone: not usable.
        PaymentDeclined: the provider refused; the payment is noted as failed.
        ProviderUnavailable: nothing is known; the same call later goes on where this one stopped.
    """
    number = phones.normalise(phone)
    payment, is_ours = in_transaction(lambda: _open_payment(order_id, provider))
    if not is_ours:
        return payment
    chosen = payment_provider(payment.provider)
    try:
        answer = chosen.start(_request(payment, phone=number, return_url=return_url, base_url=base_url))
    except PaymentDeclined as error:
        note_state(payment.pk, PaymentState(status="failed", error=str(error)))
        raise
    except ProviderNotReached:
        _forget_try(payment.pk)
        raise
    return in_transaction(lambda: _note_start(payment.pk, answer))


def remember(payment_id: int, **data: Any) -> None:
    """Add to the data that a provider keeps with a payment."""
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(pk=payment_id)
        payment.data = {**payment.data, **data}
        payment.save(update_fields=["data", "updated_at"])


def ways_to_pay() -> list[PaymentProvider]:
    """The configured providers in their order, for a form: ``alias`` and ``label``."""
    return [payment_provider(alias) for alias in aliases()]


def _open_payment(order_id: int, alias: str) -> tuple[Payment, bool]:
    """The payment to go on with: one that waits, one whose start was interrupted, or a new one.

    And whether the caller shall ask the provider now. Where a second question would act twice, the first is noted
    before it is asked: who comes again meanwhile, or after a crash, finds a payment that waits.
    """
    order = lifecycle.lock(order_id)
    if not order.amount_due or order.payment_status == PaymentStatus.AUTHORISED:
        raise NotPayable
    alias = alias or order.payment_provider
    provider = payment_provider(alias)
    now = timezone.now()
    waiting = order.payments.filter(provider=alias, amount=order.amount_due, status__in=Payment.OPEN)
    payment = waiting.filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by("-id").first()
    if payment is None:
        payment = Payment.objects.create(order=order, provider=alias, amount=order.amount_due, currency=order.currency)
    if order.payment_provider != alias:
        order.payment_provider = alias
        if order.status == OrderStatus.PENDING:
            order.expires_at = now + provider.expires_after if provider.expires_after is not None else None
        order.save(update_fields=["payment_provider", "expires_at", "updated_at"])
    is_ours = payment.status == Payment.Status.STARTED
    if is_ours and provider.start_once_for is not None:
        payment.status, payment.expires_at = Payment.Status.PENDING, now + provider.start_once_for
        payment.instructions = str(provider.instructions)
        payment.save(update_fields=["status", "expires_at", "instructions", "updated_at"])
        order_status.update(order, payment)
    return payment, is_ours


def _forget_try(payment_id: int) -> None:
    """Nothing left for the provider: the next call may ask at once."""
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


def _note_start(payment_id: int, answer: PaymentStart) -> Payment:
    order, payment = account.lock(payment_id)
    payment.provider_reference = answer.reference
    payment.redirect_url = answer.redirect_url
    payment.instructions = answer.instructions
    payment.expires_at = answer.expires_at
    payment.data = {**payment.data, **answer.data}
    payment.save()
    amount = payment.amount if answer.status == "captured" else None
    account.apply(order, payment, answer.status, amount=amount, currency=payment.currency)
    inbox.take_early(order, payment)
    return payment
