"""Signals of an app that knows nothing of notifications."""

from django.dispatch import Signal

loan_made = Signal()
"""Kwargs: ``payload`` and ``event_id``, as the suite's own signals have them."""

book_returned = Signal()
"""Kwargs: ``book`` and ``member``, plain objects. No payload, no id."""

newsletter_published = Signal()
