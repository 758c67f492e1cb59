"""Send the link to an order again, to the e-mail address of the order.

Neither the response nor the work that is done shows whether the order exists.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from django.db import transaction
from shop_core import limits
from shop_core.addresses import comparable
from shop_core.exceptions import TooManyRequests
from shop_notify import queues
from shop_orders import events
from shop_orders.emails import email_key
from shop_orders.models import Order

from storefront.signals import order_link_asked

logger = logging.getLogger(__name__)

PER_ADDRESS, PER_VISITOR = "3/h", "20/h"
"""How many e-mails an address gets, and how many links a visitor can ask for."""


def send(number: str, email: str, *, visitor: str) -> None:
    """Send the link of an order if it exists, has this e-mail address, and no limit is reached.

    For a wrong number or address, a message about the newest order is written and rolled back, so that the time of the
    response does not show that it was wrong.

    ``visitor`` identifies the visitor, such as an IP address.
    """
    try:
        limits.check("storefront.links_of_visitor", PER_VISITOR, visitor)
        limits.check("storefront.links_to_address", PER_ADDRESS, comparable(email))
    except TooManyRequests:
        logger.warning("Too many requests for links to orders.")
        return
    found = Order.objects.select_related("customer").numbered(_as_written(number)).first()
    newest = Order.objects.select_related("customer").order_by("-pk").first()
    is_known = found is not None and found.email_key == email_key(email)
    order = found if is_known else newest
    if order is None:
        return
    with transaction.atomic():
        payload: dict[str, Any] = events.order_payload(order)
        order_link_asked.send(sender=Order, payload=payload, event_id=uuid.uuid4())
        transaction.set_rollback(not is_known)
    if not is_known:
        queues.wake()


def _as_written(number: str) -> str:
    """Order numbers are upper case; people may type lower case."""
    return number.strip().upper()
