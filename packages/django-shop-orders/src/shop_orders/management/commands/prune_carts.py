from typing import Any

from django.core.management.base import BaseCommand

from shop_orders import carts


class Command(BaseCommand):
    help = "Delete open carts that nobody touched for CART_MAX_AGE."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{carts.prune()} deleted")
