from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from shop_core.money import as_text

from shop_orders import payments
from shop_orders.models import Order


class Command(BaseCommand):
    help = (
        "Cancel orders that were not paid in time and release their stock, after fetching their payments' states. "
        "Run it every minute, or shop_orders_jobs; it is safe to run in parallel."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only list the overdue orders; cancel nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        overdue = Order.objects.overdue().order_by("expires_at")
        if options["dry_run"]:
            for order in overdue[:100]:
                since = order.expires_at.isoformat(timespec="seconds") if order.expires_at else ""
                money = f"{as_text(order.total, order.currency)} {order.currency}"
                self.stdout.write(f"{order.number}: {money}, was to be paid by {since}")
            self.stdout.write(f"{overdue.count()} overdue")
            return
        expired = 0
        while more := payments.expire_due():
            expired += more
            self.stdout.write(f"{expired} expired")
        kept = overdue.all().count()
        self.stdout.write(
            f"{expired} expired, {kept} kept: their providers did not respond, or may have received money."
        )
