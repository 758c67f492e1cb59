"""Money that staff record, capture or find in a held payment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from shop_orders import events, lifecycle
from shop_orders.exceptions import NotPayable, UnknownPaymentProvider
from shop_orders.locking import in_transaction
from shop_orders.models import OrderStatus, Payment
from shop_orders.money import as_text, quantise
from shop_orders.payment_providers import payment_provider
from shop_orders.payments import account, order_status
from shop_orders.payments.account import note_state


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
        account.apply(order, payment, "captured", amount=came, currency=order.currency, by=by, notify=notify)
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
        order, payment = account.lock(payment_id)
        came = quantise(amount, order.currency)
        if payment.status != Payment.Status.HELD or came < 0:
            raise NotPayable
        text = _("%(amount)s %(currency)s came of a payment that was held: %(error)s")
        words = {"amount": as_text(came, order.currency), "currency": order.currency, "error": payment.error}
        events.record(order, "payment_resolved", is_public=False, by=by, message=text % words)
        if came:
            account.book(order, payment, came, by=by, notify=notify)
        else:
            payment.status = Payment.Status.CANCELLED
            payment.save(update_fields=["status", "updated_at"])
            order_status.update(order, payment, by=by, notify=notify)
        return payment

    return in_transaction(work)
