"""``manage.py register_webhooks``: register the URLs that a payment provider calls."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from shop_orders.exceptions import ShopOrdersError
from shop_orders.payment_providers import payment_provider


class Command(BaseCommand):
    help = "Register the URLs of this site at a payment provider, such as those for M-Pesa payments by hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("alias", help="the provider's name in SHOP_ORDERS['PAYMENT_PROVIDERS']")
        parser.add_argument("--url", required=True, help="scheme and host of the site: https://shop.example.org")

    def handle(self, *args: Any, alias: str, url: str, **options: Any) -> None:
        try:
            registered = list(payment_provider(alias).register_webhooks(base_url=url))
        except ShopOrdersError as error:
            raise CommandError(str(error)) from error
        for address in registered:
            parts = urlsplit(address)
            shown = "/".join(parts.path.split("/")[:-2])  # the last part of the path contains the secret
            self.stdout.write(f"Registered {parts.scheme}://{parts.netloc}{shown}/...")
        if not registered:
            self.stdout.write("This provider needs no registration: it gets its URL with each payment.")
