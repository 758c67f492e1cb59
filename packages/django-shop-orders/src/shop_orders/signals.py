"""Signals about orders, sent after commit.

Every signal has ``sender`` (the class ``Order``) and these keywords:

``order``     the Order; also ``shipment`` for ``shipment_sent``, ``payment`` for ``payment_status_changed`` and
              ``refund`` for ``order_refunded``
``payload``   JSON-safe: ``version`` (1), ``order`` (number, status, payment_status, currency, subtotal, net_total,
              tax_total, total, lines, charges, tax_lines, account, placed_at, url), ``old_status``, ``new_status``,
              ``at_placement``, ``notify``, ``visitor`` and
              ``recipients = {"customer": {"key", "name", "email", "phone", "language"}}``; money is text
``event_id``  a UUID, the same when the signal is sent again

``cart_abandoned`` is about a cart: see there.

If a receiver raises, the signal is sent again later, to all receivers: ignore an ``event_id`` that was handled before.
"""

from django.dispatch import Signal

order_placed = Signal()
"""A new order. Also sent when the order is confirmed at once."""

order_status_changed = Signal()
"""The status changed from ``old_status`` to ``new_status``.

``at_placement`` is true if the order was placed with the new status.
"""

order_state_changed = Signal()
"""The order was put into a state of the site's own, or taken out of one: ``payload`` has ``old_state``, ``new_state``,
``state_label`` in the customer's language and ``event``, the name in STATES. If the status changed too, that change is
announced with ``notify: false``."""

shipment_sent = Signal()
"""A parcel was sent: ``payload["shipment"]`` has carrier, tracking_number, tracking_url and lines."""

units_cancelled = Signal()
"""Units of an order will not be sent: ``payload["cancelled"]`` has the lines, what remains to be sent, the reason, the
credited amount, and ``with_refund``: true if a refund is announced too. Not sent for an order that is cancelled as
a whole."""

payment_status_changed = Signal()
"""The payment status changed; ``payload["payment"]`` has provider, amount and status."""

order_refunded = Signal()
"""Money was refunded: ``payload["refund"]`` has amount, reason and the lines that were refunded, if any.

Refunds of several payments that were requested together are announced together, with their sum, except those that
succeed later. ``refund`` is the last one."""

cart_abandoned = Signal()
"""A cart was left unordered for CART_ABANDONED_AFTER, and its customer agreed to be reminded. Sent once for each cart.

``sender`` is the class ``Cart``. Kwargs: ``cart``, ``payload``, ``event_id``. ``payload`` is ``{"version", "cart":
{"id", "currency", "lines": [{"product_ref", "name", "quantity", "price_when_added"}]}, "notify": True, "recipients":
{"customer": {"key", "name", "email", "phone", "language"}}}``. Not sent for a cart that was ordered, emptied or
changed meanwhile.
"""
