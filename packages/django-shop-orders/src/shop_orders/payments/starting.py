"""Starts payments. The provider is called outside of any transaction.

Each call is counted before it is made, and its parameters are stored. A call whose result is not known is repeated
with the same id and the same parameters before the payment is closed or held.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.db.rows import as_stored
from shop_core.money import quantise

from shop_orders import lifecycle, phones
from shop_orders.exceptions import NotPayable, PaymentDeclined, ProviderNotReached
from shop_orders.models import Order, OrderStatus, Payment, PaymentStatus, texts
from shop_orders.payment_providers import PaymentProvider, PaymentRequest, PaymentStart, payment_provider
from shop_orders.payments import account, choosing, closing, inbox, order_status, watching
from shop_orders.transactions import in_transaction, outside_transaction

PAYMENT_FIELDS = ("payment_id", "amount", "currency")
"""The fields of a request that are columns of the payment."""


@outside_transaction(Payment)
def start(order_id: int, *, provider: str = "", phone: str = "", return_url: str = "", base_url: str = "") -> Payment:
    """Start a payment of the amount due, with the order's provider or another one.

    If such a payment is already waiting, it is returned, and no second one is started. ``phone`` is for providers that
    send a payment request to a phone. ``base_url`` is the URL of the site (``https://example.org``), from which the
    URL of the webhook is built.

    Raises:
        NotPayable: the order is paid, cancelled or free, or its time to pay is over.
        CannotChangeProvider: ``provider`` can only be chosen at checkout.
        PaymentNotPossible: the order lacks what the provider needs.
        UnknownPaymentProvider, InvalidPhone: ``provider`` is not configured, or ``phone`` is not valid.
        PaymentDeclined: the provider refused; the payment is recorded as failed.
        ProviderUnavailable: the result is not known; repeating the call continues this payment.
        InvalidInput: a URL has a character that cannot be stored.
    """
    texts.check_plain(return_url=return_url, base_url=base_url)
    number = phones.normalise(phone)
    payment, must_call = _open_payment(order_id, provider, phone=number, return_url=return_url, base_url=base_url)
    if not must_call:
        return payment
    payment = call(payment)
    if payment.is_open and not closing.needs_payment(payment.order):
        closing.close_if_possible(payment)  # the order was cancelled or paid while the call was on its way
        raise NotPayable
    return payment


@outside_transaction(Payment)
def call(payment: Payment) -> Payment:
    """Call the provider for a payment whose call was counted, and record the result.

    Raises:
        PaymentDeclined: the provider refused.
        ProviderUnavailable: the result is not known.
    """
    try:
        started = payment_provider(payment.provider).start(_request_of(payment))
    except PaymentDeclined as error:
        _record_refusal(payment.pk, str(error))
        raise
    except ProviderNotReached:
        _record_not_sent(payment.pk)
        raise
    return _record_start(payment.pk, started)


@in_transaction(Payment, durable=True)
def count_repetition(payment_id: int) -> Payment | None:
    """Count the call that the periodic job repeats. Returns None if the result of an earlier one is known by now."""
    _order, payment = account.lock(payment_id)
    if not payment.unknown_starts:
        return None
    payment.unknown_starts += 1
    payment.save(update_fields=["unknown_starts", "updated_at"])
    return payment


@in_transaction(Payment)
def add_data(payment_id: int, **data: Any) -> None:
    """Add values to the provider's ``data`` of a payment."""
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    payment.data = {**payment.data, **data}
    payment.save(update_fields=["data", "updated_at"])


@in_transaction(Payment, durable=True)
def _open_payment(order_id: int, alias: str, *, phone: str, return_url: str, base_url: str) -> tuple[Payment, bool]:
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
    if payment is None or (payment.status == Payment.Status.STARTED and not payment.unknown_starts):
        choosing.check(order, provider, phone=phone)
    if payment is None:
        payment = _new_payment(order, provider)
    choosing.change(order, provider)
    must_call = payment.status == Payment.Status.STARTED
    if must_call:
        _count_call(payment, provider, phone=phone, return_url=return_url, base_url=base_url)
        order_status.update(order, payment)
    return payment, must_call


def _new_payment(order: Order, provider: PaymentProvider) -> Payment:
    deadline = choosing.deadline(order, provider)
    if order.status == OrderStatus.PENDING and deadline is not None and deadline <= timezone.now():
        raise NotPayable(_("The time to pay this order is over. Order again."))
    payment = Payment(order=order, provider=provider.alias, amount=order.amount_due, currency=order.currency)
    watching.schedule(payment)
    payment.save()
    return payment


def _count_call(payment: Payment, provider: PaymentProvider, *, phone: str, return_url: str, base_url: str) -> None:
    """Record the call before it is made. A call that may have been sent before is repeated with the same
    parameters."""
    if not payment.unknown_starts:
        payment.request = _parameters(payment.order, provider, phone=phone, return_url=return_url, base_url=base_url)
    payment.unknown_starts += 1
    if provider.start_once_for is not None:
        payment.status, payment.expires_at = Payment.Status.PENDING, _end_of_attempt(payment)
        payment.instructions = str(provider.instructions)
    watching.schedule(payment)
    payment.save()


def _waiting(order: Order, provider: PaymentProvider) -> Payment | None:
    """The newest open, unexpired payment with this provider over the whole amount due."""
    waiting = order.payments.filter(provider=provider.alias, amount=order.amount_due, status__in=Payment.OPEN)
    return waiting.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now())).order_by("-id").first()


