"""Payments: started, recorded and captured. The network is never touched inside a transaction.

Every change locks the order first, then the payment, then the inbox: the order in which nothing waits in a circle.
Refunds, the inbox and reconciliation have modules of their own; their verbs are found here too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders import events, inbox, lifecycle, payment_states, payment_status, phones
from shop_orders.exceptions import NotPayable, PaymentDeclined, ProviderNotReached, UnknownPaymentProvider
from shop_orders.inbox import apply_event
from shop_orders.locking import in_transaction
from shop_orders.models import OrderStatus, Payment, PaymentStatus
from shop_orders.money import as_text, quantise
from shop_orders.payment_providers import (
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    aliases,
    payment_provider,
)
from shop_orders.payment_states import note_state
from shop_orders.reconciliation import ask, expire_due, reconcile, send_due_refunds
from shop_orders.refunds import queue_refund, refund, send_refund

__all__ = [
    "apply_event",
    "ask",
    "capture",
    "expire_due",
    "note_state",
    "queue_refund",
    "reconcile",
    "record_payment",
    "refund",
    "remember",
    "resolve",
    "send_due_refunds",
    "send_refund",
    "start",
    "ways_to_pay",
]


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


def record_payment(
    order_id: int, *, amount: Decimal | None = None, provider: str = "", by: Any = None, notify: bool = True
) -> Payment:
    """Staff saw the money: note it for a provider that nobody else speaks for (pay on delivery, bank transfer).

    ``amount`` is what came, by default all that is due.

    Raises:
        NotPayable: nothing is due, or more than that came.
        UnknownPaymentProvider: the provider is not one that people speak for.
    """

    def work() -> Payment:
        order = lifecycle.lock(order_id)
        alias = provider or order.payment_provider
        if not payment_provider(alias).is_manual:
            raise UnknownPaymentProvider(alias)
        came = order.amount_due if amount is None else quantise(amount, order.currency)
        if not 0 < came <= order.amount_due:
            raise NotPayable
        payment = order.payments.filter(provider=alias, amount=came, status__in=Payment.OPEN).first()
        if payment is None:
            payment = Payment.objects.create(
                order=order, provider=alias, amount=came, currency=order.currency, status=Payment.Status.PENDING
            )
        payment_states.apply(order, payment, "captured", amount=came, currency=order.currency, by=by, notify=notify)
        return payment

    return in_transaction(work)


def capture(payment_id: int, *, by: Any = None, notify: bool = True) -> Payment:
    """Take the money that a provider holds for us. Capturing what was captured changes nothing.

    Raises:
        NotPayable: the payment is not authorised, or its order is cancelled.
        PaymentDeclined, ProviderUnavailable: the provider did not do it.
    """
    payment = Payment.objects.select_related("order").get(pk=payment_id)
    if payment.status == Payment.Status.CAPTURED:
        return payment
    if payment.status != Payment.Status.AUTHORISED or payment.order.status == OrderStatus.CANCELLED:
        raise NotPayable
    state = payment_provider(payment.provider).capture(
        payment.data, reference=payment.provider_reference, amount=payment.amount, currency=payment.currency
    )
    return note_state(payment_id, state, by=by, notify=notify)


def resolve(payment_id: int, *, amount: Decimal, by: Any = None, notify: bool = True) -> Payment:
    """Staff found out what came of a held payment: ``amount`` in the order's currency, 0 for nothing.

    It counts as any other money: what is still due can be paid, what is too much goes back.

    Raises:
        NotPayable: the payment is not held.
    """

    def work() -> Payment:
        order, payment = payment_states.lock(payment_id)
        came = quantise(amount, order.currency)
        if payment.status != Payment.Status.HELD or came < 0:
            raise NotPayable
        text = _("%(amount)s %(currency)s came of a payment that was held: %(error)s")
        words = {"amount": as_text(came, order.currency), "currency": order.currency, "error": payment.error}
        events.record(order, "payment_resolved", is_public=False, by=by, message=text % words)
        if came:
            payment_states.book(order, payment, came, by=by, notify=notify)
        else:
            payment.status = Payment.Status.CANCELLED
            payment.save(update_fields=["status", "updated_at"])
            payment_status.update(order, payment, by=by, notify=notify)
        return payment

    return in_transaction(work)


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
        payment_status.update(order, payment)
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
    order, payment = payment_states.lock(payment_id)
    payment.provider_reference = answer.reference
    payment.redirect_url = answer.redirect_url
    payment.instructions = answer.instructions
    payment.expires_at = answer.expires_at
    payment.data = {**payment.data, **answer.data}
    payment.save()
    amount = payment.amount if answer.status == "captured" else None
    payment_states.apply(order, payment, answer.status, amount=amount, currency=payment.currency)
    inbox.take_early(order, payment)
    return payment
