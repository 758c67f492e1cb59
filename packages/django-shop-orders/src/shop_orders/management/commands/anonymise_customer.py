from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from shop_orders import customers
from shop_orders.emails import email_key
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Customer


class Command(BaseCommand):
    help = (
        "Remove the personal data of a customer, or of all guests with an e-mail address. Amounts, products and dates "
        "are kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", help="The customer's public id, or an e-mail address.")
        parser.add_argument("--dry-run", action="store_true", help="Only list the customers; change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._find(options["customer"])
        if not found:
            raise CommandError("There is no such customer.")
        for customer in found:
            if options["dry_run"]:
                self.stdout.write(f"Would anonymise {customer.public_id} with {customer.orders.count()} orders.")
                continue
            try:
                orders = customers.anonymise(customer)
            except ShopOrdersError as error:
                raise CommandError(f"{customer.public_id}: {error}") from error
            self.stdout.write(f"Anonymised {customer.public_id} with {orders} orders.")

    def _find(self, text: str) -> list[Customer]:
        if "@" in text:
            key = email_key(text)
            return list(Customer.objects.filter(Q(email_key=key) | Q(orders__email_key=key)).distinct())
        try:
            return list(Customer.objects.filter(public_id=text))
        except ValidationError:
            return []
