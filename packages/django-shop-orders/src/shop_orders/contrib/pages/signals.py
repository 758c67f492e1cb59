"""Signals of the pages, for the routes of SHOP_NOTIFY or receivers of the site."""

from __future__ import annotations

from django.dispatch import Signal

order_link_asked = Signal()
"""Sent in a transaction when a visitor asks for the link to an order, even for a wrong number or address.

Then the transaction is rolled back, so a receiver does nothing but write a row, or wait for the commit. Kwargs:
``payload``, as in the orders' signals, and ``event_id``.
"""
