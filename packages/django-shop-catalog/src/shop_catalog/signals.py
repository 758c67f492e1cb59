"""Signals of the catalogue. All are sent after commit with ``send_robust``.

Every signal carries ``payload``, JSON-safe with amounts as text, and ``event_id``, a UUID that is the same if the
signal is sent again. Receivers ignore an ``event_id`` that they have processed before.
"""

from __future__ import annotations

from django.dispatch import Signal

stock_low = Signal()
"""Availability fell below the product's threshold. Kwargs: ``product``, ``payload``, ``event_id``.

``payload`` is ``{"version", "product": {"sku", "name", "slug"}, "available", "threshold", "notify": True,
"recipients": {}}``.
"""

stock_back = Signal()
"""Availability rose to the threshold or above. Kwargs and payload as ``stock_low``."""

stock_available = Signal()
"""Availability rose from zero, of any product: received, counted, imported, restocked, or given back by an order. Sent
once for each rise, also for the first stock of a product. Kwargs and payload as ``stock_low``; ``threshold`` may be
``None``. ``available`` is the stock at the time of sending: zero if it was sold meanwhile.
"""

price_changed = Signal()
"""A product's price changed. Kwargs: ``product``, ``payload``, ``event_id``.

``payload`` is ``{"version", "product": {"sku", "name", "slug"}, "old_price", "new_price", "currency",
"notify": True, "recipients": {}}``. A price is ``None`` if none was given. A bulk upload sends ``products_imported``
instead.
"""

review_submitted = Signal()
"""A customer wrote or changed a review. Kwargs: ``review``, ``payload``, ``event_id``.

``payload`` is ``{"version", "review": {"id", "rating", "title", "status"}, "product": {"sku", "name", "slug"},
"notify": True, "recipients": {}}``.
"""

products_imported = Signal()
"""A bulk upload was written. Kwargs: ``payload``, ``event_id``.

``payload`` is ``{"version", "created", "updated", "failed", "notify": True, "recipients": {}}``.
"""

product_changed = Signal()
"""Listed products were written, changed or deleted: texts, prices, publication, categories or images. Kwargs:
``payload``, ``event_id``.

Every action sends it, also for the admin, the API and imports. Changes of stock and ratings do not.

``payload`` is ``{"version", "products": [{"id", "sku"}], "recipients": {}}``. It names each product that the
transaction changed once, and for a variant its group. If there are more than 1,000, several signals are sent. Read the
products again: one that does not exist was deleted.
"""
