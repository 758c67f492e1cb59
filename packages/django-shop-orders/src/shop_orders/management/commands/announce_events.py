from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shop_orders import events
from shop_orders.models import OrderEvent


class Command(BaseCommand):
    help = (
        "Announce events that a crash or an error left unannounced. Run it every minute, or shop_orders_jobs; "
        "it is safe to run in parallel."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only list the waiting events with their errors; send nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._list()
            return
        sent = 0
        while taken := events.announce_due():
            sent += taken
            self.stdout.write(f"{sent} announced")
        waiting = OrderEvent.objects.waiting().count()
        self.stdout.write(f"{sent} announced, {waiting} waiting for their next attempt.")

    def _list(self) -> None:
        waiting = OrderEvent.objects.waiting().select_related("order").order_by("next_attempt_at")
        for event in waiting[:100]:
            why = event.last_error or "not announced yet"
            at = event.next_attempt_at.isoformat(timespec="seconds")
            self.stdout.write(f"{event.order.number} {event.signal}: attempt {event.attempts + 1} at {at}; {why}")
        self.stdout.write(f"{waiting.count()} waiting.")
