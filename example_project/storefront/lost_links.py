"""Send the link to an order again, to the e-mail address of the order.

The response never shows whether the order exists.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from typing import Any

from django.core.cache import cache
from django.db import transaction
from shop_core.addresses import comparable
from shop_orders import events
from shop_orders.emails import email_key
from shop_orders.models import Order

from storefront.signals import order_link_asked

logger = logging.getLogger(__name__)

LIMITS = {"address": (3, 3600), "visitor": (20, 3600)}
"""For an e-mail address and for a visitor, the number of e-mails and the period in seconds."""


def send(number: str, email: str, *, visitor: str) -> None:
    """Send the link of an order if it exists, has this e-mail address, and no limit is reached.

    ``visitor`` identifies the visitor, such as an IP address.
    """
    if not (_may("visitor", visitor) and _may("address", comparable(email))):
        logger.warning("Too many requests for links to orders.")
        return
    order = Order.objects.select_related("customer").numbered(_as_written(number)).first()
    if order is None or order.email_key != email_key(email):
        return
    with transaction.atomic():
        payload: dict[str, Any] = events.order_payload(order)
        order_link_asked.send(sender=Order, payload=payload, event_id=uuid.uuid4())


def _as_written(number: str) -> str:
    """Order numbers are upper case; people may type lower case."""
    return number.strip().upper()


def _may(kind: str, who: str) -> bool:
    most, seconds = LIMITS[kind]
    key = f"lost-link:{kind}:{hashlib.sha256(who.encode()).hexdigest()}"
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key) <= most
    except ValueError:
        return True  # it expired between the two calls
