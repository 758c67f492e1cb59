"""From a cart to an order, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connections, router
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from shop_orders import carts, customers, events, hot_write, locking, phones
from shop_orders.carts import queries
from shop_orders.conf import app_settings, load_hook
from shop_orders.exceptions import (
    CartClosed,
    CartEmpty,
    GuestCheckoutOff,
    InsufficientStock,
    InvalidInput,
    ProductsGone,
    TooManyUnpaidOrders,
    TotalChanged,
)
from shop_orders.locking import in_transaction
from shop_orders.models import Cart, Charge, Customer, Order, OrderLine, OrderStatus, PaymentStatus
from shop_orders.money import quantise
from shop_orders.payment_providers import PaymentProvider, default_alias, payment_provider
from shop_orders.pricing import Draft
from shop_orders.product_sources import product_source

NUMBER_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Whom the shop talks to about the order. What is empty is taken from the customer."""

    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, kw_only=True)
class _Choices:
    """What the buyer chose, cleaned."""

    contact: Contact
    shipping_address: Mapping[str, str]
    billing_address: Mapping[str, str]
    delivery: str
    provider: PaymentProvider
    note: str
    language: str


def place_order(
    cart: Cart,
    *,
    contact: Contact | None = None,
    shipping_address: Mapping[str, Any] | None = None,
    billing_address: Mapping[str, Any] | None = None,
    delivery: str = "",
    provider: str = "",
    note: str = "",
    language: str = "",
    expected_total: Decimal | None = None,
    by: Any = None,
    notify: bool = True,
) -> Order:
    """Turn a cart into an order and reserve its stock.

    One transaction: close the cart, which locks it, price it, compare ``expected_total``, ask the validators, write
    the rows, reserve last. A cart that was ordered already answers its order: two clicks, two tabs or a repeated
    request give one order.

    Raises:
        CartEmpty, CartClosed, ProductsGone, InsufficientStock: the cart cannot be ordered as it is.
        TotalChanged: the total is not ``expected_total``.
        CheckoutRefused: a validator said no, or too many orders wait to be paid.
        GuestCheckoutOff: a guest's cart, and GUEST_CHECKOUT is off.
        InvalidInput: contact, address or provider are not usable.
        Busy: the database was not free in time, twice.
    """
    alias = provider or default_alias()
    return in_transaction(
        partial(
            _place,
            cart,
            contact=contact or Contact(),
            shipping_address=shipping_address,
            billing_address=billing_address,
            delivery=delivery,
            provider=payment_provider(alias),
            note=note,
            language=language or get_language() or "",
            expected_total=expected_total,
            by=by,
            notify=notify,
            patience=locking.patience(),
        ),
        is_patient=True,
    )


def _place(
    cart: Cart,
    *,
    contact: Contact,
    shipping_address: Mapping[str, Any] | None,
    billing_address: Mapping[str, Any] | None,
    delivery: str,
    provider: PaymentProvider,
    note: str,
    language: str,
    expected_total: Decimal | None,
    by: Any,
    notify: bool,
    patience: str | None,
) -> Order:
    # This locks the cart. The lines are read afterwards, so that no add slips through.
    if not queries.close(cart, patience=patience):
        return _order_of(cart)
    choices = _Choices(
        contact=_clean_contact(contact, cart.customer),
        shipping_address=_clean_shipping(shipping_address, cart.customer),
        billing_address=customers.clean_address(billing_address or {}),
        delivery=delivery,
        provider=provider,
        note=note,
        language=language,
    )
    draft = _price(cart, choices, expected_total)
    _check_unpaid(cart.customer, choices)
    for entry in app_settings.VALIDATORS:
        load_hook(entry)(draft)
    order, lines, charges = _write(cart, choices, draft)
    events.record_placement(order, by=by, notify=notify, lines=lines, charges=charges)
    _reserve(order, draft)
    return order


def _order_of(cart: Cart) -> Order:
    """The order that the cart became."""
    order = Order.objects.select_related("customer").filter(cart=cart).first()
    if order is None:
        raise CartClosed
    return order


def _price(cart: Cart, choices: _Choices, expected_total: Decimal | None) -> Draft:
    shown = carts.view(
        cart,
        customer=cart.customer,
        shipping_address=choices.shipping_address,
        delivery=choices.delivery,
        payment_provider=choices.provider.alias,
    )
    if not shown.lines:
        raise CartEmpty
    gone = [line.product for line in shown.lines if "gone" in line.changes]
    if gone:
        raise ProductsGone(gone)
    short = {line.product: line.available or 0 for line in shown.lines if "short" in line.changes}
    if short:
        raise InsufficientStock(short)
    draft = shown.draft
    if expected_total is not None and quantise(expected_total, draft.currency) != draft.total:
        raise TotalChanged(expected=expected_total, total=draft.total, currency=draft.currency)
    return draft


def _clean_contact(contact: Contact, customer: Customer | None) -> Contact:
    if customer is None and not app_settings.GUEST_CHECKOUT:
        raise GuestCheckoutOff
    fallback = Contact(name=customer.name, email=customer.email, phone=customer.phone) if customer else Contact()
    email = contact.email.strip() or fallback.email
    phone = phones.normalise(contact.phone) or fallback.phone
    if not email and not phone:
        raise InvalidInput(_("Leave an e-mail address or a phone number."), extra={"fields": ["email", "phone"]})
    if email:
        try:
            validate_email(email)
        except ValidationError:
            raise InvalidInput(_("This e-mail address is not valid."), extra={"fields": ["email"]})
    return Contact(name=contact.name.strip() or fallback.name, email=email, phone=phone)


