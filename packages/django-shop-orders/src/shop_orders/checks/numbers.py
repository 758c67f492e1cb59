"""Checks of ORDER_NUMBER, which call the hook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError, connections, router, transaction
from django.utils import timezone
from shop_core.hooks import load_hook

from shop_orders.conf import app_settings
from shop_orders.models import Customer, Order
from shop_orders.numbers import problem_of


class _DatabaseUsed(Exception):
    """The hook ran a query, which a check may only do with ``--database``."""


def check_number() -> Iterator[checks.CheckMessage]:
    """The hook's number for a sample order. A hook that uses the database is tried with ``check --database``."""
    try:
        hook = load_hook(app_settings.ORDER_NUMBER)
    except (ImportError, AttributeError):
        return  # check_hooks reports it
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(_refuse_query))
        yield from _try(hook)


def check_number_with_database(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[checks.CheckMessage]:
    """``check_number`` for hooks that use the database. Whatever they write is rolled back."""
    alias = router.db_for_write(Order)
    if alias not in (databases or ()):
        return []
    try:
        with transaction.atomic(using=alias):
            found = list(_try(load_hook(app_settings.ORDER_NUMBER)))
            transaction.set_rollback(True, using=alias)
    except (DatabaseError, ImportError, AttributeError):
        return []  # the tables do not exist yet, or check_hooks reports it
    return found


def _try(hook: Callable[[Order], object]) -> Iterator[checks.CheckMessage]:
    try:
        number = hook(_sample())
    except (_DatabaseUsed, DatabaseError):
        return
    except Exception as error:  # noqa: BLE001 - the hook is the site's
        yield checks.Warning(
            f'SHOP_ORDERS["ORDER_NUMBER"] raised {type(error).__name__} for a sample order: {error}',
            hint="It is called with an order that is not stored yet: it has no primary key and no lines.",
            id="shop_orders.W010",
        )
        return
    if problem := problem_of(number):
        yield checks.Error(
            f'SHOP_ORDERS["ORDER_NUMBER"] returned {number!r:.100}. {problem}',
            hint='Return text that can be part of a URL, such as "B-1000": otherwise every order is refused.',
            id="shop_orders.E022",
        )


def _sample() -> Order:
    """An order as the hook gets it, not stored."""
    customer = Customer(first_name="Test", last_name="Customer", email="customer@example.org")
    amounts = dict.fromkeys(("subtotal", "net_total", "total"), Decimal(25))
    return Order(
        customer=customer,
        contact_name="Test Customer",
        email=customer.email,
        currency=str(app_settings.get("CURRENCY", "")),
        payment_provider=next(iter(app_settings.PAYMENT_PROVIDERS), ""),
        charges_total=Decimal(0),
        tax_total=Decimal(0),
        placed_at=timezone.now(),
        **amounts,
    )


def _refuse_query(*args: Any) -> Any:  # noqa: ARG001 - the signature of an execute wrapper
    raise _DatabaseUsed
