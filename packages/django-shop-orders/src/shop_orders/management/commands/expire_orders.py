from typing import Any

from django.core.management.base import BaseCommand

from shop_orders import payments


class Command(BaseCommand):
    help = "Cancel orders that were not paid in time, after asking their payment providers."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{payments.expire_due()} expired")
