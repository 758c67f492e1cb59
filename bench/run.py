"""Measure the same requests to every peer, in interleaved rounds, after a check that they respond the same."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import psycopg

from bench import data, databases
from bench.load import Sample, measure
from bench.servers import Peer, Server, running

SAMPLED_URLS = 50
ENDPOINTS = (
    "list",
    "list deep",
    "subtree root",
    "subtree level 1",
    "subtree leaf",
    "detail",
    "tree",
    "average",
    "search",
)
PEERS = ("e1", "ours recommended", "ours default", "naive")
"""``e1`` is hand-written SQL (bench.peers.limit), ``naive`` the usual way (bench.peers.usual). Stored results have
these names.
"""
SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.peers.ours.catalog_settings"}
RENDITIONS = "thumb:240,card:480,large:1200"


@dataclass(frozen=True)
class Plan:
    """What to measure, and for how long."""

    scale: int
    only: tuple[str, ...]
    rounds: int
    seconds: int
    connections: int
    peers: tuple[str, ...] = PEERS


def peers(database_url: str) -> list[Peer]:
    """The hand-written limit, ours with both sets of database options, and the naive form."""
    common = {"DATABASE_URL": database_url, "BENCH_RENDITIONS": RENDITIONS}
    django = {**common, **SETTINGS}
    wsgi = "bench.peers.ours.wsgi:application"
    return [
        Peer("e1", "bench.peers.limit.catalog:application", common),
        Peer("ours recommended", wsgi, {**django, "BENCH_DATABASE": "recommended"}),
        Peer("ours default", wsgi, {**django, "BENCH_DATABASE": "default"}),
        Peer("naive", wsgi, {**django, "BENCH_DATABASE": "default", "BENCH_URLS": "bench.peers.usual.catalog"}),
    ]


@contextlib.contextmanager
def database(server_url: str, *, scale: int) -> Iterator[str]:
    """A migrated database with the catalogue of that scale, its statistics up to date."""
    with databases.empty_database(server_url, f"bench_{scale}_{os.getpid()}") as url:
        fill(url, scale=scale)
        yield url


def fill(url: str, *, scale: int) -> None:
    """Migrate an empty database, load the catalogue of that scale and update its statistics."""
    databases.run_python(url, "-m", "django", "migrate", "--verbosity=0", **SETTINGS)
    data.load(url, scale=scale)
    databases.run_python(url, "-m", "django", "check_search", "--fix", "--verbosity=0", **SETTINGS)
    databases.run_python(url, "-m", "django", "shop_catalog_jobs", "--all", "--verbosity=0", **SETTINGS)
    with psycopg.connect(url, autocommit=True) as loaded:
        loaded.execute("VACUUM ANALYZE")


def measured(database_url: str, plan: Plan, *, postmaster: int) -> list[Sample]:
    """All rounds of all peers. All servers run the whole time; one is measured at a time."""
    samples = []
    with contextlib.ExitStack() as stack:
        chosen = [peer for peer in peers(database_url) if peer.name in plan.peers]
        servers = [stack.enter_context(running(peer)) for peer in chosen]
        urls = paths(database_url)
        check_equal(servers, urls)
        for number in range(plan.rounds):
            for endpoint in plan.only:
                for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                    sample = measure(
                        server,
                        endpoint,
                        urls[endpoint][_kind(server)],
                        postmaster=postmaster,
                        seconds=plan.seconds,
                        connections=plan.connections,
                    )
                    samples.append(sample)
            print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
    return samples


def paths(database_url: str) -> dict[str, dict[str, list[str]]]:
    """The paths of the same requests, by endpoint and kind of peer."""
    rng = random.Random(data.SEED)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT id, slug, created_at FROM shop_catalog_product ORDER BY id").fetchall()
        nodes = connection.execute("SELECT slug, level FROM shop_catalog_category").fetchall()
    slugs = [slug for _key, slug, _created in rng.sample(rows, min(500, len(rows)))]
    by_level: dict[int, list[str]] = {}
    for slug, level in nodes:
        by_level.setdefault(level, []).append(slug)
    deep = rng.sample(rows[50:], 200)
    products, categories = "/products/products/", "/products/categories/"
    pages = len(rows) // 20
    words = [slug.replace("-", "+") for slug in slugs[:100]]
    return {
        "list": _alike([products]),
        "list deep": {
            "e1": [f"{products}?after={_moment(created)}&id={key}" for key, _slug, created in deep],
            "ours": [f"{products}?cursor={_cursor(created, key)}" for key, _slug, created in deep],
            "naive": [f"{products}?page={rng.randint(1, pages)}" for _turn in deep],
        },
        "subtree root": _alike([f"{products}?category={slug}" for slug in by_level[0]]),
        "subtree level 1": _alike([f"{products}?category={slug}" for slug in by_level[1]]),
        "subtree leaf": _alike([f"{products}?category={slug}" for slug in by_level[max(by_level)]]),
        "detail": _alike([f"{products}{slug}/" for slug in slugs]),
        "tree": _alike([f"{categories}tree/"]),
        "average": _alike([f"{categories}{slug}/average_price/" for slug in by_level[1]]),
        "search": _alike([f"{products}?q={text}" for text in words]),
    }


def check_equal(servers: Sequence[Server], urls: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Check that ours and the limit return the same JSON for sampled URLs, without cursors, and that naive responds.

    Raises:
        AssertionError: they do not.
    """
    limit = servers[0]
    ours = [server for server in servers if _kind(server) == "ours"]
    for by_kind in urls.values():
        for server in servers:
            _response(server, by_kind[_kind(server)][0])
        for index in range(min(SAMPLED_URLS, len(by_kind["e1"]))):
            expected = _response(limit, by_kind["e1"][index])
            for server in ours:
                found = _response(server, by_kind["ours"][index])
                if found != expected:
                    raise AssertionError(f"{server.peer.name} does not respond like e1: {by_kind['ours'][index]}")
    print(f"Equal responses: {', '.join(urls)}.", file=sys.stderr, flush=True)


