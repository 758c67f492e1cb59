"""Describes a person as plain data, so that every package can find its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from shop_orders import emails
from shop_orders.conf import app_settings
from shop_orders.models import Customer, Order

Person = Mapping[str, Any]


def person_of_user(user: Any) -> dict[str, Any]:
    """A user, with the guest orders of the addresses that they have verified (VERIFIED_EMAILS)."""
    hook: Callable[[Any], Iterable[str]] = import_string(app_settings.VERIFIED_EMAILS)
    verified = sorted({email for email in hook(user) if email})
    customers = Customer.objects.filter(Q(user=user) | Q(user=None, pk__in=_with_emails(verified)))
    return _person(customers, user=str(user.pk), verified=verified)


def person_of_customer(customer: Customer) -> dict[str, Any]:
    """The person of one customer: their user with everything of that user, or a guest."""
    if customer.user is not None:
        return person_of_user(customer.user)
    keys = {customer.email_key, *customer.orders.values_list("email_key", flat=True)} - {""}
    own = [key for key in keys if not _with_emails([key]).exclude(pk=customer.pk).exists()]
    return _person(Customer.objects.filter(pk=customer.pk), verified=own)


def person_with_email(email: str) -> dict[str, Any]:
    """Every customer with an e-mail address, in any spelling. Only for staff: the address is not verified."""
    return _person(Customer.objects.filter(pk__in=_with_emails([email])), verified=[email])


def customers_of(person: Person) -> QuerySet[Customer]:
    """The customers of a person: by their keys, or where none are given, by user and e-mail addresses."""
    keys = [key.partition(":")[2] for key in person.get("keys", ()) if key.startswith("customer:")]
    if keys:
        return Customer.objects.filter(public_id__in=keys).order_by("pk")
    known = Q(user=person["user"]) if person.get("user") else Q(pk__in=())
    return Customer.objects.filter(known | Q(pk__in=_with_emails(person.get("emails", ())))).order_by("pk")


def _with_emails(addresses: Iterable[str]) -> QuerySet[Customer, Any]:
    keys = [key for email in addresses if (key := emails.email_key(email))]
    found = Customer.objects.filter(Q(email_key__in=keys) | Q(orders__email_key__in=keys))
    return found.order_by().values("pk").distinct()


def _person(customers: QuerySet[Customer], *, verified: Iterable[str], user: str = "") -> dict[str, Any]:
    rows = list(customers.order_by("pk"))
    orders = Order.objects.filter(customer__in=[row.pk for row in rows])
    phones = {row.phone for row in rows} | {*orders.values_list("phone", flat=True)}
    return {
        "user": user or next((str(row.user_id) for row in rows if row.user_id is not None), ""),
        "keys": [row.key for row in rows],
        "emails": sorted(verified),
        "phones": sorted(phones - {""}),
        "references": list(orders.order_by("pk").values_list("number", flat=True)),
    }
