"""News about orders, sent after commit.

Every signal has ``sender`` (the model class of the row it is about) and these keywords:

``order``     the Order, freshly read (for ``shipment_sent`` also ``shipment``, for refunds ``refund``)
``payload``   JSON-safe: ``version`` (1), ``order`` (number, status, payment_status, currency, subtotal, total, lines,
              charges, placed_at, url), ``old_status``, ``new_status``, ``at_placement``, ``notify`` and
              ``recipients = {"customer": {"key", "name", "email", "phone", "language"}}``; money is text
``event_id``  a UUID, the same when the news is sent again

A receiver that raises makes the news be sent again later, to all receivers: treat a known ``event_id`` as seen before.
"""

from django.dispatch import Signal

order_placed = Signal()
"""A new order. Also sent when the order confirms at once."""

order_status_changed = Signal()
"""The status moved from ``old_status`` to ``new_status``; ``at_placement`` when that was part of placing the order."""

shipment_sent = Signal()
"""Goods left: ``payload["shipment"]`` has carrier, tracking_number, tracking_url and lines."""

payment_status_changed = Signal()
"""The payment status moved; ``payload["payment"]`` has provider, amount and status."""

order_refunded = Signal()
"""Money went back: ``payload["refund"]`` has amount and reason."""
