"""Finds the customer of a request and creates it on first use. Claims guest orders and anonymises customers."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from shop_core.addresses import identity_problem
from shop_core.db.transactions import connection_of

from shop_orders import emails, phones
from shop_orders.conf import app_settings
from shop_orders.exceptions import InvalidAddress
from shop_orders.models import Address, Customer, Order, OrderEvent, texts
from shop_orders.transactions import in_transaction

logger = logging.getLogger(__name__)

FIELDS = ("first_name", "last_name", "email", "phone", "language")
ADDRESS_FIELDS = ("name", "company", "line1", "line2", "city", "region", "postal_code", "country", "phone")

MAX_ADDRESSES = 20
"""The most addresses in a customer's address book."""


def request_user(request: HttpRequest) -> Any:
    """The default of REQUEST_USER: ``request.user`` when logged in, else ``request.auth`` when that is a user."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return user
    auth = getattr(request, "auth", None)
    return auth if isinstance(auth, get_user_model()) else None


def fields_from_user(user: Any) -> Mapping[str, str]:
    """The default of NEW_CUSTOMER: names and e-mail address if the user model has them, and the active language."""
    email_field = getattr(user, "EMAIL_FIELD", "email")
    return {
        "first_name": getattr(user, "first_name", "") or "",
        "last_name": getattr(user, "last_name", "") or "",
        "email": getattr(user, email_field, "") or "",
        "language": get_language() or "",
    }


def no_verified_emails(user: Any) -> Iterable[str]:  # noqa: ARG001 - the hook's signature
    """The default of VERIFIED_EMAILS: no address is known to be verified, so no guest order can be claimed."""
    return ()


def user_of(request: HttpRequest) -> Any:
    """The user of a request by the REQUEST_USER hook, None for a guest."""
    hook: Callable[[HttpRequest], Any] = import_string(app_settings.REQUEST_USER)
    return hook(request)


def for_request(request: HttpRequest) -> Customer | None:
    """The customer who makes the request, created on first use; None for a guest."""
    user = user_of(request)
    return None if user is None else for_user(user)


def for_user(user: Any) -> Customer:
    """The customer of a user, created on first use with the fields of the NEW_CUSTOMER hook."""
    customer = Customer.objects.filter(user=user).first()
    if customer is not None:
        customer.user = user
        return customer
    fields = _fields_of(user)
    try:
        with transaction.atomic(using=connection_of(Customer).alias):
            return Customer.objects.create(user=user, **fields)
    except IntegrityError:
        return Customer.objects.get(user=user)


def _fields_of(user: Any) -> dict[str, str]:
    """The fields that the NEW_CUSTOMER hook returns for a user. If the hook fails, the error is logged and the fields
    are empty; the customer can enter them later."""
    hook: Callable[[Any], Mapping[str, str]] = import_string(app_settings.NEW_CUSTOMER)
    try:
        return _fitted(hook(user))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("The hook NEW_CUSTOMER failed")
        return {}


def _fitted(fields: Mapping[str, str]) -> dict[str, str]:
    """The hook's values, cut to the length of the columns, so that a user with a long name can order too. None becomes
    an empty text."""
    if unknown := set(fields) - set(FIELDS):
        logger.error("The hook NEW_CUSTOMER returned fields that a customer does not have: %s", sorted(unknown))
    found = {name: texts.fitted(Customer, name, fields[name] or "") for name in FIELDS if name in fields}
    if "email" in found and found["email"] != (fields["email"] or ""):
        found["email"] = ""  # a shortened address would be another person's
    return found


def update(customer: Customer, **fields: str) -> Customer:
    """Change names, e-mail address, phone or language; a phone is normalised.

    Raises:
        InvalidPhone: the phone number is not valid.
        InvalidInput: a text is too long, or has a character that cannot be stored.
        TypeError: a keyword is none of these fields.
    """
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise TypeError(f"A customer has no {', '.join(sorted(unknown))}.")
    if "phone" in fields:
        fields["phone"] = phones.normalise(fields["phone"])
    texts.check(Customer, **fields)
    if "email" in fields:
        fields["email_key"] = emails.email_key(fields["email"])
    for name, value in fields.items():
        setattr(customer, name, value)
    customer.save(update_fields=[*fields, "updated_at"])
    return customer


def set_addresses(customer: Customer, addresses: Iterable[Mapping[str, Any]]) -> list[Address]:
    """Replace the addresses of a customer. The first is the default unless another one is marked.

    Raises:
        InvalidAddress: an address lacks line1, city or country, or there are more than MAX_ADDRESSES.
        InvalidPhone: the phone number of an address is not valid.
        InvalidInput: a text is too long, or has a character that cannot be stored.
    """
    rows = [Address(customer=customer, **_address_fields(data)) for data in addresses]
    _refuse_more_than_allowed(len(rows))
    defaults = [row for row in rows if row.is_default] or rows[:1]
    for row in rows:
        row.is_default = row in defaults[:1]
    with _address_book_of(customer) as book:
        book.all().delete()
        return Address.objects.bulk_create(rows)


def save_address(customer: Customer, data: Mapping[str, Any], *, public_id: uuid.UUID | None = None) -> Address:
    """Add an address, or change the one with this public id; the others stay. The first address is the default.

    An address equal to a stored one is not added again. Two calls at the same moment wait for each other.

    Raises:
        Address.DoesNotExist: the customer has no address with this public id.
        InvalidAddress: line1, city or country is missing, or the address book is full.
        InvalidPhone: its phone number is not valid.
        InvalidInput: a text is too long, or has a character that cannot be stored.
    """
    fields = _address_fields(data)
    with _address_book_of(customer) as book:
        rows = list(book.all())
        if public_id is None:
            row = next((row for row in rows if row.as_data() == {**row.as_data(), **_compared(fields)}), None)
        else:
            row = book.get(public_id=public_id)
        if row is None:
            _refuse_more_than_allowed(len(rows) + 1)
            row = Address(customer=customer)
        fields["is_default"] = fields["is_default"] or row.is_default or not rows
        if fields["is_default"]:
            book.exclude(pk=row.pk).update(is_default=False)
        for name, value in fields.items():
            setattr(row, name, value)
        row.save()
        return row


def delete_address(customer: Customer, public_id: uuid.UUID) -> None:
    """Delete an address. If it was the default, the oldest of the others is made the default.

    A second call changes nothing.
    """
    with _address_book_of(customer) as book:
        deleted = book.filter(public_id=public_id).delete()[0]
        first = book.order_by("pk").first()
        if deleted and first is not None and not book.filter(is_default=True).exists():
            book.filter(pk=first.pk).update(is_default=True)


@contextmanager
def _address_book_of(customer: Customer) -> Iterator[Any]:
    """The addresses of a customer, in a transaction that keeps other requests from changing them."""
    with transaction.atomic(using=connection_of(Address).alias):
        Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        yield customer.addresses


def _address_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    label = str(data.get("label") or "")
    texts.check(Address, label=label)
    fields = clean_address({name: data.get(name, "") for name in ADDRESS_FIELDS})
    return {**fields, "label": label, "is_default": bool(data.get("is_default"))}


def _compared(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ADDRESS_FIELDS}


def _refuse_more_than_allowed(number: int) -> None:
    if number > MAX_ADDRESSES:
        raise InvalidAddress(
            _("An address book holds at most %(most)s addresses. Delete one first.") % {"most": MAX_ADDRESSES}
        )


@in_transaction(Order)
def claim_orders(user: Any) -> int:
    """Assign to a user the guest orders with one of their verified addresses (VERIFIED_EMAILS). Returns their number.

    Addresses are compared by ``shop_core.addresses.comparable``; one that could be mistaken for another
    (``shop_core.addresses.identity_problem``) claims nothing. The guest links of claimed orders stop working.
    """
    hook: Callable[[Any], Iterable[str]] = import_string(app_settings.VERIFIED_EMAILS)
    keys = {emails.email_key(email) for email in hook(user) if email and not identity_problem(email)}
    if not keys:
        return 0
    customer = for_user(user)
    orders = Order.objects.select_for_update(of=("self",)).filter(customer__email_key__in=keys)
    claimed = list(orders.filter(customer__user=None, customer__anonymised_at=None).order_by("pk"))
    for order in claimed:
        OrderEvent.objects.create(order=order, kind="claimed", actor=user, is_public=False)
    count = Order.objects.filter(pk__in=[order.pk for order in claimed]).update(customer=customer)
    guests = Customer.objects.filter(pk__in=[order.customer_id for order in claimed], orders=None)
    guests.delete()  # the same person, who has no other orders
    return count


def anonymise(customer: Customer) -> int:
    """Erase the personal data of a customer in every module of PERSONAL_DATA. Returns the number of their orders.

    Amounts, products and dates are kept. A second call changes nothing. If the customer has
    a user, the guest orders of the user's verified addresses are included. Data that cannot be erased yet is erased by
    a periodic job.

    Raises:
        InvalidTransition: an order is not finished yet and needs its address.
    """
    from shop_orders import personal_data  # it uses this module

    personal_data.refuse_if_unfinished(customer)
    personal_data.erase_everywhere(personal_data.person_of_customer(customer))
    return customer.orders.count()


def clean_address(data: Mapping[str, str]) -> dict[str, str]:
    """An address as it is stored; {} for an empty one.

    Raises:
        InvalidAddress: line1, city or country is missing, or a text cannot be stored.
        InvalidPhone: its phone is not valid.
    """
    address = {name: str(data.get(name) or "").strip() for name in ADDRESS_FIELDS}
    if not any(address.values()):
        return {}
    missing = [name for name in ("line1", "city", "country") if not address[name]]
    if missing:
        raise InvalidAddress(_("An address needs line1, city and country."), extra={"fields": missing})
    address["country"] = address["country"].upper()
    if len(address["country"]) != 2 or not address["country"].isascii() or not address["country"].isalpha():
        raise InvalidAddress(
            _("Write the country as two letters of ISO 3166-1, such as KE."), extra={"fields": ["country"]}
        )
    texts.check(Address, InvalidAddress, **address | {"phone": ""})
    address["phone"] = phones.normalise(address["phone"])
    return address
