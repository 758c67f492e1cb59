"""Those who order while parts of the shop die."""

from __future__ import annotations

import contextlib
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
    """Guests who each order one piece, and try again with the same key while the shop says 503."""

    def __init__(self, topology: Topology, number: int) -> None:
        self.topology, self.number = topology, number
        self.waiting: queue.Queue[int] = queue.Queue()
        self.placed: dict[int, str] = {}
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.errors: list[str] = []
        for index in range(number):
            self.waiting.put(index)

    @staticmethod
    def email(index: int) -> str:
        return f"smoke-{index:04d}@example.org"

    @staticmethod
    def phone(index: int) -> str:
        return f"+2547000{index:05d}"

    def order(self, faults: Mapping[str, str]) -> None:
        """Place all orders, with a fault after each equal part of them."""
        threads = [threading.Thread(target=self._client) for _client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for count, (name, what) in enumerate(faults.items(), start=1):
            unit = self.topology.units[name]
            while len(self.placed) < count * self.number / (len(faults) + 1) and not self.errors:
                time.sleep(0.01)
            say(f"  after {len(self.placed)} orders {what}")
            unit.kill()
            while not self.errors and not (unit.starts > 1 and self.topology.is_whole()):
                time.sleep(0.1)
        for thread in threads:
            thread.join()

    def _client(self) -> None:
        with contextlib.suppress(queue.Empty):
            while not self.errors:
                index = self.waiting.get_nowait()
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
        """The answer with the wanted status; 503 and 409 with Retry-After are tried again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status, told, answer = self.topology.request("POST", path, body, headers)
            self.statuses[status] += 1
            if status == wanted:
                return told, answer
            if status != 503 and not (status == 409 and told["Retry-After"]):
                raise Failed(f"{path} answered {status}: {answer[:500]!r}")
            time.sleep(0.5)
        raise Failed(f"{path} did not answer {wanted} within {PATIENCE_SECONDS} s.")

    def report(self) -> None:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        say(f"  {len(self.placed)} orders; answers: {statuses}; the slowest order took {self.slowest:.1f} s")
        if self.errors:
            raise Failed(self.errors[0])