def _clean_shipping(address: Mapping[str, Any] | None, customer: Customer | None) -> dict[str, str]:
    if address:
        return customers.clean_address(address)
    default = customer.addresses.filter(is_default=True).first() if customer else None
    return default.as_data() if default else {}


def _check_unpaid(customer: Customer | None, choices: _Choices) -> None:
    if choices.provider.confirms_at_placement:
        return
    unpaid = Order.objects.unpaid()
    if customer is not None:
        mine = unpaid.filter(customer=customer)
    else:
        reached_by = {name: value for name in ("email", "phone") if (value := getattr(choices.contact, name))}
        _one_at_a_time(reached_by.values())
        contact = Q()
        for name, value in reached_by.items():
            contact |= Q(**{name: value})
        mine = unpaid.filter(contact, customer__user=None)
    if mine.count() >= app_settings.MAX_UNPAID_ORDERS:
        raise TooManyUnpaidOrders


def _one_at_a_time(contacts: Iterable[str]) -> None:
    """Let guests with the same e-mail address or phone wait for each other until the transaction ends.

    No row stands for them that could be locked, so PostgreSQL locks a number made of the text. SQLite lets one write
    at a time anyway.
    """
    writer = connections[router.db_for_write(Order)]
    if writer.vendor != "postgresql":
        return
    digests = (hashlib.sha256(f"shop_orders.unpaid:{contact}".encode()).digest() for contact in contacts)
    keys = sorted(int.from_bytes(digest[:8], signed=True) for digest in digests)
    with writer.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['pg_advisory_xact_lock(%s)'] * len(keys))}", keys)


def _write(cart: Cart, choices: _Choices, draft: Draft) -> tuple[Order, list[OrderLine], list[Charge]]:
    customer = cart.customer or _guest(choices)
    expires_after: timedelta | None = choices.provider.expires_after
    total = draft.total
    is_confirmed = choices.provider.confirms_at_placement or not total
    now = timezone.now()
    order = Order(
        customer=customer,
        cart=cart,
        status=OrderStatus.CONFIRMED if is_confirmed else OrderStatus.PENDING,
        payment_status=PaymentStatus.UNPAID if total else PaymentStatus.PAID,
        contact_name=choices.contact.name,
        email=choices.contact.email,
        phone=choices.contact.phone,
        language=choices.language,
        shipping_address=choices.shipping_address,
        billing_address=choices.billing_address,
        delivery=choices.delivery,
        payment_provider=choices.provider.alias,
        customer_note=choices.note,
        currency=draft.currency,
        subtotal=draft.subtotal,
        charges_total=draft.charges_total,
        net_total=draft.net_total,
        tax_total=draft.tax_total,
        total=total,
        placed_at=now,
        expires_at=now + expires_after if expires_after is not None and total else None,
    )
    _insert(order)
    lines = [
        OrderLine(
            order=order,
            position=position,
            product_ref=line.product_ref,
            sku=line.sku,
            name=line.name[:500],
            quantity=line.quantity,
            unit_price=line.unit_price,
            line_total=line.line_total,
            tax_class=line.tax_class,
            price_includes_tax=line.price_includes_tax,
            weight=line.weight,
        )
        for position, line in enumerate(draft.lines, start=1)
    ]
    charges = [
        Charge(
            order=order,
            position=position,
            kind=charge.kind,
            label=charge.label[:200],
            amount=charge.amount,
            is_included=charge.is_included,
        )
        for position, charge in enumerate(draft.charges, start=1)
    ]
    hot_write.insert(lines)
    hot_write.insert(charges)
    _remember(order, lines=lines, charges=charges)
    return order, lines, charges


def _remember(order: Order, **related: list[Any]) -> None:
    """Let ``order.lines.all()`` answer what was just written, as after ``prefetch_related``."""
    known: dict[str, QuerySet[Any, Any]] = {}
    for name, rows in related.items():
        known[name] = getattr(order, name).all()
        known[name]._result_cache = rows  # noqa: SLF001 - there is no public way to prefetch what is at hand
    order._prefetched_objects_cache = known  # type: ignore[attr-defined]  # noqa: SLF001


def _guest(choices: _Choices) -> Customer:
    first_name, _space, last_name = choices.contact.name.partition(" ")
    guest = Customer(
        first_name=first_name[:150],
        last_name=last_name[:150],
        email=choices.contact.email,
        phone=choices.contact.phone,
        language=choices.language,
    )
    hot_write.insert([guest])
    return guest


def _insert(order: Order) -> None:
    """Insert under a number of the ORDER_NUMBER hook, and another one when that is taken."""
    new_number = load_hook(app_settings.ORDER_NUMBER)
    for attempt in range(1, NUMBER_ATTEMPTS + 1):
        order.number = new_number(order)
        is_last = attempt == NUMBER_ATTEMPTS  # then a taken number is an IntegrityError
        if hot_write.insert([order], on_conflict="" if is_last else "ON CONFLICT (number) DO NOTHING"):
            return


def _reserve(order: Order, draft: Draft) -> None:
    short = product_source().reserve({line.product_ref: line.quantity for line in draft.lines}, reference=order.number)
    if short:
        raise InsufficientStock(short)