def _parameters(
    order: Order, provider: PaymentProvider, *, phone: str, return_url: str, base_url: str
) -> dict[str, str]:
    return {
        "order_number": order.number,
        "description": _("Order %(number)s") % {"number": order.number},
        "email": order.email,
        "phone": phone or order.phone,
        "name": order.contact_name,
        "language": order.language,
        "return_url": return_url,
        "base_url": base_url,
        "webhook_url": _webhook_url(base_url, provider.alias),
    }


def _request_of(payment: Payment) -> PaymentRequest:
    """The request of a payment, the same at every call."""
    known = {field.name for field in fields(PaymentRequest)} - set(PAYMENT_FIELDS)
    kept = {name: value for name, value in payment.request.items() if name in known}
    return PaymentRequest(
        payment_id=str(payment.public_id),
        amount=quantise(payment.amount, payment.currency),
        currency=payment.currency,
        **{"order_number": payment.order.number, "description": payment.order.number, **kept},
    )


def _webhook_url(base_url: str, alias: str) -> str:
    try:
        return base_url + reverse("shop_orders:webhook", args=[alias])
    except NoReverseMatch:
        return ""


def _end_of_attempt(payment: Payment) -> datetime | None:
    """When an attempt ends that starts now, by the provider's ``start_once_for``."""
    lasts = payment_provider(payment.provider).start_once_for
    return None if lasts is None else timezone.now() + lasts


@in_transaction(Payment, durable=True)
def _record_refusal(payment_id: int, error: str) -> None:
    """The payment failed, unless another call may have started it: then the periodic job finds out."""
    order, payment = account.lock(payment_id)
    _subtract_call(payment)
    payment.refused_starts += 1
    if not payment.unknown_starts or payment.refused_starts > watching.MAX_REFUSED_STARTS:
        payment.unknown_starts = 0
        if not payment.provider_reference:
            account.apply(order, payment, "failed", error=error)
    payment.save(update_fields=["unknown_starts", "refused_starts", "updated_at"])


@in_transaction(Payment, durable=True)
def _record_not_sent(payment_id: int) -> None:
    """The request did not reach the provider, so the next call may start the payment at once."""
    _order, payment = account.lock(payment_id)
    _subtract_call(payment)
    is_waiting = payment.status == Payment.Status.PENDING and not payment.provider_reference
    if is_waiting and not payment.unknown_starts:
        payment.status, payment.expires_at = Payment.Status.STARTED, None
    payment.save(update_fields=["status", "expires_at", "unknown_starts", "updated_at"])


def _subtract_call(payment: Payment) -> None:
    payment.unknown_starts = max(payment.unknown_starts - 1, 0)


@in_transaction(Payment, durable=True)
def _record_start(payment_id: int, started: PaymentStart) -> Payment:
    order, payment = account.lock(payment_id)
    payment.unknown_starts, payment.request = 0, {}  # it is never sent again, and may contain personal data
    payment.save(update_fields=["unknown_starts", "request", "updated_at"])
    payment = _started_payment(order, payment, started)
    payment.redirect_url = started.redirect_url
    payment.instructions = started.instructions
    payment.expires_at = as_stored(started.expires_at) if started.expires_at else _end_of_attempt(payment)
    payment.data = {**payment.data, **started.data}
    payment.save()
    amount = payment.amount if started.status == "captured" else None
    account.apply(order, payment, started.status, amount=amount, currency=payment.currency)
    inbox.apply_early_events(order, payment)
    payment = Payment.objects.get(pk=payment.pk)  # an event may have changed it
    payment.order = order
    return payment


def _started_payment(order: Order, payment: Payment, started: PaymentStart) -> Payment:
    """The payment that the provider has started: the given one, or another one if this has another reference."""
    if started.reference in ("", payment.provider_reference):
        return payment
    known = order.payments.select_for_update().filter(provider=payment.provider, provider_reference=started.reference)
    found = known.first()
    if found is not None:
        return found
    if payment.provider_reference:
        payment = Payment(order=order, provider=payment.provider, amount=payment.amount, currency=payment.currency)
        payment.status = Payment.Status.STARTED
        watching.schedule(payment)
        payment.save()
    elif payment.status in (Payment.Status.FAILED, Payment.Status.CANCELLED):
        payment.status, payment.error = Payment.Status.STARTED, ""  # another call was refused, this one was not
    account.set_reference(order, payment, started.reference)
    return payment
