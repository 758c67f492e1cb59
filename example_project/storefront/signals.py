"""Signals of the storefront's pages, for the routes of SHOP_NOTIFY."""

from __future__ import annotations

from django.dispatch import Signal

order_link_asked = Signal()
"""Sent when a visitor asks for the link to an order, even for a wrong number or address: see ``lost_links``.

Kwargs: ``payload``, as in the orders' signals, and ``event_id``.
"""
