"""Signals of the notify app, sent with ``send_robust`` after commit.

Kwargs of each: ``notification`` (the row), ``payload`` (JSON-safe: ``version``, ``id``, ``event``, ``event_id``,
``alias``, ``channel``, ``state``, ``reference``, ``recipient_key``) and ``event_id`` (text, of the route's event).
They are sent at most once: a process that dies right after its commit does not send them again.
"""

from django.dispatch import Signal

notification_sent = Signal()
"""The provider has accepted a message."""

notification_delivered = Signal()
"""A delivery report confirms that a message has arrived."""

notification_failed = Signal()
"""A message was refused, has used up its attempts, or is reported as not delivered."""
