from typing import Any

from django.core.management.base import BaseCommand

from shop_orders import events


class Command(BaseCommand):
    help = "Send the signals that a crash or a failing receiver left over."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{events.announce_due()} announced")
