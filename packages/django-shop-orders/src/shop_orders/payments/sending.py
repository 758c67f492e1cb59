"""Sends queued refunds to their providers, and fetches the state of those that are pending there."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders import events, lifecycle
from shop_orders.exceptions import PaymentDeclined, ProviderUnavailable, UnknownPaymentProvider
from shop_orders.models import Payment, Refund
from shop_orders.payment_providers import PaymentState, RefundRequest, RefundResult, payment_provider
from shop_orders.payments import inquiries, refund_messages, refund_results
from shop_orders.transactions import in_transaction, outside_transaction

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""While a process calls the provider, no other process sends the same refund for this long."""
CHECK_EVERY = timedelta(hours=1)
"""The interval at which the state of a pending refund is fetched. It can be pending for days."""
LONGEST_WAIT = timedelta(hours=6)


@outside_transaction(Refund)
def send_refund(refund_id: int) -> Refund:
    """Send a queued refund to the provider, unless it was sent before or another process is sending it.

    It stays queued, with the reason, if the provider is unavailable or not configured, or raises an unexpected error.
    Unexpected errors are logged.
    """
    refund = _claim(refund_id)
    if refund is None:
        return Refund.objects.get(pk=refund_id)
    payment = refund.payment
    request = RefundRequest(
        refund_id=str(refund.public_id), amount=refund.amount, currency=payment.currency, reason=refund.reason
    )
    try:
        result = payment_provider(payment.provider).refund(
            payment.data, reference=payment.provider_reference, request=request
        )
    except PaymentDeclined as error:
        found = _made_before(refund) if refund.attempts > 1 else None
        if found is not None and found.status == "pending" and not found.reference:
            return _try_later(refund, str(error))
        result = found or RefundResult(status="failed", error=str(error))
    except UnknownPaymentProvider as error:
        what_to_do = _("Look at the provider's page, send the money back there, and enter the result.")
        return _try_later(refund, f"{error}. {what_to_do}")
    except ProviderUnavailable as error:
        return _try_later(refund, str(error))
    except Exception:
        logger.exception("`refund` of the payment provider %s failed", payment.provider)
        return _try_later(refund, _fault(), is_fault=True)
    return _record_result(refund_id, result)


@outside_transaction(Refund)
def check_refund(refund_id: int) -> Refund:
    """Fetch the state of a pending refund from the provider, unless it was fetched less than ``CHECK_EVERY`` ago.

    If the provider returns no final state, the refund remains pending. An error is stored with it.
    """
    now = timezone.now()
    waiting = Refund.objects.filter(pk=refund_id, status=Refund.Status.PENDING)
    is_claimed = waiting.filter(next_attempt_at__lte=now).update(next_attempt_at=now + CHECK_EVERY)
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if not is_claimed:
        return refund
    payment, result, problem = refund.payment, None, ""
    try:
        result = payment_provider(payment.provider).fetch_refund(
            payment.data, reference=payment.provider_reference, refund_reference=refund.provider_reference
        )
    except (PaymentDeclined, ProviderUnavailable, UnknownPaymentProvider) as error:
        problem = str(error)[:500]
    except Exception:
        waiting.update(error=_fault())
        raise
    if result is not None and result.status != "pending":
        return _record_result(refund_id, result)
    if result is None and not problem:
        text = _("%(provider)s cannot be asked about this refund. Look at its page, and enter the result.")
        problem = text % {"provider": payment.provider}
    waiting.exclude(error=problem).update(error=problem)
    return refund


@outside_transaction(Refund)
def check_succeeded(payment: Payment, state: PaymentState) -> None:
    """Fetch the succeeded refunds of a payment if the provider's total is lower than the recorded one: one may have
    failed.

    Raises:
        ProviderUnavailable: the provider does not respond.
    """
    if state.refunds is not None or state.refunded is None or state.refunded >= refund_results.refunded(payment):
        return
    made = payment.refunds.filter(status=Refund.Status.SUCCEEDED, kind=Refund.Kind.REFUND)
    for refund in made.exclude(provider_reference=""):
        result = payment_provider(payment.provider).fetch_refund(
            payment.data, reference=payment.provider_reference, refund_reference=refund.provider_reference
        )
        if result is not None and result.status == "failed":
            _record_late_failure(refund.pk, result.error)


