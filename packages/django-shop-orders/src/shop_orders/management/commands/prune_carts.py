from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from shop_orders import carts
from shop_orders.conf import app_settings
from shop_orders.models import Cart


class Command(BaseCommand):
    help = (
        "Delete open carts that were not changed for SHOP_ORDERS[CART_MAX_AGE] (60 days). Run it every day, or "
        "shop_orders_jobs; it is safe to run in parallel."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only count them.")
        parser.add_argument("--batch", type=int, default=1000, help="Carts deleted in one transaction (1000).")

    def handle(self, *args: Any, **options: Any) -> None:
        stale = Cart.objects.stale(timezone.now() - app_settings.CART_MAX_AGE).count()
        if options["dry_run"]:
            self.stdout.write(f"{stale} would be deleted")
            return

        def progress(deleted: int) -> None:
            self.stdout.write(f"{deleted} of {stale} deleted")

        deleted = carts.prune(batch=options["batch"], progress=progress)
        self.stdout.write(f"{deleted} deleted")
