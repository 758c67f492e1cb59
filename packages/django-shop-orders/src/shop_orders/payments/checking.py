"""Finds out what became of a payment: asks its provider, repeats a start whose result is not known, closes what is no
longer needed. A payment that cannot be asked about is shown to staff."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders import events
from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable, UnknownPaymentProvider
from shop_orders.models import Payment
from shop_orders.payment_providers import PaymentState, payment_provider
from shop_orders.payments import account, closing, sending, starting, states, watching
from shop_orders.transactions import in_transaction

logger = logging.getLogger(__name__)

Status = Payment.Status

NEVER_SENT_AFTER = timedelta(hours=1)
"""A payment whose start never reached the provider ends after this time; until then, the customer can start it."""
CALLBACK_AFTER = timedelta(minutes=10)
"""The result of a start that cannot be repeated may arrive for this long after the attempt has ended."""
PATIENCE = 8
"""A payment that could not be asked about so often, for half a day, is shown to staff."""


def check(payment: Payment) -> Payment:
    """Find out the state of a payment and apply it. It is put back for later first.

    Raises:
        ProviderUnavailable: the state is not known.
    """
    watching.put_back(payment)
    try:
        return _find_out(payment)
    except UnknownPaymentProvider as error:
        _show_if_open(payment, _("%(provider)s is not in the settings any more."))
        raise ProviderUnavailable from error
    except ProviderUnavailable:
        if payment.checks > PATIENCE:
            _show_if_open(payment, _("%(provider)s does not answer questions about this payment."))
        raise


def end(payment: Payment) -> Payment:
    """``check`` for a payment whose order is out of time: an attempt that is still open is closed, if it can be.

    Raises:
        ProviderUnavailable: the state is not known.
    """
    payment = check(payment)
    if payment.is_open and not payment.provider_reference and not payment.unknown_starts:
        return states.apply_state(payment.pk, PaymentState(status="cancelled"))
    if payment.status == Status.PENDING and payment.provider_reference and not is_running(payment):
        return closing.close(payment)
    return payment


def is_running(payment: Payment) -> bool:
    """Whether the customer can still pay by this attempt, as far as its own end says."""
    return payment.is_open and payment.expires_at is not None and payment.expires_at > timezone.now()


def _find_out(payment: Payment) -> Payment:
    if payment.unknown_starts:
        return _find_out_start(payment)
    if not payment.provider_reference:
        return _end_if_never_sent(payment)
    before = payment.status
    if before == Status.CAPTURED and payment_provider(payment.provider).refunds_by_hand:
        watching.stop(payment)  # it makes no refunds that could be missing here
        return payment
    payment, state = states.refetch(payment)
    is_over = payment.status == Status.PENDING and payment.expires_at is not None and not is_running(payment)
    if payment.is_open and (is_over or not closing.is_wanted(payment.order)):
        return closing.close(payment)
    if state is None and not payment.is_open:
        watching.stop(payment)
    elif state is not None and state.status != "pending" and payment.status == before:
        watching.answered(payment)
        sending.check_made(payment, state)
    return payment


def _end_if_never_sent(payment: Payment) -> Payment:
    """End a payment that no provider knows, once its customer does not need it any more."""
    if not payment.is_open:
        watching.stop(payment)
        return payment
    is_old = payment.created_at < timezone.now() - NEVER_SENT_AFTER
    if is_old or not closing.is_wanted(payment.order):
        return states.apply_state(payment.pk, PaymentState(status="cancelled"))
    return payment


def _find_out_start(payment: Payment) -> Payment:
    """Repeat a start whose result is not known. The transaction that an event has named may be another one."""
    if payment_provider(payment.provider).start_once_for is not None:
        return _find_out_push(payment)
    counted = starting.count_repetition(payment.pk)
    if counted is None:
        return Payment.objects.get(pk=payment.pk)
    counted.order = payment.order
    try:
        started = starting.call(counted)
    except PaymentDeclined as error:
        declined = Payment.objects.select_related("order").get(pk=payment.pk)
        if declined.unknown_starts:
            raise ProviderUnavailable from error
        return declined
    return closing.close(started) if started.is_open and not closing.is_wanted(started.order) else started


def _find_out_push(payment: Payment) -> Payment:
    """What became of a start that cannot be repeated: its webhook says it, or staff do."""
    if payment.provider_reference or not payment.is_open:
        _forget_start(payment.pk)
        return Payment.objects.select_related("order").get(pk=payment.pk)
    ended_at = payment.expires_at or payment.created_at
    if ended_at + CALLBACK_AFTER <= timezone.now():
        return _hold_unknown_start(payment.pk)
    raise ProviderUnavailable


@in_transaction(Payment)
def _forget_start(payment_id: int) -> None:
    """A webhook has named the transaction, so its start is known."""
    _order, payment = account.lock(payment_id)
    payment.unknown_starts, payment.request = 0, {}
    watching.schedule(payment)
    payment.save(update_fields=["unknown_starts", "request", *watching.FIELDS, "updated_at"])


@in_transaction(Payment)
def _hold_unknown_start(payment_id: int) -> Payment:
    order, payment = account.lock(payment_id)
    if payment.provider_reference or not payment.unknown_starts or not payment.is_open:
        return payment
    text = _(
        "%(provider)s did not answer when this payment was started, and cannot be asked about it. "
        "Look there whether order %(number)s was paid, and enter what was received."
    )
    message = text % {"provider": payment.provider, "number": order.number}
    account.hold(payment, message)
    events.record(order, "payment_held", is_public=False, message=message)
    return payment


@in_transaction(Payment)
def _show_if_open(payment: Payment, why: str) -> None:
    """Show staff that an open payment cannot be asked about, once."""
    order, payment = account.lock(payment.pk)
    what_to_do = _("Look at the provider's page whether it was paid, and enter what was received.")
    message = f"{why % {'provider': payment.provider}} {what_to_do}"
    if payment.is_open and payment.error != message[:500]:
        payment.error = message[:500]
        payment.save(update_fields=["error", "updated_at"])
        events.record(order, "payment_unknown", is_public=False, message=message)