@in_transaction(Refund, durable=True)
def _record_late_failure(refund_id: int, error: str) -> None:
    order = lifecycle.lock(Refund.objects.values_list("payment__order_id", flat=True).get(pk=refund_id))
    refund = Refund.objects.get(pk=refund_id)
    payment = Payment.objects.select_for_update().get(pk=refund.payment_id)
    if refund.status == Refund.Status.SUCCEEDED:
        refund_results.fail(order, payment, refund, error)


def _fault() -> str:
    """The message for staff about an unexpected error. The error's own text may contain a secret."""
    return _("The provider raised an error: see the log.")


def _made_before(refund: Refund) -> RefundResult | None:
    """The result of an earlier attempt whose response was lost: the provider may have made the refund, and refuse to
    make it again. None if it was not made, or if the provider lists no refunds; pending if that cannot be determined
    now."""
    try:
        state = inquiries.ask(refund.payment)
    except ProviderUnavailable:
        return RefundResult(status="pending")
    for listed in (state.refunds if state else None) or ():
        if listed.refund_id == str(refund.public_id):
            return RefundResult(status=listed.status, reference=listed.reference, error=listed.error)
    return None


@in_transaction(Refund, durable=True)
def _claim(refund_id: int) -> Refund | None:
    refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund_id)
    is_claimed = refund.attempts > 0 and refund.next_attempt_at > timezone.now()
    if refund.status != Refund.Status.QUEUED or is_claimed:
        return None
    refund.attempts += 1
    refund.next_attempt_at = timezone.now() + LEASE
    refund.save(update_fields=["attempts", "next_attempt_at", "updated_at"])
    return refund


@in_transaction(Refund, durable=True)
def _try_later(refund: Refund, error: str, *, is_fault: bool = False) -> Refund:
    order = lifecycle.lock(refund.payment.order_id)
    if is_fault and refund.error != error:
        text = _("A refund could not be sent, and is tried again: %(error)s")
        events.record(order, "refund_waits", is_public=False, message=text % {"error": error})
    wait = min(LONGEST_WAIT, timedelta(minutes=1) * 4 ** min(refund.attempts, 8))
    Refund.objects.filter(pk=refund.pk).update(next_attempt_at=timezone.now() + wait, error=error[:500])
    refund_messages.announce(order, refund)
    return Refund.objects.get(pk=refund.pk)


@in_transaction(Refund, durable=True)
def _record_result(refund_id: int, result: RefundResult) -> Refund:
    order_id = Refund.objects.values_list("payment__order_id", flat=True).get(pk=refund_id)
    order = lifecycle.lock(order_id)
    refund = Refund.objects.get(pk=refund_id)
    payment = Payment.objects.select_for_update().get(pk=refund.payment_id)
    if refund.status not in (Refund.Status.QUEUED, Refund.Status.PENDING):
        if result.reference and not refund.provider_reference:  # its webhook arrived first
            Refund.objects.filter(pk=refund.pk).update(provider_reference=result.reference)
        return refund
    refund.provider_reference = result.reference or refund.provider_reference
    if result.status == "succeeded":
        refund_results.succeed(order, payment, refund)
        return refund
    refund.status = Refund.Status(result.status)
    if result.status == "failed":
        refund_results.fail(order, payment, refund, result.error)
    else:
        refund.next_attempt_at = timezone.now() + CHECK_EVERY
        refund.save(update_fields=["status", "provider_reference", "next_attempt_at", "updated_at"])
        refund_messages.announce(order, refund)
    return refund
