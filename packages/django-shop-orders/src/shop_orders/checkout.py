"""Turns a cart into an order, in one transaction."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from shop_core.hooks import load_hook
from shop_core.money import as_text, quantise

from shop_orders import carts, customers, emails, events, numbers, phones, queries
from shop_orders.carts import refusals, unpaid_orders
from shop_orders.carts.queries import UnpaidCounts, close, items_and_unpaid
from shop_orders.carts.unpaid_orders import Buyer
from shop_orders.conf import app_settings
from shop_orders.exceptions import (
    CartClosed,
    CartEmpty,
    GuestCheckoutOff,
    InsufficientStock,
    InvalidInput,
    OrderNumberRefused,
    ProductsGone,
    ShopOrdersError,
    TooManyLines,
    TotalChanged,
)
from shop_orders.models import Cart, Charge, Customer, Order, OrderLine, OrderStatus, PaymentStatus, texts
from shop_orders.payment_providers import PaymentProvider, check_needs, default_alias, payment_provider
from shop_orders.pricing import Charge as DraftCharge
from shop_orders.pricing import Contact as Contact  # noqa: PLC0414 - callers know it as checkout.Contact
from shop_orders.pricing import Draft
from shop_orders.product_sources import product_source
from shop_orders.transactions import in_transaction

logger = logging.getLogger(__name__)

NUMBER_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class _Choices:
    """The buyer's choices, cleaned."""

    contact: Contact
    shipping_address: Mapping[str, str]
    billing_address: Mapping[str, str]
    delivery: str
    provider: PaymentProvider
    note: str
    language: str
    buyer: Buyer


@in_transaction(Cart, sets_lock_timeout=False)
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
    visitor: str = "",
    by: Any = None,
    notify: bool = True,
) -> Order:
    """Turn a cart into an order and reserve its stock.

    ``shipping_address`` is ``{}`` for an order without an address; None takes the customer's default address.
    ``visitor`` is ``visitors.of(request)``, for the limits of unpaid orders.
    If the cart was ordered before, its order is returned, so two clicks or a repeated request make one order. The
    validators are called inside the transaction. The items are read after the cart is locked, so that none is missed.

    Raises:
        CartEmpty, CartClosed, ProductsGone, InsufficientStock, TooManyLines: the cart cannot be ordered as it is.
        ProductUnreadable: the product source failed to read a product. The error was logged.
        PricingFailed: a pricing hook failed, or its charges do not add up.
        TotalChanged: the total is not ``expected_total``.
        PaymentNotPossible: the order lacks what the provider needs.
        CheckoutRefused: a validator refused the order.
        ValidatorFailed: a validator raised an unexpected error. It was logged.
        TooManyUnpaidOrders: the buyer, or the visitor, would have too many orders or units that are not paid.
        GuestCheckoutOff: the cart is a guest's, and GUEST_CHECKOUT is off.
        InvalidInput: the contact, an address or another text is not valid, or the provider is unknown.
        OrderNumberRefused: the numbers of the ORDER_NUMBER hook cannot be used.
        Busy: the database refused the transaction twice.
    """
    chosen_provider = payment_provider(provider or default_alias())
    cleaned = _clean_contact(contact or Contact(), cart.customer)
    texts.check(
        Order,
        contact_name=cleaned.name,
        delivery=delivery,
        customer_note=note,
        language=language,
        visitor=visitor,
    )
    buyer = Buyer(cart.customer_id, emails.email_key(cleaned.email), cleaned.phone, visitor)
    if not close(cart, lock_keys=buyer.lock_keys()):  # locks it: a double click waits here
        return _order_of(cart)
    choices = _Choices(
        contact=cleaned,
        shipping_address=_clean_shipping(shipping_address, cart.customer),
        billing_address=customers.clean_address(billing_address or {}),
        delivery=delivery,
        provider=chosen_provider,
        note=note,
        language=language or get_language() or "",
        buyer=buyer,
    )
    cart_view, unpaid = _view(cart, choices)
    draft = cart_view.draft
    try:
        _check_lines(cart_view)
        _check_total(draft, expected_total)
        _check_provider(chosen_provider, draft, cleaned)
        unpaid_orders.check(unpaid, draft)
        if refused := refusals.of_order(draft):
            cart_view = replace(cart_view, refusals=refused)
            raise refused[0]
        order, lines, charges = _write(cart, choices, draft)
        events.record_placement(order, by=by, notify=notify, lines=lines, charges=charges)
        _reserve(order, cart_view)  # last, so that the stock's rows are locked for as short as possible
    except ShopOrdersError as error:
        error.cart_view = cart_view.with_shortages(getattr(error, "shortages", {}))
        raise
    return order