def summary(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One row for each endpoint and peer: medians over the rounds, and ratios to the limit and the naive form."""
    rows = []
    cells: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        cells.setdefault((sample.endpoint, sample.peer), []).append(sample)
    cpu = {key: median(sample.cpu_ms for sample in found) for key, found in cells.items()}
    for (endpoint, peer), found in cells.items():
        rows.append(
            {
                "endpoint": endpoint,
                "peer": peer,
                "cpu_ms": round(cpu[endpoint, peer], 3),
                "web_ms": round(median(sample.web_cpu_ms for sample in found), 3),
                "database_ms": round(median(sample.database_cpu_ms for sample in found), 3),
                "x_of_e1": round(cpu[endpoint, "e1"] / cpu[endpoint, peer], 2),
                "x_of_naive": round(cpu.get((endpoint, "naive"), 0) / cpu[endpoint, peer], 1),
                "best_requests_per_second": round(max(sample.requests_per_second for sample in found)),
                "p50_ms": round(median(sample.p50_ms for sample in found), 2),
                "p99_ms": round(median(sample.p99_ms for sample in found), 2),
                "failures": sum(sample.failures for sample in found),
            }
        )
    return rows


def as_json(plan: Plan, samples: Sequence[Sample]) -> str:
    return json.dumps(
        {"plan": asdict(plan), "summary": summary(samples), "samples": [asdict(s) for s in samples]}, indent=1
    )


def _kind(server: Server) -> str:
    return server.peer.name.split()[0]


def _alike(found: list[str]) -> dict[str, list[str]]:
    return {"e1": found, "ours": found, "naive": found}


def _response(server: Server, path: str) -> Any:
    with urllib.request.urlopen(server.address + path, timeout=60) as response:
        body = json.load(response)
    if isinstance(body, dict) and "next" in body:
        return body["items"], body["next"] is None
    return body


def _moment(moment: Any) -> str:
    return str(moment.isoformat().replace("+", "%2B"))


def _cursor(moment: Any, key: int) -> str:
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY="only for the bench")
    from shop_catalog import cursors

    return str(cursors.encode(["newest", moment.isoformat(), key], of="products"))
