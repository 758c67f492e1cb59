"""``python -m bench.orders [--rounds 5] [--races 10]``: what a flow of three adds and a checkout costs, and for whom.

Peers, in turn in each round: e1 (hand-written SQL), our own statements replayed by hand, ours with the recommended
database options and with Django's, the usual form, and the reference shop in Django REST framework where that is
installed; with ``--oscar`` django-oscar and its API too, after ``pip install django-oscar django-oscar-api``. Ratios
within one run on PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import postgres
import psycopg

from bench import data
from bench.__main__ import RESULTS, postmaster_of
from bench.cpu import tree_ms
from bench.peers.oscar import flow as oscar_flow
from bench.servers import SOURCES, Peer, Server, running
from bench.shop.replay import ADDRESS

CUSTOMERS = (1, 8, 32)
ADDS = 3
LIMIT = "e1"
BY_HAND = "our statements by hand"
OURS = "ours recommended"
USUAL = "usual form"
DRF = "DRF reference"
OSCAR = "oscar-api"
WSGI = "bench.ours.wsgi:application"
OSCAR_SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.peers.oscar.settings", "BENCH_DATABASE": "default"}

Flow = list[tuple[str, Any]]
"""Paths and bodies. A body may be a function of the last answer."""


@dataclass(frozen=True)
class Sample:
    """One round of one peer: CPU in milliseconds a flow, latencies in milliseconds."""

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.orders", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of load in a round of one peer")
    parser.add_argument("--races", type=int, default=10, help="of 200 customers for 50 units")
    parser.add_argument("--oscar", action="store_true", help="with django-oscar and django-oscar-api")
    options = parser.parse_args()
    if options.oscar and importlib.util.find_spec("oscarapi") is None:
        parser.error("--oscar needs more: pip install django-oscar django-oscar-api")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    with postgres.server() as server, database(server) as url, tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "flow.pickle"
        _python(url, "-c", f"from bench.shop import replay; replay.record({str(recording)!r})")
        peers = all_peers(url, recording)
        with contextlib.ExitStack() as stack:
            if options.oscar:
                peers.append(stack.enter_context(oscar(server)))
            servers = {peer.name: stack.enter_context(running(peer)) for peer in peers}
            check_equal(servers[LIMIT], servers[OURS])
            if DRF in servers:
                check_alike(servers[OURS], servers[DRF])
            samples = measured(servers.values(), url, rounds=options.rounds, seconds=options.seconds)
            racers = [servers[name] for name in (OURS, DRF) if name in servers]
            races = [race(server, url, number) for server in racers for number in range(options.races)]
    rows = summary(samples)
    moment = datetime.now(UTC).strftime("%Y-%m-%d-%H%M")
    RESULTS.mkdir(exist_ok=True)
    report = {"summary": rows, "races": races, "samples": [asdict(sample) for sample in samples]}
    (RESULTS / f"{moment}-orders.json").write_text(json.dumps(report, indent=1))
    print(table(rows))
    for outcome in races:
        print(f"race: {outcome}")
    return 0


def all_peers(url: str, recording: Path) -> list[Peer]:
    common = {"DATABASE_URL": url}
    project = {**common, "DJANGO_SETTINGS_MODULE": "bench.shop.settings"}
    peers = [
        Peer(LIMIT, "bench.limit.shop:application", common),
        Peer(BY_HAND, "bench.shop.replay:application", {**common, "BENCH_RECORDING": str(recording)}),
        Peer(OURS, WSGI, {**project, "BENCH_DATABASE": "recommended"}),
        Peer("ours default", WSGI, {**project, "BENCH_DATABASE": "default"}),
        Peer(USUAL, WSGI, {**project, "BENCH_DATABASE": "default", "BENCH_URLS": "bench.shop.usual"}),
    ]
    if importlib.util.find_spec("rest_framework") is None:
        print("No DRF reference: djangorestframework is not installed.", file=sys.stderr, flush=True)
        return peers
    reference = {**common, "DJANGO_SETTINGS_MODULE": "bench.reference.settings", "BENCH_DATABASE": "default"}
    return [*peers, Peer(DRF, WSGI, reference)]


@contextlib.contextmanager
def database(server_url: str) -> Iterator[str]:
    """A migrated database with 10,000 products, enough stock, and a customer for each of 1,000 users."""
    with _empty_database(server_url, f"bench_orders_{os.getpid()}") as url:
        _python(url, "-m", "django", "migrate", "--verbosity=0")
        data.load(url, scale=1)
        with psycopg.connect(url, autocommit=True) as loaded:
            loaded.execute("UPDATE shop_catalog_product SET stock_quantity = 1000000")
            loaded.execute(
                "INSERT INTO shop_orders_customer (id, public_id, user_id, first_name, last_name, email, phone,"
                " language, created_at, updated_at) SELECT 10000000 + id, gen_random_uuid(), id, first_name,"
                " last_name, email, '', '', now(), now() FROM auth_user"
            )
            for table, start in (("cart", 2), ("cartitem", 3), ("order", 4), ("orderline", 5), ("orderevent", 6)):
                loaded.execute(f"ALTER SEQUENCE shop_orders_{table}_id_seq RESTART WITH {start}0000000")
            loaded.execute("VACUUM ANALYZE")
        yield url


@contextlib.contextmanager
def oscar(server_url: str) -> Iterator[Peer]:
    """django-oscar with a database of its own: as many products, stock and users."""
    with _empty_database(server_url, f"bench_oscar_{os.getpid()}") as url:
        # Its checks ask for the middleware of the admin, which the API does without.
        _python(url, "-m", "django", "migrate", "--verbosity=0", "--skip-checks", **OSCAR_SETTINGS)
        _python(url, "-m", "bench.peers.oscar.load", **OSCAR_SETTINGS)
        yield Peer(OSCAR, WSGI, {"DATABASE_URL": url, **OSCAR_SETTINGS})


@contextlib.contextmanager
def _empty_database(server_url: str, name: str) -> Iterator[str]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield server_url.rsplit("/", 1)[0] + f"/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def check_equal(limit: Server, ours: Server) -> None:
    """Ours and the limit answer the same JSON to the same flow, what they make up aside.

    Raises:
        AssertionError: they do not; a speed would mean nothing.
    """
    expected, found = _answers(limit), _answers(ours)
    if expected != found:
        raise AssertionError(f"e1: {expected}\nours: {found}")
    print("Equal answers: add, checkout.", file=sys.stderr, flush=True)


def check_alike(ours: Server, reference: Server) -> None:
    """All that the reference shop answers is what ours answers; ours says some things more.

    Raises:
        AssertionError: it is not.
    """
    whole, part = _answers(ours), _answers(reference)
    if part != _shared(whole, part):
        raise AssertionError(f"ours: {whole}\n{reference.peer.name}: {part}")


def _answers(server: Server) -> list[Any]:
    """The answers to one flow, without what is made up and without what earlier flows have taken."""
    skus = [f"SKU-{number:07}" for number in (11, 22, 11)]
    answers = [_post(server, "customer998@example.org", path, body) for path, body in _flow(skus)]
    for made_up in ("number", "placed_at"):
        assert answers[-1].pop(made_up)
    for cart in answers[:-1]:
        for line in cart["lines"]:
            assert line.pop("available")
    return answers


def _shared(whole: Any, part: Any) -> Any:
    """What of the whole has a place in the part too."""
    if isinstance(part, dict):
        return {key: _shared(whole[key], value) for key, value in part.items()}
    if isinstance(part, list):
        return [_shared(one, other) for one, other in zip(whole, part, strict=True)]
    return whole


def measured(servers: Collection[Server], url: str, *, rounds: int, seconds: float) -> list[Sample]:
    postmaster = postmaster_of(url)
    return [
        measure(server, customers, seconds=seconds, postmaster=postmaster)
        for _round in range(rounds)
        for customers in CUSTOMERS
        for server in servers
    ]


def measure(server: Server, customers: int, *, seconds: float, postmaster: int) -> Sample:
    """Some customers, each with a connection of its own, buy one thing after the other for some seconds."""
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
    flow = FLOWS.get(server.peer.name, _flow)
    until = time.perf_counter() + seconds

    async def buy(number: int) -> None:
        nonlocal failures
        rng = random.Random(f"{server.peer.name} {number} {until}")
        async with _connection(server) as ask:
            while time.perf_counter() < until:
                skus = [f"SKU-{key:07}" for key in rng.sample(range(1, 10_001), ADDS)]
                content = b""
                for step, (path, given) in enumerate(flow(skus)):
                    body = given(json.loads(content)) if callable(given) else given
                    started = time.perf_counter()
                    status, content = await ask(path, body, f"customer{number + 1}@example.org", {"X-Step": str(step)})
                    (adds if step < ADDS else checkouts).append((time.perf_counter() - started) * 1000)
                    if status >= 300:
                        failures += 1
                        break

    await asyncio.gather(*(buy(number) for number in range(customers)))
    return adds, checkouts, failures


@contextlib.asynccontextmanager
async def _connection(server: Server) -> Any:
    """A kept-alive HTTP connection: ``await ask(path, body, token, headers)`` answers status and content.

    It sends back the cookie that it was given last, as a browser with one session would.
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


