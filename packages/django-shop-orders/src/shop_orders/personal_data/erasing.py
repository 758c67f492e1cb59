"""Erases the personal data of a person from this package's tables. Amounts, products and dates are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core import admin_log
from shop_core.db.rows import chunks

from shop_orders.carts import erase_reminders
from shop_orders.customers import FIELDS
from shop_orders.exceptions import InvalidTransition
from shop_orders.managers import OrderEventQuerySet
from shop_orders.models import (
    CartItem,
    CartReminder,
    Credit,
    Customer,
    IdempotencyKey,
    IncomingPayment,
    Order,
    OrderEvent,
    OrderLine,
    OrderStatus,
    Payment,
    ProviderEvent,
    Refund,
    Shipment,
)
from shop_orders.personal_data.people import Person, customers_of
from shop_orders.transactions import in_transaction

ORDERS_AT_A_TIME = 100
"""SQLite refuses conditions with more than a thousand parts."""

FREE_TEXT_KINDS = (
    *("note", "status_changed", "refunded", "refund_failed", "refund_resolved", "restocked", "units_cancelled"),
    *("dispute_resolved", "incoming_dismissed"),
)
"""Kinds of events whose message was written by a person, such as a note or a reason."""


def erase_personal_data(person: Person) -> list[dict[str, str]]:
    """Remove names, contact details, addresses and texts from customers, orders, events and payments.

    Users are unlinked, not deleted. Each customer has a transaction of their own. Returns what cannot be erased yet,
    as ``{"what", "reason"}``: a customer with an order that is not finished, and held money from the person's phone. A
    second call changes nothing.

    Raises:
        Busy: the database refused a transaction twice. Customers before that one are erased.
    """
    waiting = []
    for customer in customers_of(person):
        try:
            _erase_customer(customer)
        except InvalidTransition as error:
            numbers = ", ".join(order.number for order in _unfinished(customer))
            waiting.append({"what": _("Order %(number)s") % {"number": numbers}, "reason": str(error)})
    erase_reminders(person.get("emails", ()))
    return waiting + _erase_unmatched_money(person.get("phones", ()))


def refuse_if_unfinished(customer: Customer) -> None:
    """Check that every order of a customer is finished, so that the customer can be erased.

    Raises:
        InvalidTransition: an order of the customer is not finished yet.
    """
    if _unfinished(customer):
        raise InvalidTransition(_("An order of this customer is not finished. Deliver or cancel it first."))


@in_transaction(Customer)
def _erase_customer(customer: Customer) -> None:
    # no_key: a transaction that holds an order may check its customer's key at commit. A full lock could deadlock.
    customer = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer.pk)
    orders = list(customer.orders.select_for_update(of=("self",)).select_related("cart").order_by("pk"))
    refuse_if_unfinished(customer)
    customer.orders.update(
        contact_name="",
        email="",
        email_key="",
        phone="",
        visitor="",
        shipping_address={},
        billing_address={},
        customer_note="",
        cancel_reason="",
    )
    for part in chunks(orders, ORDERS_AT_A_TIME):
        _erase_orders(part)
    _responses(Q(owner=customer.key)).delete()
    admin_log.erase([*customer.addresses.all()])
    admin_log.erase([customer])
    customer.addresses.all().delete()
    customer.carts.filter(status="open").delete()
    CartReminder.objects.filter(cart__customer=customer).delete()
    blank = dict.fromkeys((*FIELDS, "email_key"), "")
    Customer.objects.filter(pk=customer.pk, anonymised_at=None).update(anonymised_at=timezone.now())
    Customer.objects.filter(pk=customer.pk).update(user=None, **blank)


def _unfinished(customer: Customer) -> list[Order]:
    """The orders that still need their address, or whose payment or refund is not decided yet."""
    is_open = ~Q(status__in=(OrderStatus.DELIVERED, OrderStatus.CANCELLED))
    is_paying = Q(payments__status__in=(Payment.Status.PROCESSING, Payment.Status.AUTHORISED, Payment.Status.HELD))
    is_refunding = Q(payments__refunds__status__in=(Refund.Status.QUEUED, Refund.Status.PENDING))
    is_held = Q(incoming_payments__status=IncomingPayment.Status.HELD)
    return list(customer.orders.filter(is_open | is_paying | is_refunding | is_held).order_by("pk").distinct())


def _erase_orders(orders: Sequence[Order]) -> None:
    """Clear the rows about some orders."""
    keys = [order.pk for order in orders]
    _erase_events(OrderEvent.objects.filter(order__in=keys))
    OrderLine.objects.filter(order__in=keys).exclude(options={}).update(options={})
    CartItem.objects.filter(cart__order__in=keys).exclude(options={}).delete()
    Payment.objects.filter(order__in=keys).update(redirect_url="", instructions="", data={}, request={}, error="")
    Refund.objects.filter(payment__order__in=keys).update(reason="", error="")
    Credit.objects.filter(order__in=keys).update(reason="", actor=None)
    Shipment.objects.filter(order__in=keys).update(tracking_number="", tracking_url="")
    ProviderEvent.objects.filter(payment__order__in=keys).update(data={}, detail="")
    _blank_payer(IncomingPayment.objects.filter(Q(order__in=keys) | Q(payment__order__in=keys)))
    found = Q()
    for order in orders:
        found |= Q(route__endswith=f" {order.number}")
        if order.cart is not None:
            found |= Q(owner=f"cart:{order.cart.public_id}")
    if orders:
        _responses(found).delete()
    admin_log.erase(orders)


def _responses(found: Q) -> QuerySet[IdempotencyKey]:
    """The stored responses to the customer, to the guests who placed these orders, and to staff about them."""
    return IdempotencyKey.objects.filter(found)


def _erase_events(rows: OrderEventQuerySet) -> None:
    """Remove the recipients from payloads, and texts that people wrote, since they may name people."""
    changed = []
    for event in rows.exclude(payload={}):
        event.payload = {**_without_options(event.payload), "recipients": {}, "visitor": ""}
        if "order" in event.payload:
            event.payload["order"] = {**event.payload["order"], "url": ""}
        if "refund" in event.payload:
            event.payload["refund"] = {**event.payload["refund"], "reason": ""}
        if "shipment" in event.payload:
            event.payload["shipment"] = {**event.payload["shipment"], "tracking_number": "", "tracking_url": ""}
        changed.append(event)
    OrderEvent.objects.bulk_update(changed, ["payload"], batch_size=500)
    rows.filter(kind__in=FREE_TEXT_KINDS).update(message="")
    rows.update(actor=None, last_error="")


def _without_options(value: Any) -> Any:
    """A payload in which no line has options."""
    if isinstance(value, dict):
        blank = {"options": {}, "options_text": ""}
        return {key: blank[key] if key in blank else _without_options(part) for key, part in value.items()}
    return [_without_options(part) for part in value] if isinstance(value, list) else value


def _erase_unmatched_money(phones: Iterable[str]) -> list[dict[str, str]]:
    """Clear the payer of money that belongs to no order and is decided. Held money waits for staff."""
    rows = IncomingPayment.objects.filter(payer_phone__in=[*phones], order=None, payment=None)
    _blank_payer(rows.exclude(status=IncomingPayment.Status.HELD))
    return [
        {"what": _("Payment %(receipt)s") % {"receipt": row.receipt}, "reason": _("It is held for review.")}
        for row in rows.filter(status=IncomingPayment.Status.HELD)
    ]


def _blank_payer(rows: QuerySet[IncomingPayment]) -> None:
    rows.update(payer_name="", payer_phone="", account="", comment="")
