"""Signals of the storefront's pages, for the routes of SHOP_NOTIFY."""

from __future__ import annotations

from django.dispatch import Signal

order_link_asked = Signal()
"""Sent when a visitor entered the number and the e-mail address of an order.

Kwargs: ``payload``, as in the orders' signals, and ``event_id``.
"""
