import os
from datetime import timedelta

from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "testproject.library"
    label = "library"

    def ready(self):
        """Shorter times for tests that kill workers or cut connections: seconds instead of minutes."""
        if "LAB_LEASE" in os.environ:
            from shop_notify.delivery import claiming, sending, settling, workers

            claiming.LEASE = workers.WORKER_TIMEOUT = timedelta(seconds=float(os.environ["LAB_LEASE"]))
            settling.FIRST_DELAY_SECONDS = 0.3
            sending.SEND_SECONDS = claiming.LEASE.total_seconds() / 4
