from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from shop_core.replay import PastEvent, ReplayCommand, key_after, rows_after

from shop_catalog import inventory, signals
from shop_catalog.models import PriceChange, Product, StockMovement
from shop_catalog.product_changes import price_payload


class Command(ReplayCommand):
    help = (
        "Replay past events of stock and prices to one receiver. The other signals of the catalogue are not stored: "
        "read the products or reviews instead."
    )
    signals = {
        "stock_low": signals.stock_low,
        "stock_back": signals.stock_back,
        "stock_available": signals.stock_available,
        "price_changed": signals.price_changed,
    }
    sender = Product

    def handle(self, *args: Any, **options: Any) -> None:
        if options["receiver"] and not options["since"]:
            raise CommandError("Say which events: --since TIME.")
        self.replay(**options)

    def past_events(self, names: Iterable[str], **options: Any) -> Iterator[PastEvent]:
        """First the crossings of stock, then the changes of prices."""
        wanted, after, since, until = {*names}, options["after"], options["since"], timezone.now()
        if not after.startswith("price-"):
            crossings = _crossings(key_after(after, "stock"), since, until)
            yield from (event for event in crossings if event.signal in wanted)
            after = ""
        if "price_changed" in wanted:
            yield from _price_changes(key_after(after, "price"), since, until)


def _crossings(after: int, since: datetime, until: datetime) -> Iterator[PastEvent]:
    """The announced crossings, with the stock as it is now."""
    rows = StockMovement.objects.exclude(crossing="").filter(announced_at__lte=until, created_at__gte=since)
    for row in rows_after(rows.select_related("product__parent"), after):
        for signal, event_id in inventory.signals_of(row):
            yield PastEvent(
                position=f"stock-{row.pk}",
                signal=next(name for name, known in Command.signals.items() if known is signal),
                about=row.product.sku,
                sender=Product,
                values={
                    "signal": signal,
                    "product": row.product,
                    "payload": inventory.payload_of(row),
                    "event_id": event_id,
                },
                recorded_at=row.created_at,
            )


def _price_changes(after: int, since: datetime, until: datetime) -> Iterator[PastEvent]:
    rows = PriceChange.objects.filter(changed_at__gte=since, changed_at__lte=until)
    for row in rows_after(rows.select_related("product__parent"), after):
        yield PastEvent(
            position=f"price-{row.pk}",
            signal="price_changed",
            about=row.product.sku,
            sender=Product,
            values={
                "signal": signals.price_changed,
                "product": row.product,
                "payload": price_payload(row.product, row),
                "event_id": str(row.event_id),
            },
            recorded_at=row.changed_at,
        )
