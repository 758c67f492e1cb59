"""The balances of accounts at providers: staff are alarmed once when one falls below its limit."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal

from django.utils import timezone
from shop_core.db.transactions import in_transaction, outside_transaction

from shop_notify.exceptions import UnknownNotifier
from shop_notify.models import AccountBalance
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Balance
from shop_notify.notifiers.time_limit import TimeLimitExceeded, time_limit
from shop_notify.storable import storable_text

logger = logging.getLogger(__name__)

ASK_SECONDS = 30.0
MOST = Decimal(10) ** 11


@outside_transaction(AccountBalance)
def check_balances() -> int:
    """Fetch and store the balance of every notifier with ``low_balance``. Returns the number of notifiers.

    Raises:
        CalledInTransaction: it runs in a transaction, which would wait for the network.
    """
    asked = []
    for alias in registry.aliases():
        try:
            notifier = registry.get_notifier(alias)
        except UnknownNotifier:
            continue
        if notifier.low_balance is None:
            continue
        asked.append(alias)
        try:
            with time_limit(ASK_SECONDS):
                balance = _checked(notifier.fetch_balance())
        except (Exception, SystemExit, TimeLimitExceeded) as error:  # noqa: BLE001 - a notifier may raise anything
            logger.warning("The balance of “%s” is not known: %s", alias, type(error).__name__)
            continue
        if balance is not None and store_balance(alias, balance, notifier.low_balance):
            # Django mails errors to the site's ADMINS.
            text = "The balance of “%s” is low: %s %s. Top up the account, or its messages will wait."
            logger.error(text, alias, balance.currency, balance.amount)
    AccountBalance.objects.exclude(alias__in=asked).delete()
    return len(asked)


def _checked(balance: Balance | None) -> Balance | None:
    """The balance that a notifier returned, with a currency that fits its column.

    Raises:
        ValueError, TypeError: it cannot be compared or stored.
    """
    if balance is None:
        return None
    if not isinstance(balance.amount, Decimal) or not balance.amount.is_finite():
        raise ValueError("The amount must be a finite Decimal.")
    return replace(balance, currency=storable_text(balance.currency)[:3])


@in_transaction(AccountBalance)
def store_balance(alias: str, balance: Balance, limit: Decimal) -> bool:
    """Store a balance. Returns whether it is below the limit and was not before. Locks the row."""
    now = timezone.now()
    AccountBalance.objects.get_or_create(alias=alias, defaults={"amount": 0, "checked_at": now})
    row = AccountBalance.objects.select_for_update().get(alias=alias)
    was_low = row.low_since is not None
    row.amount = max(-MOST, min(MOST, balance.amount)).quantize(Decimal("0.0001"))
    row.currency, row.checked_at = balance.currency, now
    is_low = balance.amount < limit
    row.low_since = (row.low_since or now) if is_low else None
    row.save()
    return is_low and not was_low
