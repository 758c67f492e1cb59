"""Concurrent customers: HTTP clients with persistent connections, each with its own customers.

A customer's invoices go through one client in the order of the file, so that a cancellation follows its order.
"""

from __future__ import annotations

import http.client
import json
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from replay.books import Books
from replay.invoices import Invoice, Key

ADDRESS = {"line1": "1 Test Street", "city": "London", "postal_code": "N1 9GU", "country": "GB"}
ATTEMPTS = 20
PROGRESS_SECONDS = 10


class UnexpectedResponse(Exception):
    """An unexpected response."""


@dataclass
class Outcome:
    """The results. ``orders`` has the order number for each sale's invoice number."""

    orders: dict[str, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    retries: Counter[int] = field(default_factory=Counter)
    done: int = 0
    lock: Lock = field(default_factory=Lock)


class Client:
    """One connection. JSON in and out; a response 503 is tried again after its Retry-After, as a good client does."""

    def __init__(self, address: str, outcome: Outcome) -> None:
        self.host = urlsplit(address).netloc
        self.outcome = outcome
        self.connection = http.client.HTTPConnection(self.host, timeout=60)

    def call(self, kind: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[Any, Any]:
        """Send a request and return the headers and raw body of a successful response."""
        content = json.dumps(body)
        sent = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        for _attempt in range(ATTEMPTS):
            started = time.monotonic()
            try:
                self.connection.request(method, f"/api/v1{path}", content, sent)
                response = self.connection.getresponse()
                raw = response.read()
            except (OSError, http.client.HTTPException):
                self._count(0)
                self.connection.close()
                time.sleep(0.5)
                continue
            self.outcome.seconds[kind].append(time.monotonic() - started)
            if response.status in (429, 503):
                self._count(response.status)
                time.sleep(min(float(response.headers.get("Retry-After") or 1), 5))
                continue
            if response.status >= 300:
                raise UnexpectedResponse(f"{method} {path}: {response.status} {raw[:300].decode(errors='replace')}")
            return response.headers, raw
        raise UnexpectedResponse(f"{method} {path}: no response in {ATTEMPTS} attempts")

    def _count(self, status: int) -> None:
        with self.outcome.lock:
            self.outcome.retries[status] += 1


def run(
    address: str,
    invoices: Sequence[Invoice],
    books: Books,
    skus: Mapping[Key, str],
    tokens: Mapping[str, str],
    *,
    clients: int,
) -> tuple[Outcome, float]:
    """Send every sale and every cancellation of the books; return the results and the seconds."""
    work = [invoice for invoice in invoices if invoice.number in books.sales or invoice.number in books.cancelled]
    shares: list[list[Invoice]] = [[] for _client in range(clients)]
    for invoice in work:
        shares[zlib.crc32((invoice.customer or invoice.number).encode()) % clients].append(invoice)
    outcome = Outcome()
    threads = [
        Thread(target=_work, args=(Client(address, outcome), share, books, skus, tokens), daemon=True)
        for share in shares
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        _wait(threads)
        _progress(outcome.done, len(work), time.monotonic() - started)
    return outcome, time.monotonic() - started


def _wait(threads: Iterable[Thread]) -> None:
    deadline = time.monotonic() + PROGRESS_SECONDS
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))


def _progress(done: int, of: int, seconds: float) -> None:
    rate = done / seconds
    left = time.strftime("%H:%M:%S", time.gmtime((of - done) / rate)) if rate else "unknown"
    print(f"{done:,} of {of:,} in {seconds:,.0f} s, {rate:.1f} a second, {left} left", flush=True)


def _work(
    client: Client, share: Iterable[Invoice], books: Books, skus: Mapping[Key, str], tokens: Mapping[str, str]
) -> None:
    outcome = client.outcome
    for invoice in share:
        headers = {"Authorization": f"Bearer {tokens[invoice.customer]}"} if invoice.customer else {}
        try:
            if invoice.number in books.cancelled:
                _take_back(client, invoice, outcome.orders[books.cancelled[invoice.number]], headers)
            else:
                outcome.orders[invoice.number] = _order(client, invoice, skus, headers)
        except (UnexpectedResponse, KeyError, ValueError) as error:
            outcome.faults.append(f"invoice {invoice.number}: {error!r}")
        with outcome.lock:
            outcome.done += 1


def _order(client: Client, invoice: Invoice, skus: Mapping[Key, str], headers: Mapping[str, str]) -> str:
    """Add the lines to the cart one by one, then place the order.

    The first response has the token of a guest's cart.
    """
    for key, quantity in invoice.quantities.items():
        item = {"product": skus[key], "quantity": quantity}
        response_headers, _raw = client.call("add", "POST", "/orders/cart/add_item/", item, headers)
        if "X-Cart-Token" in response_headers:
            headers = {**headers, "X-Cart-Token": response_headers["X-Cart-Token"]}
    body = {
        "contact": {"name": "Test Customer", "email": email_of(invoice.customer or f"guest-{invoice.number}")},
        "shipping_address": ADDRESS,
        "payment_provider": "on_delivery",
        "expected_total": f"{invoice.total:.2f}",
    }
    headers = {**headers, "Idempotency-Key": invoice.number}
    _response_headers, raw = client.call("order", "POST", "/orders/orders/", body, headers)
    order = json.loads(raw)
    if Decimal(order["total"]) != invoice.total:
        raise UnexpectedResponse(f"{invoice.total} in the file, {order['total']} in the shop")
    return str(order["number"])


def _take_back(client: Client, invoice: Invoice, number: str, headers: Mapping[str, str]) -> None:
    headers = {**headers, "Idempotency-Key": invoice.number}
    client.call("cancel", "POST", f"/orders/orders/{number}/cancel/", {"reason": invoice.number}, headers)
    client.outcome.cancelled.add(invoice.number)


def email_of(customer: str) -> str:
    return f"customer-{customer}@example.org"
