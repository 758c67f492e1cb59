import os
from datetime import timedelta

from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "testproject.library"
    label = "library"

    def ready(self):
        """Shorter times for tests that kill and cut: seconds instead of minutes."""
        if "LAB_LEASE" in os.environ:
            from shop_notify import delivery, outbox

            outbox.LEASE = outbox.SILENCE = timedelta(seconds=float(os.environ["LAB_LEASE"]))
            outbox.FIRST_DELAY_SECONDS = 0.3
            delivery.SEND_SECONDS = outbox.LEASE.total_seconds() / 4