def preview(
    cart: Cart,
    *,
    contact: Contact | None = None,
    shipping_address: Mapping[str, Any] | None = None,
    delivery: str = "",
    provider: str = "",
) -> carts.CartView:
    """The cart as ``place_order`` would order it now with the same choices. Nothing is written or locked.

    Without a ``contact``, it is not checked, and validators that read something empty are not asked.

    Raises:
        InvalidInput: the contact or the address is not valid, or the provider is unknown.
        PaymentNotPossible: the order lacks what the provider needs.
    """
    chosen = payment_provider(provider or default_alias())
    contact = _clean_contact(contact, cart.customer) if contact else None
    view = carts.view(
        cart,
        customer=cart.customer,
        shipping_address=_clean_shipping(shipping_address, cart.customer),
        delivery=delivery,
        payment_provider=chosen.alias,
        contact=contact,
        is_complete=contact is not None,
    )
    _check_provider(chosen, view.draft, contact)
    if contact is None or not view.can_be_ordered:
        return view
    return replace(view, refusals=refusals.of_order(view.draft))


def _order_of(cart: Cart) -> Order:
    """The order that the cart became."""
    order = Order.objects.select_related("customer").filter(cart=cart).first()
    if order is None:
        raise CartClosed
    return order


def _view(cart: Cart, choices: _Choices) -> tuple[carts.CartView, UnpaidCounts]:
    """The cart as it would be ordered, and the counts of unpaid orders."""
    buyer = choices.buyer
    items, unpaid = items_and_unpaid(cart, {name: getattr(buyer, name) for name in buyer.counted_fields()})
    view = carts.view(
        cart,
        customer=cart.customer,
        shipping_address=choices.shipping_address,
        delivery=choices.delivery,
        payment_provider=choices.provider.alias,
        contact=choices.contact,
        items=items,
        is_complete=True,
    )
    return view, unpaid


def _check_lines(cart_view: carts.CartView) -> None:
    if not cart_view.lines:
        raise CartEmpty
    if len(cart_view.lines) > app_settings.MAX_LINES:
        raise TooManyLines(app_settings.MAX_LINES)
    gone = [line.product for line in cart_view.lines if "gone" in line.changes]
    if gone:
        raise ProductsGone(gone)
    for line in cart_view.lines:
        if line.problem is not None:
            raise line.problem
    if short := cart_view.shortages():
        raise InsufficientStock(short)
    if cart_view.pricing_error is not None:
        raise cart_view.pricing_error


def _check_total(draft: Draft, expected: Decimal | None) -> None:
    if expected is not None and quantise(expected, draft.currency) != draft.total:
        raise TotalChanged(expected=expected, total=draft.total, currency=draft.currency)


def _check_provider(provider: PaymentProvider, draft: Draft, contact: Contact | None) -> None:
    email, phone = (contact.email, contact.phone) if contact else (None, None)
    if draft.total:
        check_needs(provider, amount=draft.total, currency=draft.currency, email=email, phone=phone)


def _clean_contact(contact: Contact, customer: Customer | None) -> Contact:
    if customer is None and not app_settings.GUEST_CHECKOUT:
        raise GuestCheckoutOff
    fallback = Contact(name=customer.name, email=customer.email, phone=customer.phone) if customer else Contact()
    email = contact.email.strip() or fallback.email
    phone = phones.normalise(contact.phone) or fallback.phone
    if not email and not phone:
        raise InvalidInput(_("Enter an e-mail address or a phone number."), extra={"fields": ["email", "phone"]})
    if email:
        try:
            emails.validate(email)
        except ValidationError as error:
            raise InvalidInput(error.messages[0], extra={"fields": ["email"]}) from error
    return Contact(name=contact.name.strip() or fallback.name, email=email, phone=phone)


def _clean_shipping(address: Mapping[str, Any] | None, customer: Customer | None) -> dict[str, str]:
    if address is not None:
        return customers.clean_address(address)
    default = customer.addresses.filter(is_default=True).first() if customer else None
    return default.as_data() if default else {}


def _write(cart: Cart, choices: _Choices, draft: Draft) -> tuple[Order, list[OrderLine], list[Charge]]:
    order = _new_order(cart.customer or _new_guest(choices), cart, choices, draft)
    _insert(order)
    lines, charges = _lines_of(order, draft), _charges_of(order, draft)
    queries.insert(lines)
    queries.insert(charges)
    queries.set_prefetched(order, lines=lines, charges=charges)
    return order, lines, charges


