"""News of the pages themselves, for the routes of SHOP_NOTIFY."""

from __future__ import annotations

from django.dispatch import Signal

order_link_asked = Signal()
"""Somebody named the number and the e-mail address of an order. Kwargs: ``payload`` as of the orders' signals,
``event_id``."""
