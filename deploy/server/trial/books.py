"""The verdict: compare the responses that customers got with the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from trial.customers import CLIENTS, Customers
from trial.tools import Failed, expect, say
from trial.topology import Topology

NUMBER = re.compile(r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b")


class Books:
    """Compare the customers' responses with the database, the mailbox and the SMS gateway."""

    def __init__(self, topology: Topology, customers: Customers) -> None:
        self.topology, self.customers = topology, customers

    def check(self) -> None:
        rows = dict(self.topology.rows("SELECT email, number FROM shop_orders_order"))
        confirmed = {self.customers.email(index): number for index, number in self.customers.placed.items()}
        expect(rows, confirmed, "orders in the database and orders that were confirmed")
        expect(self.topology.rows("SELECT count(*) FROM shop_orders_order"), [(len(confirmed),)], "number of orders")
        reserved = "SELECT reserved_quantity FROM shop_catalog_product WHERE sku = 'SMOKE-1'"
        expect(self.topology.rows(reserved), [(len(confirmed),)], "reserved stock")
        self.topology.manage("check_stock")
        say(f"Every order exists once ({len(confirmed)}), and the stock agrees.")
        mails, texts = self.topology.mailbox.received, self.topology.gateway.received
        self._each_arrived("e-mails to customers", mails, self.customers.email)
        self._each_arrived("e-mails to the shop", mails, lambda _index: "admin@example.org")
        self._each_arrived("SMS", texts, self.customers.phone, unknown=self._unknown())

    def _unknown(self) -> set[str]:
        """Phone numbers of SMS whose worker died before recording the result: they are not sent again by default."""
        return {
            str(row[0])
            for row in self.topology.rows("SELECT address FROM shop_notify_notification WHERE state = 'unknown'")
        }

    def _each_arrived(
        self,
        what: str,
        received: list[tuple[str, str]],
        address: Callable[[int], str],
        unknown: set[str] | frozenset[str] = frozenset(),
    ) -> None:
        found = Counter((to, number) for to, text in received for number in set(NUMBER.findall(text)))
        placed = self.customers.placed.items()
        arrived = Counter({index: count for index, number in placed if (count := found[address(index), number])})
        lost = [index for index in self.customers.placed if not arrived[index] and address(index) not in unknown]
        twice = sum(count - 1 for count in arrived.values())
        say(f"{what}: {len(arrived)} of {len(self.customers.placed)}, {len(unknown)} unknown, {twice} sent again.")
        expect(lost, [], f"lost {what}")
        if twice > CLIENTS:
            raise Failed(f"{what}: {twice} were sent again, more than orders were in progress.")