def _lines_of(order: Order, draft: Draft) -> list[OrderLine]:
    return [
        OrderLine(
            order=order,
            position=position,
            product_ref=line.product_ref,
            sku=line.sku,
            name=line.name[:500],
            options=dict(line.options),
            quantity=line.quantity,
            unit_price=line.unit_price,
            line_total=line.line_total,
            tax_class=line.tax_class,
            price_includes_tax=line.price_includes_tax,
            discount=taxed.discount,
            tax_rate=taxed.tax_rate,
            net=taxed.net,
            tax=taxed.tax,
            weight=line.weight,
        )
        for position, (line, taxed) in enumerate(zip(draft.lines, draft.taxed_lines, strict=True), start=1)
    ]


def _charges_of(order: Order, draft: Draft) -> list[Charge]:
    return [
        Charge(
            order=order,
            position=position,
            kind=charge.kind,
            label=charge.label[:200],
            amount=charge.amount,
            is_included=charge.is_included,
            tax_rate=taxed.tax_rate,
            base=charge.base,
            lines=_tax_of_lines(charge, draft),
            discount=taxed.discount,
            net=taxed.net,
            tax=taxed.tax,
        )
        for position, (charge, taxed) in enumerate(zip(draft.charges, draft.taxed_charges, strict=True), start=1)
    ]


def _tax_of_lines(charge: DraftCharge, draft: Draft) -> dict[str, str] | None:
    """The part of a tax on each line, as text; None if its hook does not divide it."""
    if charge.kind != "tax" or not (charge.lines or charge.charges):
        return None
    return {key: as_text(amount, draft.currency) for key, amount in charge.lines.items()}


def _new_order(customer: Customer, cart: Cart, choices: _Choices, draft: Draft) -> Order:
    total, now = draft.total, timezone.now()
    is_confirmed = choices.provider.confirms_at_placement or not total
    return Order(
        customer=customer,
        cart=cart,
        status=OrderStatus.CONFIRMED if is_confirmed else OrderStatus.PENDING,
        payment_status=PaymentStatus.UNPAID if total else PaymentStatus.PAID,
        contact_name=choices.contact.name,
        email=choices.contact.email,
        email_key=choices.buyer.email,
        phone=choices.contact.phone,
        language=choices.language,
        shipping_address=choices.shipping_address,
        billing_address=choices.billing_address,
        delivery=choices.delivery,
        payment_provider=choices.provider.alias,
        customer_note=choices.note,
        visitor=choices.buyer.visitor,
        currency=draft.currency,
        subtotal=draft.subtotal,
        charges_total=draft.charges_total,
        net_total=draft.net_total,
        tax_total=draft.tax_total,
        total=total,
        placed_at=now,
        expires_at=_expiry(choices.provider, now) if total else None,
    )


def _expiry(provider: PaymentProvider, now: datetime) -> datetime | None:
    return None if provider.expires_after is None else now + provider.expires_after


def _new_guest(choices: _Choices) -> Customer:
    first_name, _space, last_name = choices.contact.name.partition(" ")
    guest = Customer(
        first_name=first_name[:150],
        last_name=last_name[:150],
        email=choices.contact.email,
        phone=choices.contact.phone,
        language=choices.language,
    )
    queries.insert([guest])
    return guest


def _insert(order: Order) -> None:
    """Insert the order with a number from the ORDER_NUMBER hook, or with another one if that is taken."""
    new_number = load_hook(app_settings.ORDER_NUMBER)
    for _attempt in range(NUMBER_ATTEMPTS):
        number = _number_of(new_number, order)
        if problem := numbers.problem_of(number):
            _refuse_number(number, problem)
        order.number = number
        if queries.insert([order], on_conflict="ON CONFLICT (number) DO NOTHING"):
            return
    _refuse_number(order.number, f"It is taken, like the {NUMBER_ATTEMPTS - 1} before it.")


def _number_of(hook: Callable[[Order], Any], order: Order) -> Any:
    try:
        return hook(order)
    except (DatabaseError, ShopOrdersError):
        raise
    except Exception as error:
        logger.exception("ORDER_NUMBER (%s) failed", app_settings.ORDER_NUMBER)
        raise OrderNumberRefused from error


def _refuse_number(number: object, problem: str) -> NoReturn:
    logger.error("ORDER_NUMBER (%s) returned %.100r. %s", app_settings.ORDER_NUMBER, number, problem)
    raise OrderNumberRefused


def _reserve(order: Order, cart_view: carts.CartView) -> None:
    units: Counter[str] = Counter()
    for line in cart_view.draft.lines:
        units[line.product_ref] += line.quantity
    if short := product_source().reserve(dict(units), reference=order.number):
        raise InsufficientStock(cart_view.named_once(short))
