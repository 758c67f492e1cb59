"""What the sites send messages with, and a signal of their own."""

from django.dispatch import Signal
from shop_notify.notifiers import MemoryNotifier

cup_washed = Signal()
"""Sent by a view of the site, with ``payload`` and ``event_id``."""


class Mailbox(MemoryNotifier):
    channel = "email"


class Phone(MemoryNotifier):
    """SMS that cost money, so SMS_LIMITS counts them."""

    channel = "sms"
    is_metered = True

    @classmethod
    def address_of(cls, recipient, _options):
        return str(recipient.get("phone") or "")
