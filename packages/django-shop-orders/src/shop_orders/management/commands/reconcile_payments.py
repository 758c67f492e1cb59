from typing import Any

from django.core.management.base import BaseCommand

from shop_orders import payments


class Command(BaseCommand):
    help = "Ask payment providers about payments that wait: a lost webhook is no lost payment."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{payments.reconcile()} changed")
