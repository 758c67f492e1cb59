"""Signals of the notify app, sent with ``send_robust`` after commit.

Kwargs of each: ``notification`` (the row), ``payload`` (JSON-safe: ``version``, ``id``, ``event``, ``event_id``,
``alias``, ``channel``, ``state``, ``reference``, ``recipient_key``) and ``event_id`` (text, the news that caused it).
They are news, not a ledger: a process that dies right after its commit does not send them again.
"""

from django.dispatch import Signal

notification_sent = Signal()
"""The provider has accepted a message."""

notification_delivered = Signal()
"""A delivery report says that a message has arrived."""

notification_failed = Signal()
"""A message was refused, has used up its attempts, or is reported as not delivered."""
