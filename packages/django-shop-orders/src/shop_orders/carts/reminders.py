"""Reminders of carts that are left unordered: only with consent, once for each cart, after CART_ABANDONED_AFTER."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from shop_core.db.transactions import connection_of
from shop_core.money import as_text

from shop_orders import emails, signals
from shop_orders.carts.finding import lock
from shop_orders.conf import app_settings
from shop_orders.exceptions import InvalidInput, RemindersOff
from shop_orders.models import Cart, CartItem, CartReminder, RemindedAddress, texts
from shop_orders.transactions import in_transaction

logger = logging.getLogger(__name__)

FIRST_RETRY, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
ADDRESS_PAUSE = timedelta(days=7)
"""An address gets at most one reminder in this time, also for other carts: somebody else may have entered it."""


@in_transaction(Cart)
def agree_to_reminder(cart: Cart, *, email: str = "") -> CartReminder:
    """Record that the customer wants to be reminded of this cart. Without an address, the customer's is used.

    A second call changes the address. A cart that was announced is not announced again.

    Raises:
        RemindersOff: CART_ABANDONED_AFTER is not set.
        InvalidInput: there is no address, or mail cannot be sent to it.
        CartClosed: the cart was ordered meanwhile.
    """
    if app_settings.CART_ABANDONED_AFTER is None:
        raise RemindersOff
    address = email.strip() or (cart.customer.email if cart.customer else "")
    if not address:
        raise InvalidInput(_("Enter an e-mail address."), extra={"fields": ["email"]})
    try:
        emails.validate(address)
    except ValidationError as error:
        raise InvalidInput(error.messages[0], extra={"fields": ["email"]}) from error
    language = (cart.customer.language if cart.customer else "") or get_language() or ""
    values = {"email": address, "language": language[:20], "agreed_at": timezone.now()}
    return CartReminder.objects.update_or_create(cart=lock(cart), defaults=values)[0]


@in_transaction(Cart)
def withdraw_reminder(cart: Cart) -> None:
    """Remove the consent and the address. For an announced cart, only the fact that it was announced is kept."""
    lock(cart)
    reminders = CartReminder.objects.filter(cart=cart)
    reminders.filter(announced_at=None).delete()
    reminders.update(email="", email_key="", language="")


def reminder_of(cart: Cart | None) -> CartReminder | None:
    """The consent that was given for a cart and not withdrawn."""
    return None if cart is None else CartReminder.objects.filter(cart=cart).exclude(email="").first()


def announce_abandoned(*, limit: int = 500) -> int:
    """Send ``cart_abandoned`` for carts that are due, and delete the consents of closed carts. Returns how many.

    Safe to run in parallel. Before each attempt, the cart is locked and read again: it must still be open, not empty,
    unchanged and have the consent.
    """
    _delete_old()
    keys = list(_due().order_by("next_attempt_at", "id").values_list("pk", flat=True)[:limit])
    return sum(_announce(key) for key in keys)


def erase_reminders(addresses: Iterable[str]) -> None:
    """Delete the consents with these e-mail addresses, also of guests' carts."""
    keys = {emails.email_key(address) for address in addresses} - {""}
    stored = [key for key in keys if texts.is_storable(CartReminder, "email_key", key)]
    CartReminder.objects.filter(email_key__in=stored).delete()
    RemindedAddress.objects.filter(address_hash__in=[_hash_of(key) for key in stored]).delete()


def _due() -> QuerySet[CartReminder]:
    after = app_settings.CART_ABANDONED_AFTER
    if after is None:
        return CartReminder.objects.none()
    now = timezone.now()
    return CartReminder.objects.filter(
        Exists(CartItem.objects.filter(cart=OuterRef("cart"))),
        cart__status=Cart.Status.OPEN,
        cart__updated_at__lte=now - after,
        announced_at=None,
        next_attempt_at__lte=now,
    ).exclude(email="")


def _announce(key: int) -> bool:
    """Send the signal for one cart. Returns False if it is no longer due, or if a receiver failed; after a failure it
    is tried again."""
    claimed = _claim(key)
    if claimed is None:
        return False
    reminder, payload = claimed
    results = signals.cart_abandoned.send_robust(
        sender=Cart, cart=reminder.cart, payload=payload, event_id=reminder.event_id
    )
    errors = [error for _receiver, error in results if isinstance(error, Exception)]
    for error in errors:
        logger.error("A receiver of cart_abandoned failed", exc_info=error)
    if not errors:
        CartReminder.objects.filter(pk=key).update(announced_at=timezone.now())
    return not errors


@in_transaction(CartReminder)
def _claim(key: int) -> tuple[CartReminder, dict[str, Any]] | None:
    """Take the reminder for this process until its next attempt, if it is still due."""
    cart = Cart.objects.filter(reminder=key)
    if connection_of(Cart).features.has_select_for_update_skip_locked:
        cart = cart.select_for_update(of=("self",), skip_locked=True)
    if cart.first() is None:
        return None
    reminder = _due().select_related("cart__customer").filter(pk=key).first()
    if reminder is None:
        return None
    if paused_until := _begin_pause(reminder):
        CartReminder.objects.filter(pk=key).update(next_attempt_at=paused_until)
        return None
    wait = min(LONGEST_WAIT, FIRST_RETRY * 4 ** min(reminder.attempts, 8))
    attempts = reminder.attempts + 1
    CartReminder.objects.filter(pk=key).update(attempts=attempts, next_attempt_at=timezone.now() + wait)
    return reminder, _payload(reminder)


def _begin_pause(reminder: CartReminder) -> datetime | None:
    """Begin the pause of the address. If a reminder of another cart has begun it, return when it ends. If two
    processes have carts of the same address, the second one waits here for the first."""
    now = timezone.now()
    values = {"event_id": reminder.event_id, "reminded_at": now}
    rows = RemindedAddress.objects.select_for_update()
    row, is_new = rows.get_or_create(address_hash=_hash_of(reminder.email_key), defaults=values)
    if is_new:
        return None
    if row.event_id != reminder.event_id and row.reminded_at > now - ADDRESS_PAUSE:
        return row.reminded_at + ADDRESS_PAUSE
    RemindedAddress.objects.filter(pk=row.pk).update(**values)
    return None


def _hash_of(email_key: str) -> str:
    """The key is SECRET_KEY, so the hash cannot be computed from a list of addresses."""
    return salted_hmac("shop_orders.reminder", email_key, algorithm="sha256").hexdigest()


def _payload(reminder: CartReminder) -> dict[str, Any]:
    cart, currency = reminder.cart, app_settings.CURRENCY
    return {
        "version": 1,
        "cart": {
            "id": str(cart.public_id),
            "currency": currency,
            "lines": [
                {
                    "product_ref": item.product_ref,
                    "name": item.name,
                    "quantity": item.quantity,
                    "price_when_added": as_text(item.price_when_added, currency),
                }
                for item in cart.items.all()
            ],
        },
        "notify": True,
        "recipients": {
            "customer": {
                "key": cart.customer.key if cart.customer else f"cart:{cart.public_id}",
                "name": cart.customer.name if cart.customer else "",
                "email": reminder.email,
                "phone": "",
                "language": reminder.language,
            }
        },
    }


def _delete_old() -> None:
    """Delete the consents of carts that were ordered or merged, and the addresses whose pause is over."""
    CartReminder.objects.exclude(cart__status=Cart.Status.OPEN).delete()
    RemindedAddress.objects.filter(reminded_at__lte=timezone.now() - ADDRESS_PAUSE).delete()
