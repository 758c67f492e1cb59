"""Customers who order while parts of the shop are killed."""

from __future__ import annotations

import http.client
import json
import queue
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from trial.tools import PATIENCE_SECONDS, Failed, say
from trial.topology import Topology

CLIENTS = 4


class Customers:
    """Guests who order one unit each, and try again with the same key while the shop responds 503."""

    def __init__(self, topology: Topology, number: int) -> None:
        self.topology, self.number = topology, number
        self.waiting: queue.Queue[int | None] = queue.Queue()
        self.placed: dict[int, str] = {}
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.errors: list[str] = []

    @staticmethod
    def email(index: int) -> str:
        return f"smoke-{index:04d}@example.org"

    @staticmethod
    def phone(index: int) -> str:
        return f"+2547000{index:05d}"

    def order(self, faults: Mapping[str, str]) -> None:
        """Place all orders. For each fault an equal number of orders is placed; the fault happens after half of them.

        So there are orders in progress at each fault, however fast the machine is.
        """
        threads = [threading.Thread(target=self._client) for _client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        part = self.number / max(1, len(faults))
        for count, (name, what) in enumerate(faults.items()):
            self._come(round(count * part), round((count + 1) * part))
            while len(self.placed) < (count + 0.5) * part and not self.errors:
                time.sleep(0.001)
            self.topology.units[name].kill()
            say(f"  after {len(self.placed)} orders {what}")
            while not self.errors and not (self.topology.units[name].starts > 1 and self.topology.is_whole()):
                time.sleep(0.1)
        if not faults:
            self._come(0, self.number)
        for _thread in threads:
            self.waiting.put(None)
        for thread in threads:
            thread.join()

    def _come(self, first: int, last: int) -> None:
        for index in range(first, last):
            self.waiting.put(index)

    def _client(self) -> None:
        while (index := self.waiting.get()) is not None and not self.errors:
            started = time.monotonic()
            try:
                self._one(index)
            except Failed as error:
                self.errors.append(str(error))
            self.slowest = max(self.slowest, time.monotonic() - started)

    def _one(self, index: int) -> None:
        item = {"product": "SMOKE-1", "quantity": 1}
        headers, _body = self._until(200, "/api/v1/orders/cart/add_item/", item, {})
        order = {
            "contact": {"name": "Smoke Customer", "email": self.email(index), "phone": self.phone(index)},
            "shipping_address": {
                "name": "Smoke Customer",
                "line1": "Moi Avenue 1",
                "city": "Nairobi",
                "country": "KE",
            },
        }
        keys = {"X-Cart-Token": str(headers["X-Cart-Token"]), "Idempotency-Key": secrets.token_hex(16)}
        _headers, body = self._until(201, "/api/v1/orders/orders/", order, keys)
        self.placed[index] = str(json.loads(body)["number"])

    def _until(
        self, wanted: int, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPMessage, bytes]:
        """The response with the wanted status; 503 and 409 with Retry-After are tried again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status, received, response = self.topology.request("POST", path, body, headers)
            self.statuses[status] += 1
            if status == wanted:
                return received, response
            if status != 503 and not (status == 409 and received["Retry-After"]):
                raise Failed(f"{path} responded {status}: {response[:500]!r}")
            time.sleep(0.5)
        raise Failed(f"{path} did not respond {wanted} within {PATIENCE_SECONDS} s.")

    def report(self) -> None:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        say(f"  {len(self.placed)} orders; responses: {statuses}; the slowest order took {self.slowest:.1f} s")
        if self.errors:
            raise Failed(self.errors[0])
