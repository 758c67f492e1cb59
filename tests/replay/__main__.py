"""Place the orders of a real shop over HTTP and compare the books: ``nox -s replay -- --data PATH --orders N``.

Exits 1 when a total differs from the file by a cent, when the stock does not equal its ledger, or when an order has no
e-mail.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import postgres

from replay import shop
from replay.invoices import Invoice, catalogue, read

PASSWORD = "a-password-of-the-replay"
MAIL_SECONDS = 120
ADDRESS = {"line1": "1 Test Street", "city": "London", "postal_code": "N1 9GU", "country": "GB"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="replay", description="Place the invoices of Online Retail over HTTP.")
    parser.add_argument("--data", type=Path, required=True, help="online-retail.csv or .csv.xz")
    parser.add_argument("--orders", type=int, default=100, help="how many invoices; the first ones (default: 100)")
    options = parser.parse_args()
    invoices = list(read(options.data))
    chosen = list(itertools.islice((invoice for invoice in invoices if invoice.is_plain_sale), options.orders))
    print(f"{len(chosen)} invoices of {len({invoice.customer for invoice in chosen})} customers.", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="shop-replay-") as folder,
        postgres.server() as server,
        shop.database(server) as database_url,
    ):
        return run(chosen, catalogue(invoices), database_url, Path(folder))


def run(invoices: list[Invoice], products: Iterable[dict[str, str]], database_url: str, folder: Path) -> int:
    mails = shop.MailServer()
    settings = shop.environment(database_url, mails.port, folder)
    os.environ.update(settings)
    sys.path[:0] = settings["PYTHONPATH"].split(os.pathsep)
    set_up(invoices, products, folder)
    mails.controller.start()
    try:
        with shop.running(settings) as address:
            faults = Replay(address).place(invoices)
            faults += missing_mails(faults.numbers, mails)
    finally:
        mails.controller.stop()
    faults += wrong_stock()
    for fault in faults:
        print(f"WRONG: {fault}")
    print(f"{len(mails.mails)} e-mails delivered, {len(faults)} faults.")
    return 1 if faults else 0


def set_up(invoices: list[Invoice], products: Iterable[dict[str, str]], folder: Path) -> None:
    """Tables, products with stock for every sale, and an account for every customer."""
    import django

    django.setup()
    from allauth.account.models import EmailAddress
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import make_password
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    path = folder / "products.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["sku", "name", "price", "stock_quantity"])
        writer.writeheader()
        writer.writerows(products)
    call_command("import_products", str(path), verbosity=1)
    user_model = get_user_model()
    password = make_password(PASSWORD)
    users = user_model.objects.bulk_create(
        user_model(email=email_of(customer), password=password)
        for customer in sorted({invoice.customer for invoice in invoices})
    )
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )


class Faults(list[str]):
    """What went wrong, and the numbers of the orders that went right."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, str] = {}


class Replay:
    def __init__(self, address: str) -> None:
        self.address = address
        self.clients: dict[str, shop.Client] = {}

    def place(self, invoices: list[Invoice]) -> Faults:
        faults = Faults()
        for invoice in invoices:
            self.client(invoice.customer)
        started = time.monotonic()
        ordered = Decimal(0)
        for number, invoice in enumerate(invoices, start=1):
            try:
                order = self.order(invoice)
            except shop.Answer as error:
                faults.append(f"invoice {invoice.number}: {error}")
                continue
            total = Decimal(order["total"])
            ordered += total
            if total != invoice.total:
                faults.append(f"invoice {invoice.number}: {invoice.total} in the file, {total} in the shop")
            faults.numbers[order["number"]] = email_of(invoice.customer)
            if number % 100 == 0:
                print(f"{number} of {len(invoices)} invoices", flush=True)
        seconds = time.monotonic() - started
        expected = sum((invoice.total for invoice in invoices), Decimal(0))
        print(f"{len(faults.numbers)} orders in {seconds:.1f} s: {len(faults.numbers) / seconds:.1f} a second.")
        print(f"Ordered: {ordered}; in the file: {expected}.")
        return faults

    def order(self, invoice: Invoice) -> Any:
        """One invoice: the prices of that day, its lines into the cart, the order."""
        lines = invoice.merged()
        set_prices({line.sku: line.unit_price for line in lines.values()})
        client = self.client(invoice.customer)
        for line in lines.values():
            client.call("POST", "/orders/cart/add_item/", {"product": line.sku, "quantity": line.quantity})
        body = {
            "shipping_address": ADDRESS,
            "payment_provider": "on_delivery",
            "expected_total": f"{invoice.total:.2f}",
        }
        return client.call("POST", "/orders/orders/", body)

    def client(self, customer: str) -> shop.Client:
        if customer not in self.clients:
            body = {"email": email_of(customer), "password": PASSWORD}
            answer = shop.Client(self.address).call("POST", "/auth/customers/login/", body)
            self.clients[customer] = shop.Client(self.address, answer["access_token"])
        return self.clients[customer]


def set_prices(prices: dict[str, Decimal]) -> None:
    """Change the prices that differ, as staff would."""
    from shop_catalog import products
    from shop_catalog.models import Product

    for product in Product.objects.filter(sku__in=prices):
        if product.price != prices[product.sku]:
            products.set_price(product, price=prices[product.sku])


def missing_mails(numbers: dict[str, str], mails: shop.MailServer) -> list[str]:
    """Orders of which no e-mail has told their customer, some time after the last one was placed."""
    deadline = time.monotonic() + MAIL_SECONDS
    missing = list(numbers)
    while missing and time.monotonic() < deadline:
        missing = [number for number in missing if not mails.names(number, numbers[number])]
        time.sleep(0.5)
    return [f"order {number}: no e-mail" for number in missing]


def wrong_stock() -> list[str]:
    """What ``check_stock`` complains about."""
    from django.core.management import CommandError, call_command

    try:
        call_command("check_stock", verbosity=0)
    except (CommandError, SystemExit) as error:
        return [f"stock: {error}"]
    return []


def email_of(customer: str) -> str:
    return f"customer-{customer}@example.org"


if __name__ == "__main__":
    raise SystemExit(main())
