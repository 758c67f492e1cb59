from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from shop_orders.testing import races


class Command(BaseCommand):
    help = (
        "Let many buyers race for few units on this database, with a table and rows of its own that are removed "
        "afterwards. No signal is sent. Not for a database that is under load."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--buyers", type=int, default=64, help="How many buy at once; each takes a connection (64)."
        )
        parser.add_argument("--units", type=int, default=50, help="Units of the hot product (50).")
        parser.add_argument(
            "--orders", type=int, default=640, help="Orders of the second race, 3 of 30 products each (640)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "postgresql":
            self.stdout.write("This database allows one writer at a time, so the races cannot show deadlocks.")
        buyers, units = options["buyers"], options["units"]
        hot = races.hot_product(buyers=buyers, units=units)
        self._show(f"{buyers} buyers for {units} units", hot)
        mixed = races.mixed_carts(buyers=buyers, orders=options["orders"])
        self._show(f"{options['orders']} orders, 3 of 30 products in random order", mixed)
        expected = min(buyers, units)
        if hot.sold != expected or hot.errors or mixed.errors or mixed.deadlocks:
            raise CommandError("The race failed: see the lines above.")
        self.stdout.write(self.style.SUCCESS("Nothing was oversold, and there was no deadlock."))

    def _show(self, title: str, result: races.Result) -> None:
        self.stdout.write(
            f"{title}: sold {result.sold}, refused {result.refused}, left {result.left}, "
            f"deadlocks {result.deadlocks}, other errors {dict(result.errors)}, {result.seconds:.1f} s"
        )
