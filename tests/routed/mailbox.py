from shop_notify.notifiers import MemoryNotifier


class Mailbox(MemoryNotifier):
    """Keeps e-mails in memory."""

    channel = "email"
