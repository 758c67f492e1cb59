"""Money that customers sent by hand, such as to a paybill or till. It is stored first, and recorded once.

It is recorded automatically only if the provider has confirmed it, its account names one order, and the amount is the
amount due. In every other case it is held for staff, with the orders that it could be meant for.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE
from shop_core.money import as_text

from shop_orders import events, lifecycle
from shop_orders.exceptions import (
    InvalidWebhook,
    NotPayable,
    PaymentDeclined,
    ProviderUnavailable,
    UnknownPaymentProvider,
)
from shop_orders.models import IncomingPayment, Order, OrderStatus, Payment, texts
from shop_orders.payment_providers import IncomingPaymentEvent, payment_provider
from shop_orders.payments import account, candidates, provider_events, states
from shop_orders.transactions import in_transaction, outside_transaction

logger = logging.getLogger(__name__)

Status, Reason = IncomingPayment.Status, IncomingPayment.Reason
MAX_ATTEMPTS = 20
"""Over about four days. Afterwards only staff decide."""
LONGEST_WAIT = timedelta(hours=6)
RETRIED = ("", Reason.UNCONFIRMED, Reason.REQUEST_OPEN)
"""Reasons that can be resolved without staff. Confirmed money has the reason "" until it is recorded, so that it is
retried if the process ends in between."""


@outside_transaction(IncomingPayment)
def receive(alias: str, event: IncomingPaymentEvent) -> IncomingPayment:
    """Store money that a provider reports, ask the provider to confirm it, and record it if that is safe.

    Duplicates and out-of-order delivery are safe. Calls the provider outside of any transaction.

    Raises:
        InvalidWebhook: a value of the event cannot be stored.
    """
    row = _store(alias, event)
    if row.status == Status.HELD:
        _consider(row)
    return IncomingPayment.objects.get(pk=row.pk)


@in_transaction(IncomingPayment)
def assign_incoming(incoming_id: int, order_id: int, *, by: Any = None, notify: bool = True) -> Payment:
    """Record held money as a payment of an order. What exceeds the amount due becomes ``refund_due``.

    Assigning it again to the same order returns the same payment.

    Raises:
        NotPayable: the money was dismissed, recorded for another order, or is in another currency.
    """
    order = lifecycle.lock(order_id)
    row = _locked(incoming_id)
    if row.status == Status.RECORDED and row.payment is not None and row.payment.order_id == order.pk:
        return row.payment
    if row.status != Status.HELD or row.currency != order.currency:
        raise NotPayable(_("This money is already recorded, or cannot be recorded for this order."))
    if _mark_duplicate(row):
        raise NotPayable(_("This money is already recorded, or cannot be recorded for this order."))
    row.actor = by
    return _record(order, row, by=by, notify=notify)


@in_transaction(IncomingPayment)
def dismiss_incoming(incoming_id: int, *, comment: str, by: Any = None) -> IncomingPayment:
    """Close held money that is not for an order, is recorded elsewhere, or was never received.

    Raises:
        NotPayable: it was recorded already.
        InvalidInput: the comment is too long, or has a character that cannot be stored.
    """
    texts.check(IncomingPayment, comment=comment)
    order_id = IncomingPayment.objects.values_list("order_id", flat=True).get(pk=incoming_id)
    order = None if order_id is None else lifecycle.lock(order_id)
    row = _locked(incoming_id)
    if row.status == Status.DISMISSED:
        return row
    if row.status != Status.HELD:
        raise NotPayable(_("This money is already recorded, or cannot be recorded for this order."))
    row.status, row.comment, row.actor = Status.DISMISSED, comment, by
    row.save(update_fields=["status", "comment", "actor"])
    if order is not None:
        text = _("%(amount)s %(currency)s with the receipt %(receipt)s were dismissed: %(comment)s")
        events.record(order, "incoming_dismissed", is_public=False, by=by, message=text % _values(row))
    return row


def due() -> QuerySet[IncomingPayment, int]:
    """Primary keys of held money that is due for another attempt to confirm and record it."""
    held = IncomingPayment.objects.filter(status=Status.HELD, reason__in=RETRIED, attempts__lt=MAX_ATTEMPTS)
    return held.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at").values_list("pk", flat=True)


def retry(incoming_id: int) -> bool:
    """Consider held money again. Returns whether it could be recorded."""
    row = IncomingPayment.objects.get(pk=incoming_id)
    _consider(row)
    row.refresh_from_db()
    return row.status == Status.RECORDED


def retry_for_order(order_id: int) -> None:
    """``retry`` for the held money that waits for the result of a payment of the order."""
    for row in IncomingPayment.objects.filter(order=order_id, status=Status.HELD, reason=Reason.REQUEST_OPEN):
        _settle(row.pk)


@outside_transaction(IncomingPayment)
def _consider(row: IncomingPayment) -> None:
    wait = min(LONGEST_WAIT, timedelta(minutes=4 * 2 ** min(row.attempts, 10)))
    IncomingPayment.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, next_attempt_at=timezone.now() + wait)
    if not row.is_confirmed and row.reason != Reason.REFUTED:
        with suppress(PaymentDeclined, ProviderUnavailable, UnknownPaymentProvider):
            payment_provider(row.provider).confirm_incoming(row.receipt)
    if row.order_id is not None:
        for payment in Payment.objects.filter(order=row.order_id, provider=row.provider, status__in=Payment.OPEN):
            with suppress(ProviderUnavailable, UnknownPaymentProvider):
                states.refresh(payment)
    _settle(row.pk)


@in_transaction(IncomingPayment, durable=True)
def _store(alias: str, event: IncomingPaymentEvent) -> IncomingPayment:
    """The stored row. What the provider has confirmed replaces what an unsigned call reported."""
    amount = provider_events.storable_amount(event.amount)
    values = (event.receipt, event.account, event.payer_name, event.payer_phone, event.currency)
    if not event.receipt or len(event.receipt) > 100 or any(map(UNSAFE.search, values)):
        raise InvalidWebhook
    if amount is None or amount <= 0 or len(event.currency) != 3:
        raise InvalidWebhook
    named = candidates.named_orders(event.account)
    row = IncomingPayment(
        provider=alias,
        receipt=event.receipt,
        amount=amount,
        currency=event.currency,
        account=event.account[:100],
        payer_name=event.payer_name[:300],
        payer_phone=event.payer_phone[:100],
        paid_at=event.paid_at,
        order=named[0] if len(named) == 1 else None,
        reason=Reason.SEVERAL_ORDERS if len(named) > 1 else Reason.UNCONFIRMED,
    )
    IncomingPayment.objects.bulk_create([row], ignore_conflicts=True)
    row = IncomingPayment.objects.select_for_update(of=("self",)).get(provider=alias, receipt=event.receipt)
    if row.status == Status.HELD and not row.is_confirmed and event.status == "confirmed":
        row.is_confirmed, row.amount, row.reason = True, amount, ""
        row.save(update_fields=["is_confirmed", "amount", "reason"])
    elif row.status == Status.HELD and not row.is_confirmed and event.status == "refuted":
        row.reason = Reason.REFUTED
        row.save(update_fields=["reason"])
    return row


@in_transaction(IncomingPayment, durable=True)
def _settle(incoming_id: int) -> None:
    """Record held money if that is safe, else store why it is held."""
    order_id = IncomingPayment.objects.values_list("order_id", flat=True).get(pk=incoming_id)
    order = None if order_id is None else lifecycle.lock(order_id)
    row = _locked(incoming_id)
    if row.status != Status.HELD or _mark_duplicate(row):
        return
    reason = _reason_to_hold(order, row)
    if not reason and order is not None:
        _record(order, row, by=None, notify=True)
        return
    if reason == row.reason:
        return
    row.reason = reason
    row.save(update_fields=["reason"])
    if order is not None and reason not in RETRIED:
        text = _("%(amount)s %(currency)s were sent with the receipt %(receipt)s and are held. %(reason)s")
        events.record(order, "incoming_held", is_public=False, message=text % _values(row))


def _reason_to_hold(order: Order | None, row: IncomingPayment) -> str:
    if row.reason in (Reason.REFUTED, Reason.SEVERAL_ORDERS):
        return row.reason
    if order is None:
        return Reason.SEVERAL_ORDERS if len(candidates.named_orders(row.account)) > 1 else Reason.NO_ORDER
    payments = order.payments.filter(provider=row.provider)
    if payments.filter(status=Payment.Status.CAPTURED, receipt="").exists():
        return Reason.MAY_BE_RECORDED
    if not row.is_confirmed:
        return Reason.UNCONFIRMED
    if payments.filter(status__in=(*Payment.OPEN, Payment.Status.HELD)).exists():
        return Reason.REQUEST_OPEN
    if order.status == OrderStatus.CANCELLED or not order.amount_due:
        return Reason.NOT_PAYABLE
    if row.amount != order.amount_due or row.currency != order.currency:
        return Reason.OTHER_AMOUNT
    return ""


def _record(order: Order, row: IncomingPayment, *, by: Any, notify: bool) -> Payment:
    """Record the money as a payment of the order. The caller has locked both rows."""
    payment = Payment.objects.create(
        order=order,
        provider=row.provider,
        amount=row.amount,
        currency=row.currency,
        provider_reference=row.receipt,
        receipt=row.receipt,
        status=Payment.Status.PENDING,
    )
    row.status, row.reason, row.payment, row.order = Status.RECORDED, "", payment, order
    row.save(update_fields=["status", "reason", "payment", "order", "actor"])
    text = _("%(amount)s %(currency)s were sent by hand with the receipt %(receipt)s.")
    events.record(order, "incoming_recorded", is_public=False, by=by, message=text % _values(row))
    account.apply(order, payment, "captured", amount=row.amount, currency=row.currency, by=by, notify=notify)
    return payment


def _mark_duplicate(row: IncomingPayment) -> bool:
    """If a payment has this receipt, the money is counted already: mark it as a duplicate and return True."""
    known = Payment.objects.filter(provider=row.provider, receipt=row.receipt).first()
    if known is None:
        return False
    row.status, row.reason, row.payment = Status.DUPLICATE, "", known
    row.save(update_fields=["status", "reason", "payment"])
    return True


def _locked(incoming_id: int) -> IncomingPayment:
    return IncomingPayment.objects.select_for_update(of=("self",)).get(pk=incoming_id)


def _values(row: IncomingPayment) -> dict[str, str]:
    return {
        "amount": as_text(row.amount, row.currency),
        "currency": row.currency,
        "receipt": row.receipt,
        "reason": str(row.get_reason_display()) if row.reason else "",
        "comment": row.comment,
    }
