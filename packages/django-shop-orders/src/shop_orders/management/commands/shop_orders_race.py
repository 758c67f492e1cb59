from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from shop_core.db.transactions import connection_of

from shop_orders.conf import app_settings
from shop_orders.models import Order
from shop_orders.testing import races


class Command(BaseCommand):
    help = (
        "Let many buyers order few units on this database at once. With --ref they order products of your "
        "PRODUCT_SOURCE, which are sold out for some seconds; otherwise those of a table that is removed "
        "afterwards. No signal is sent. Not for a database that is under load."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--ref",
            action="append",
            default=[],
            help="A product of your PRODUCT_SOURCE with stock. Name two or more to look for deadlocks too. All stock "
            "is released afterwards; a source with a ledger keeps the movements.",
        )
        parser.add_argument(
            "--buyers", type=int, default=64, help="How many buy at once; each takes a connection (64)."
        )
        parser.add_argument("--units", type=int, default=50, help="How many of the buyers can be served (50).")
        parser.add_argument("--orders", type=int, default=640, help="Orders of the second race (640).")

    def handle(self, *args: Any, **options: Any) -> None:
        if connection_of(Order).vendor != "postgresql":
            self.stdout.write("This database allows one writer at a time, so the races cannot show deadlocks.")
        refs: list[str] = options["ref"]
        try:
            is_won = self._race_own(refs, options) if refs else self._race_table(options)
        except races.NothingToRaceFor as error:
            raise CommandError(str(error)) from error
        if not is_won:
            raise CommandError("The race failed: see the lines above.")
        raced = "your PRODUCT_SOURCE" if refs else "the package's own source"
        self.stdout.write(self.style.SUCCESS(f"Nothing was oversold by {raced}, and there was no deadlock."))

    def _race_own(self, refs: list[str], options: dict[str, Any]) -> bool:
        self.stdout.write(f"Racing your PRODUCT_SOURCE, {app_settings.PRODUCT_SOURCE['BACKEND']}.")
        buyers = options["buyers"]
        hot = races.own_product(refs[0], buyers=buyers, units=options["units"])
        self._show(f"{buyers} buyers for all units of {refs[0]}", hot)
        if len(refs) == 1:
            self.stdout.write("Deadlocks were not looked for: that needs a second --ref.")
            return self._is_won(hot)
        mixed = races.own_carts(refs, buyers=buyers, orders=options["orders"])
        self._show(f"{options['orders']} orders of one unit of each of {', '.join(refs)}", mixed)
        return self._is_won(hot) and self._is_won(mixed)

    def _race_table(self, options: dict[str, Any]) -> bool:
        self.stdout.write(
            self.style.WARNING(
                "Racing the package's own source over a table of its own, not your PRODUCT_SOURCE: name one of your "
                "products with --ref to race that."
            )
        )
        buyers, units = options["buyers"], options["units"]
        hot = races.hot_product(buyers=buyers, units=units)
        self._show(f"{buyers} buyers for {units} units", hot)
        mixed = races.mixed_carts(buyers=buyers, orders=options["orders"])
        self._show(f"{options['orders']} orders, 3 of 30 products in random order", mixed)
        return self._is_won(hot) and self._is_won(mixed)

    @staticmethod
    def _is_won(result: races.Result) -> bool:
        is_exact = result.expected in (0, result.sold)
        return is_exact and result.left >= 0 and not result.errors and not result.deadlocks

    def _show(self, title: str, result: races.Result) -> None:
        self.stdout.write(
            f"{title}: sold {result.sold}, refused {result.refused}, left {result.left}, "
            f"deadlocks {result.deadlocks}, other errors {dict(result.errors)}, {result.seconds:.1f} s"
        )