def race(server: Server, url: str, number: int) -> dict[str, Any]:
    """200 customers hold one unit of the same product each, 50 are in stock; all check out at once, every one twice
    with the same Idempotency-Key, 64 posts at a time."""
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
        "answers": dict(both),
        "deadlocks": _deadlocks(url) - before,
    }


async def _race(server: Server, sku: str, buyers: Sequence[str], number: int) -> list[int]:
    async with contextlib.AsyncExitStack() as stack:
        asks = [await stack.enter_async_context(_connection(server)) for _connection_number in range(64)]
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
    """What PostgreSQL counted in pg_stat_database, once the backends have published it."""
    time.sleep(1.2)
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def summary(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """A row a peer and number of customers: medians over the rounds, ratios to other peers (None without them)."""
    cells: dict[tuple[int, str], list[Sample]] = {}
    for sample in samples:
        cells.setdefault((sample.customers, sample.peer), []).append(sample)

    def middle(customers: int, peer: str, name: str) -> float:
        return median(getattr(sample, name) for sample in cells[customers, peer])

    def times(customers: int, peer: str, other: str, name: str) -> float | None:
        if (customers, other) not in cells:
            return None
        return round(middle(customers, peer, name) / middle(customers, other, name), 2)

    rows = []
    for (customers, peer), found in cells.items():
        cpu = middle(customers, peer, "web_cpu_ms") + middle(customers, peer, "database_cpu_ms")
        rows.append(
            {
                "customers": customers,
                "peer": peer,
                "cpu_ms": round(cpu, 2),
                "web_ms": round(middle(customers, peer, "web_cpu_ms"), 2),
                "database_ms": round(middle(customers, peer, "database_cpu_ms"), 2),
                "flows_per_second": round(middle(customers, peer, "flows_per_second"), 1),
                "x_of_usual": times(customers, peer, USUAL, "flows_per_second"),
                "x_of_drf": times(customers, peer, DRF, "flows_per_second"),
                "x_of_oscar": times(customers, peer, OSCAR, "flows_per_second"),
                "add_p50": round(middle(customers, peer, "add_p50"), 2),
                "add_p99": round(middle(customers, peer, "add_p99"), 2),
                "add_x_e1": times(customers, peer, LIMIT, "add_p50"),
                "checkout_p50": round(middle(customers, peer, "checkout_p50"), 2),
                "checkout_p99": round(middle(customers, peer, "checkout_p99"), 2),
                "checkout_x_by_hand": times(customers, peer, BY_HAND, "checkout_p50"),
                "checkout_x_e1": times(customers, peer, LIMIT, "checkout_p50"),
                "failures": sum(sample.failures for sample in found),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown, without the ratios to peers that were not there."""
    columns = [column for column, value in rows[0].items() if value is not None]
    lines = [" | ".join(columns), " | ".join("---" for _column in columns)]
    lines += [" | ".join(str(row[column]) for column in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _flow(skus: Sequence[str]) -> Flow:
    adds = [("/orders/cart/add_item/", {"product": sku, "quantity": 1}) for sku in skus]
    return [*adds, ("/orders/orders/", {"shipping_address": ADDRESS})]


FLOWS: Mapping[str, Callable[[Sequence[str]], Flow]] = {OSCAR: oscar_flow.flow}
"""Of those that do not answer at our addresses."""


def _post(server: Server, customer: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(server.address + path, json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {customer}")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{server.peer.name} {path}: {error.code} {error.read()[:500]!r}") from error


def _python(url: str, *arguments: str, **environment: str) -> None:
    surroundings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "bench.shop.settings",
        "BENCH_DATABASE": "recommended",
        **environment,
    }
    subprocess.run([sys.executable, *arguments], check=True, env=surroundings)


if __name__ == "__main__":
    raise SystemExit(main())
