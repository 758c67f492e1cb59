"""Determines the state of a payment: fetches it from the provider, repeats a start whose result is not known, and
closes payments that are no longer needed. A payment whose state cannot be fetched is shown to staff."""

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
MAX_FAILED_CHECKS = 8
"""After this many failed checks, about half a day, a payment is shown to staff."""
KEPT_FOR = timedelta(days=2)
"""How long an overdue order is kept because its provider fails to close an open payment."""


def check(payment: Payment) -> Payment:
    """Determine the state of a payment and apply it. Its next check is scheduled first.

    Raises:
        ProviderUnavailable: the state is not known.
    """
    watching.postpone(payment)
    try:
        return _check_state(payment)
    except UnknownPaymentProvider as error:
        if payment.status == Status.CAPTURED and not payment.unknown_starts:
            watching.schedule_unchanged(payment)  # checks end as they would for a configured provider
        report_removed_provider(payment)
        raise ProviderUnavailable from error
    except Exception:  # an unexpected error is shown like a missing response
        if payment.checks > MAX_FAILED_CHECKS:
            _report_if_open(payment, _("%(provider)s does not report the state of this payment."))
        raise


def end(payment: Payment) -> Payment:
    """``check`` for a payment whose order is overdue: an attempt that is still open is closed, if possible.

    If the attempt cannot be closed, the order is kept for KEPT_FOR at most. The payment is still checked after that.

    Raises:
        ProviderUnavailable: the state is not known.
    """
    payment = check(payment)
    if payment.is_open and not payment.provider_reference and not payment.unknown_starts:
        return states.apply_state(payment.pk, PaymentState(status="cancelled"))
    if payment.status == Status.PENDING and payment.provider_reference and not is_running(payment):
        try:
            return closing.close(payment)
        except Exception:
            expires_at = payment.order.expires_at
            if expires_at is None or expires_at > timezone.now() - KEPT_FOR:
                raise
            logger.exception("A payment of an overdue order cannot be closed at %s", payment.provider)
    return payment


def is_running(payment: Payment) -> bool:
    """Whether the attempt is open and has not expired."""
    return payment.is_open and payment.expires_at is not None and payment.expires_at > timezone.now()


def _check_state(payment: Payment) -> Payment:
    if payment.unknown_starts:
        return _check_start(payment)
    if not payment.provider_reference:
        return _end_if_never_sent(payment)
    before = payment.status
    if before == Status.CAPTURED and payment_provider(payment.provider).refunds_by_hand:
        watching.stop(payment)  # staff send and record these refunds, so none is missing here
        return payment
    payment, state = states.refetch(payment)
    is_over = payment.status == Status.PENDING and payment.expires_at is not None and not is_running(payment)
    if payment.is_open and (is_over or not closing.needs_payment(payment.order)):
        return closing.close(payment)
    if state is None and not payment.is_open:
        watching.stop(payment)
    elif state is not None and state.status != "pending" and payment.status == before:
        watching.schedule_unchanged(payment)
        sending.check_succeeded(payment, state)
    return payment


def _end_if_never_sent(payment: Payment) -> Payment:
    """End a payment that no provider knows, once its customer no longer needs it."""
    if not payment.is_open:
        watching.stop(payment)
        return payment
    is_old = payment.created_at < timezone.now() - NEVER_SENT_AFTER
    if is_old or not closing.needs_payment(payment.order):
        return states.apply_state(payment.pk, PaymentState(status="cancelled"))
    return payment


def _check_start(payment: Payment) -> Payment:
    """Repeat a start whose result is not known, unless another process has recorded the result meanwhile."""
    if payment_provider(payment.provider).start_once_for is not None:
        return _check_push(payment)
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
    return closing.close(started) if started.is_open and not closing.needs_payment(started.order) else started


def _check_push(payment: Payment) -> Payment:
    """Wait for the webhook of a start that cannot be repeated, then hold the payment for staff."""
    if payment.provider_reference or not payment.is_open:
        _settle_start(payment.pk)
        return Payment.objects.select_related("order").get(pk=payment.pk)
    ended_at = payment.expires_at or payment.created_at
    if ended_at + CALLBACK_AFTER <= timezone.now():
        return _hold_unknown_start(payment.pk)
    raise ProviderUnavailable


@in_transaction(Payment)
def _settle_start(payment_id: int) -> None:
    """Record that the result of a start is known: a webhook has named its transaction."""
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
        "%(provider)s did not respond when this payment was started, and cannot be asked about it. Check there "
        "whether order %(number)s was paid, and enter the amount received."
    )
    message = text % {"provider": payment.provider, "number": order.number}
    account.hold(payment, message)
    events.record(order, "payment_held", is_public=False, message=message)
    return payment


def report_removed_provider(payment: Payment) -> None:
    """Record once, for staff, that the provider of an open payment was removed from the settings."""
    _report_if_open(payment, _("%(provider)s is not in the settings any more."))


@in_transaction(Payment)
def _report_if_open(payment: Payment, why: str) -> None:
    """Record once, for staff, why the state of an open payment is not known."""
    order, payment = account.lock(payment.pk)
    what_to_do = _("Check on the provider's page whether it was paid, and enter the amount received.")
    message = f"{why % {'provider': payment.provider}} {what_to_do}"
    if payment.is_open and payment.error != message[:500]:
        payment.error = message[:500]
        payment.save(update_fields=["error", "updated_at"])
        if not order.events.filter(kind="payment_unknown", message=message).exists():
            events.record(order, "payment_unknown", is_public=False, message=message)
