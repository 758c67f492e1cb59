from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.dispatch import Signal
from shop_core.replay import PastEvent, ReplayCommand, key_after

from shop_orders import events, signals
from shop_orders.models import Order, OrderEvent


class Command(ReplayCommand):
    help = (
        "Announce events that a crash or an error left unannounced. Run it every minute, or shop_orders_jobs; "
        "it is safe to run in parallel. With --receiver, replay past events to one receiver instead."
    )
    signals = {name: signal for name, signal in vars(signals).items() if isinstance(signal, Signal)}
    sender = Order

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--order", action="append", default=[], help="Only the events of this order; repeatable.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["receiver"]:
            if not (options["since"] or options["order"]):
                raise CommandError("Say which events: --since TIME, --order NUMBER, or both.")
            self._refuse_unknown(options["order"])
            self.replay(**options)
            return
        if options["since"] or options["order"] or options["after"]:
            raise CommandError("--since, --order and --after choose what to replay: name the --receiver too.")
        if options["dry_run"]:
            self._list()
            return
        sent = 0
        while taken := events.announce_due():
            sent += taken
            self.stdout.write(f"{sent} announced")
        waiting = OrderEvent.objects.waiting().count()
        self.stdout.write(f"{sent} announced, {waiting} waiting for their next attempt.")

    def past_events(self, names: Iterable[str], **options: Any) -> Iterator[PastEvent]:
        after = key_after(options["after"], "event")
        return events.past(names, after=after, since=options["since"], numbers=options["order"])

    def _refuse_unknown(self, numbers: Iterable[str]) -> None:
        wanted = {*numbers}
        unknown = wanted - {*Order.objects.filter(number__in=wanted).values_list("number", flat=True)}
        if unknown:
            raise CommandError(f"Unknown order: {', '.join(sorted(unknown))}.")

    def _list(self) -> None:
        waiting = OrderEvent.objects.waiting().select_related("order").order_by("next_attempt_at")
        for event in waiting[:100]:
            why = event.last_error or "not announced yet"
            at = event.next_attempt_at.isoformat(timespec="seconds")
            self.stdout.write(f"{event.order.number} {event.signal}: attempt {event.attempts + 1} at {at}; {why}")
        self.stdout.write(f"{waiting.count()} waiting.")
