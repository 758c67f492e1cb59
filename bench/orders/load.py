"""Load: customers who place one order after the other, and the cost of each flow."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from itertools import count
from statistics import median, quantiles
from typing import Any

from bench.cpu import tree_ms
from bench.databases import postmaster_of
from bench.orders.flows import ADDS, FLOWS, flow_of_ours
from bench.servers import Server

CUSTOMERS = (1, 8, 32)
ACCOUNTS = 30
"""The accounts that each customer orders with in turn, so that none has hundreds of orders waiting for the shop."""


@dataclass(frozen=True)
class Sample:
    """One round of one peer: CPU in milliseconds per flow, latencies in milliseconds."""

    peer: str
    customers: int
    web_cpu_ms: float
    database_cpu_ms: float
    flows_per_second: float
    add_p50: float
    add_p99: float
    checkout_p50: float
    checkout_p99: float
    failures: int


def measured(servers: Collection[Server], url: str, *, rounds: int, seconds: float) -> list[Sample]:
    postmaster = postmaster_of(url)
    return [
        measure(server, customers, seconds=seconds, postmaster=postmaster)
        for _round in range(rounds)
        for customers in CUSTOMERS
        for server in servers
    ]


def measure(server: Server, customers: int, *, seconds: float, postmaster: int) -> Sample:
    """Let customers, each with a connection of its own, place one order after the other for some seconds."""
    asyncio.run(_shop(server, customers, min(1.0, seconds)))
    time.sleep(0.3)
    web, base = server.cpu_ms(), tree_ms(postmaster)
    started = time.perf_counter()
    adds, checkouts, failures = asyncio.run(_shop(server, customers, seconds))
    took = time.perf_counter() - started
    web, base, flows = server.cpu_ms() - web, tree_ms(postmaster) - base, len(checkouts)
    sample = Sample(
        peer=server.peer.name,
        customers=customers,
        web_cpu_ms=web / flows,
        database_cpu_ms=base / flows,
        flows_per_second=flows / took,
        add_p50=median(adds),
        add_p99=quantiles(adds, n=100)[98],
        checkout_p50=median(checkouts),
        checkout_p99=quantiles(checkouts, n=100)[98],
        failures=failures,
    )
    print(
        f"{sample.peer:24} {customers:3} customers: {sample.flows_per_second:6.1f} flows/s",
        file=sys.stderr,
        flush=True,
    )
    return sample


async def _shop(server: Server, customers: int, seconds: float) -> tuple[list[float], list[float], int]:
    adds: list[float] = []
    checkouts: list[float] = []
    failures = 0
    flow = FLOWS.get(server.peer.name, flow_of_ours)
    until = time.perf_counter() + seconds

    async def buy(number: int) -> None:
        nonlocal failures
        rng = random.Random(f"{server.peer.name} {number} {until}")
        async with connection_to(server) as ask:
            for turn in count():
                if time.perf_counter() >= until:
                    break
                account = f"customer{1 + number * ACCOUNTS + turn % ACCOUNTS}@example.org"
                skus = [f"SKU-{key:07}" for key in rng.sample(range(1, 10_001), ADDS)]
                content = b""
                for step, (path, given) in enumerate(flow(skus)):
                    body = given(json.loads(content)) if callable(given) else given
                    started = time.perf_counter()
                    status, content = await ask(path, body, account, {"X-Step": str(step)})
                    (adds if step < ADDS else checkouts).append((time.perf_counter() - started) * 1000)
                    if status >= 300:
                        failures += 1
                        break

    await asyncio.gather(*(buy(number) for number in range(customers)))
    return adds, checkouts, failures


@contextlib.asynccontextmanager
async def connection_to(server: Server) -> AsyncIterator[Any]:
    """A kept-alive HTTP connection: ``await ask(path, body, token, headers)`` returns status and content.

    It sends back the last cookie, as a browser with one session would.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    cookie = ""

    async def ask(path: str, body: Any, token: str, headers: dict[str, str]) -> tuple[int, bytes]:
        nonlocal cookie
        content = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        lines += [f"Authorization: Bearer {token}", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Cookie: {cookie}"] if cookie else []
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if given := re.search(r"set-cookie: ([^;\r]+)", head, re.IGNORECASE):
            cookie = given[1]
        head = head.lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)

    try:
        yield ask
    finally:
        writer.close()
