"""Place the invoices of a real shop over HTTP and compare the shop's data with them: ``nox -s replay -- --data PATH``.

Exits 1 if the shop's data differs from the file by an order or a cent, if the stock does not match its ledger or the
units of open orders, or if a customer got no e-mail about an order.

The rules: an invoice with a line that cannot be sold (quantity or price not above zero, or not a product) is not sent,
and counted with the reason. An invoice without CustomerID is a guest's. An invoice whose number starts with C cancels
the customer's latest open order with exactly the same lines, or is counted as a return without a matching order. A
stock code that was sold at several prices is loaded as several SKUs, because changing prices are not tested here.
Prices include tax at 20 %, at 5 % or at none, by an invented rule: the file has no tax.
Customers and their access tokens are created before the measurement.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import postgres

from replay import books, clients, report, shop
from replay.invoices import Invoice, Key, read

MAIL_SECONDS = 120
"""After this time without a new e-mail, the rest counts as missing."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="replay", description="Place the invoices of Online Retail over HTTP.")
    parser.add_argument("--data", type=Path, required=True, help="online-retail.csv or .csv.xz")
    parser.add_argument("--invoices", type=int, default=300, help="number of invoices (300; 0: all 25,900)")
    parser.add_argument("--clients", type=int, default=4, help="number of HTTP connections (4)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the web server (2)")
    options = parser.parse_args()
    invoices = list(itertools.islice(read(options.data), options.invoices or None))
    expected = books.keep(invoices)
    print(f"{len(invoices):,} invoices: {len(expected.sales):,} sales, {len(expected.cancelled):,} cancellations.")
    with (
        tempfile.TemporaryDirectory(prefix="shop-replay-") as folder,
        postgres.server() as server,
        shop.database(server) as database_url,
    ):
        return run(invoices, expected, database_url, Path(folder), options)


def run(
    invoices: list[Invoice], expected: books.Books, database_url: str, folder: Path, options: argparse.Namespace
) -> int:
    mails = shop.MailServer()
    settings = shop.environment(database_url, mails.port, folder)
    os.environ.update(settings)
    sys.path[:0] = settings["PYTHONPATH"].split(os.pathsep)
    skus = books.skus(expected.sales.values())
    tokens = set_up(expected, skus, folder)
    mails.controller.start()
    try:
        with shop.running(settings, workers=options.workers) as address:
            outcome, seconds = clients.run(address, invoices, expected, skus, tokens, clients=options.clients)
            outcome.faults += missing_mails(outcome, expected, mails)
    finally:
        mails.controller.stop()
    for line in report.figures(outcome, seconds, mails.count):
        print(line)
    faults = outcome.faults + report.compare(expected, skus)
    for fault in faults[:50]:
        print(f"WRONG: {fault}")
    print(f"{len(faults)} faults." if faults else "No differences between the shop and the file.")
    return 1 if faults else 0


def set_up(expected: books.Books, skus: Mapping[Key, str], folder: Path) -> dict[str, str]:
    """Tables, products with stock for every sale, and an account with an access token for every customer."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    path = folder / "products.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["sku", "name", "price", "stock_quantity", "tax_class"])
        writer.writeheader()
        writer.writerows(books.catalogue(expected, dict(skus)))
    call_command("import_products", str(path), verbosity=1)
    customers = sorted({sale.customer for sale in expected.sales.values() if sale.customer})
    started = time.monotonic()
    tokens = dict(zip(customers, _log_in(customers), strict=True))
    print(f"{len(tokens):,} customers logged in within {time.monotonic() - started:.0f} s.", flush=True)
    return tokens


def _log_in(customers: Iterable[str]) -> Iterable[str]:
    """Create an account and an access token for each customer as the log-in does, without requests."""
    from allauth.account.models import EmailAddress
    from allauth.headless.tokens.strategies.jwt.internal import create_access_token
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.cached_db import SessionStore

    model: Any = get_user_model()
    users = model.objects.bulk_create(model(email=clients.email_of(customer)) for customer in customers)
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )
    for user in users:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        yield create_access_token(user, session, {})


def missing_mails(outcome: clients.Outcome, expected: books.Books, mails: shop.MailServer) -> list[str]:
    """Orders without an e-mail to their customer. Waits until no new e-mail has arrived for MAIL_SECONDS."""
    missing = {
        number: clients.email_of(expected.sales[invoice].customer or f"guest-{invoice}")
        for invoice, number in outcome.orders.items()
    }
    last, deadline = -1, 0.0
    while missing:
        missing = {number: to for number, to in missing.items() if not mails.names(number, to)}
        if mails.count != last:
            last, deadline = mails.count, time.monotonic() + MAIL_SECONDS
            print(f"{last:,} e-mails, {len(missing):,} orders without", flush=True)
        if time.monotonic() > deadline:
            break
        time.sleep(5)
    return [f"order {number}: no e-mail" for number in missing]


if __name__ == "__main__":
    raise SystemExit(main())
