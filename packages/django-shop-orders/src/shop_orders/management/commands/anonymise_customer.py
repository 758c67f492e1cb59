from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from shop_orders import personal_data
from shop_orders.models import Customer


class Command(BaseCommand):
    help = (
        "Erase the personal data of a customer, or of everybody with an e-mail address, in every module of "
        "PERSONAL_DATA. Amounts, products and dates are kept. Data that an open order needs is erased later by "
        "shop_orders_jobs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", help="The customer's public id, or an e-mail address.")
        parser.add_argument("--dry-run", action="store_true", help="Only list the customers; change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        person = self._find(options["customer"])
        if not person or not person["keys"]:
            raise CommandError("There is no such customer.")
        waiting = [] if options["dry_run"] else personal_data.erase_everywhere(person).waiting
        keys = [key.partition(":")[2] for key in person["keys"]]
        for customer in Customer.objects.filter(public_id__in=keys).order_by("pk"):
            if options["dry_run"]:
                self.stdout.write(f"Would anonymise {customer.public_id} with {customer.orders.count()} orders.")
            elif customer.anonymised_at is not None:
                self.stdout.write(f"Anonymised {customer.public_id} with {customer.orders.count()} orders.")
        for entry in waiting:
            self.stdout.write(f"Waiting: {entry['what']}. {entry['reason']}")
        if waiting:
            self.stdout.write("shop_orders_jobs erases the rest as soon as possible.")

    def _find(self, text: str) -> dict[str, Any]:
        if "@" in text:
            return personal_data.person_with_email(text)
        try:
            return personal_data.person_of_customer(Customer.objects.get(public_id=text))
        except (ValidationError, Customer.DoesNotExist):
            return {}
