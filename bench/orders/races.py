"""Races: more customers than units, all at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg

from bench.orders.load import connection_to
from bench.peers.replay import ADDRESS
from bench.servers import Server


def race(server: Server, url: str, number: int) -> dict[str, Any]:
    """200 customers have one unit of the same product in the cart, and 50 units are in stock.

    All check out at once over 64 connections, each twice with the same Idempotency-Key."""
    sku = f"SKU-{9000 + number:07}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE shop_catalog_product SET stock_quantity = reserved_quantity + 50 WHERE sku = %s", (sku,)
        )
    buyers = [f"customer{key}@example.org" for key in range(100, 300)]
    before, ordered = _deadlocks(url), _orders_of(url, sku)
    statuses = asyncio.run(_race(server, sku, buyers, number))
    ordered = _orders_of(url, sku) - ordered
    with psycopg.connect(url) as connection:
        left = connection.execute(
            "SELECT stock_quantity - reserved_quantity FROM shop_catalog_product WHERE sku = %s", (sku,)
        ).fetchone()
        connection.execute("DELETE FROM shop_orders_cartitem WHERE product_ref = %s", (sku,))
    assert left is not None
    both = Counter(f"{first} and {second}" for first, second in zip(statuses[::2], statuses[1::2], strict=True))
    return {
        "peer": server.peer.name,
        "sold": ordered,
        "left": left[0],
        "responses": dict(both),
        "deadlocks": _deadlocks(url) - before,
    }


async def _race(server: Server, sku: str, buyers: Sequence[str], number: int) -> list[int]:
    async with contextlib.AsyncExitStack() as stack:
        asks = [await stack.enter_async_context(connection_to(server)) for _connection_number in range(64)]
        free: asyncio.Queue[Any] = asyncio.Queue()
        for ask in asks:
            free.put_nowait(ask)

        async def post(path: str, body: Any, buyer: str, headers: dict[str, str]) -> int:
            ask = await free.get()
            try:
                status, _content = await ask(path, body, buyer, headers)
            finally:
                free.put_nowait(ask)
            return int(status)

        add = {"product": sku, "quantity": 1}
        added = await asyncio.gather(*(post("/orders/cart/add_item/", add, buyer, {}) for buyer in buyers))
        assert set(added) == {200}
        key = {"Idempotency-Key": f"race-{number}"}
        order = {"shipping_address": ADDRESS}
        twice = [buyer for buyer in buyers for _turn in range(2)]
        return list(await asyncio.gather(*(post("/orders/orders/", order, buyer, key) for buyer in twice)))


def _orders_of(url: str, sku: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM shop_orders_orderline WHERE product_ref = %s", (sku,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def _deadlocks(url: str) -> int:
    """The deadlocks in pg_stat_database, after the backends have published them."""
    time.sleep(1.2)
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])
