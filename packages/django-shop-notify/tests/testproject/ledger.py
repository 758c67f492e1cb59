"""A provider that writes each accepted message to a file, so that it survives the death of the sender."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

from shop_notify.exceptions import TemporaryFailure
from shop_notify.notifiers import Notifier, Receipt


class LedgerNotifier(Notifier):
    channel = "memory"

    def __init__(self, *, alias, path, seconds=0.0):
        super().__init__(alias=alias)
        self.path = path
        self.seconds = seconds

    @classmethod
    def address_of(cls, recipient, options):
        return recipient.get("email", "")

    def send(self, message):
        self.before(message)
        time.sleep(self.seconds)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{message.to}\n".encode())
        os.close(file)
        self.after(message)
        return Receipt(provider_id=message.id)

    def before(self, message):
        """The point at which a test kills the sender before anything is sent."""

    def after(self, message):
        """The point at which a test kills the sender after the provider has accepted."""


class IdleNotifier(Notifier):
    """Accepts everything and does nothing."""

    channel = "memory"

    def send(self, message):
        return Receipt(provider_id=message.id)


class IdempotentNotifier(IdleNotifier):
    is_idempotent = True


class PhoneNotifier(IdleNotifier):
    """An SMS provider that accepts every message."""

    channel = "sms"
    address_field = "phone"


class ClockNotifier(IdleNotifier):
    """Records when it was called."""

    def __init__(self, *, alias, path):
        super().__init__(alias=alias)
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @classmethod
    def address_of(cls, recipient, options):
        return recipient.get("email", "")

    def send(self, message):
        os.write(self.file, f"{message.to} {time.monotonic_ns()}\n".encode())
        return super().send(message)


class RefusingNotifier(Notifier):
    channel = "memory"
    max_attempts = 1

    def send(self, message):
        raise TemporaryFailure("never")


def accepted(path):
    """How many messages each address received."""
    file = Path(path)
    return Counter(file.read_text().split()) if file.exists() else Counter()


def die_at_wake_up():
    os.kill(os.getpid(), signal.SIGKILL)


def raise_at_wake_up():
    raise RuntimeError("no broker")
