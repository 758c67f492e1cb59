"""Send the link to an order again, to the e-mail address of the order.

Neither the response nor the work that is done shows whether the order exists.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from django.db import router, transaction
from shop_core import limits
from shop_core.addresses import comparable
from shop_core.exceptions import TooManyRequests

from shop_orders import events
from shop_orders.contrib.pages.signals import order_link_asked
from shop_orders.emails import email_key
from shop_orders.models import Order

logger = logging.getLogger(__name__)

PER_ADDRESS, PER_VISITOR = "3/h", "20/h"
"""How many e-mails an address gets, and how many links a visitor can ask for."""


def are_sent() -> bool:
    """Whether anything in the site sends the links: a route of SHOP_NOTIFY, or a receiver of ``order_link_asked``."""
    return order_link_asked.has_listeners(Order)


def send(number: str, email: str, *, visitor: str) -> bool:
    """Send the link of an order if it exists, has this e-mail address, and no limit is reached.

    For a wrong number or address, a message about the newest order is written and rolled back, so that the time of the
    response does not show that it was wrong. Returns False after such a roll-back.

    ``visitor`` identifies the visitor, such as ``visitors.of(request)``.
    """
    try:
        limits.check("shop_orders.links_of_visitor", PER_VISITOR, visitor)
        limits.check("shop_orders.links_to_address", PER_ADDRESS, comparable(email))
    except TooManyRequests:
        logger.warning("Too many requests for links to orders.")
        return True
    found = Order.objects.select_related("customer").numbered(_as_written(number)).first()
    newest = Order.objects.select_related("customer").order_by("-pk").first()
    is_known = found is not None and found.email_key == email_key(email)
    order = found if is_known else newest
    if order is None:
        return True
    database = router.db_for_write(Order)
    with transaction.atomic(using=database):
        payload: dict[str, Any] = events.order_payload(order)
        order_link_asked.send(sender=Order, payload=payload, event_id=uuid.uuid4())
        transaction.set_rollback(not is_known, using=database)
    return is_known


def _as_written(number: str) -> str:
    """Order numbers are upper case; people may type them in lower case."""
    return number.strip().upper()
