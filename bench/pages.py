"""``python -m bench.pages [check] [--scale 1] [--rounds 3] [--against FILE]``: the CPU time of the storefront's pages.

The example project as in production, one request at a time in one process: CPU milliseconds per request, web and
database together. Each product page is requested once in a round, so that no part of it was made before.
``--against`` computes the growth from a smaller scale. django-oscar's pages are not among the peers; its API is one in
``bench.orders``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psycopg

from bench import data, databases, goals
from bench.cpu import tree_ms
from bench.servers import RESULTS, ROOT, SOURCES

PEOPLE = data.People("accounts_user", lambda number: UUID(int=number), with_username=False)
WARM_UP = 30
REQUESTS = 300
SECONDS = 4
"""Each page is requested REQUESTS times, or for SECONDS if that ends earlier, but at least 20 times."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["run", "check"], default="run", help="check: exit 1 at a miss")
    parser.add_argument("--scale", type=int, default=1, help="factor of 10,000 products (default: 1)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="the result of another scale, to compute the growth")
    parser.add_argument("--measure", action="store_true", help="measure in this process, and print the costs")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(costs(os.environ["DATABASE_URL"])))
        return 0
    with databases.server() as server, shop(server, scale=options.scale) as environment:
        rounds = [_measured(environment) for _round in range(options.rounds)]
    found = {page: round(median(costs[page] for costs in rounds), 2) for page in rounds[0]}
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y-%m-%d-%H%M")
    (RESULTS / f"{moment}-pages-{options.scale}x.json").write_text(json.dumps(found, indent=1))
    print("\n".join(["| page | CPU ms |", "| --- | --- |", *(f"| {page} | {cost} |" for page, cost in found.items())]))
    misses = goals.missed_pages(found)
    if options.against:
        misses = goals.overgrown_pages(json.loads(options.against.read_text()), found)
    for miss in misses:
        print(f"MISSED: {miss}")
    return 1 if misses and options.what == "check" else 0


@contextlib.contextmanager
def shop(server: str, *, scale: int) -> Iterator[dict[str, str]]:
    """The environment of the example project with a database of that scale."""
    with databases.empty_database(server, f"pages_{os.getpid()}") as url, environment(url) as variables:
        fill(variables, scale=scale)
        yield variables


@contextlib.contextmanager
def environment(url: str) -> Iterator[dict[str, str]]:
    """The variables of the example project as in production, with the database at ``url``."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [*SOURCES, ROOT / "example_project"])),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": url,
            "SECRET_KEY": "only-for-the-bench-and-never-for-a-site-that-others-can-reach",
            "SITE_URL": "http://localhost",
            "STATIC_ROOT": f"{folder}/static",
            "DATA_DIR": folder,
            "LOG_LEVEL": "WARNING",
            "THROTTLES": "false",
        }
        _manage(variables, "collectstatic", "--noinput", "--verbosity=0")
        yield variables


def fill(variables: Mapping[str, str], *, scale: int) -> None:
    """Make the tables, and ``scale`` times 10,000 products with their stored figures."""
    _manage(variables, "migrate", "--verbosity=0")
    data.load(variables["DATABASE_URL"], scale=scale, people=PEOPLE)
    _manage(variables, "shop_catalog_jobs", "--all", "--verbosity=0")
    with psycopg.connect(variables["DATABASE_URL"], autocommit=True) as loaded:
        loaded.execute("VACUUM ANALYZE")


def costs(url: str) -> dict[str, float]:
    """CPU milliseconds per request by page. The paths of a page are requested in turn."""
    application = importlib.import_module("config.wsgi").application
    postmaster, found = databases.postmaster_of(url), {}
    for page, (paths, cookie) in _pages(application, url).items():
        for path in paths[:WARM_UP]:
            _ask(application, path, cookie)
        own, database, until, count = time.process_time(), tree_ms(postmaster), time.perf_counter() + SECONDS, 0
        while count < 20 or (count < REQUESTS and time.perf_counter() < until):
            _ask(application, paths[(WARM_UP + count) % len(paths)], cookie)
            count += 1
        found[page] = ((time.process_time() - own) * 1000 + tree_ms(postmaster) - database) / count
    databases.close_pool()
    return found


def _pages(application: Any, url: str) -> dict[str, tuple[list[str], str]]:
    """The paths of each page, and the visitor's cookie."""
    with psycopg.connect(url) as connection:
        spread = "SELECT slug FROM shop_catalog_product ORDER BY id * 7919 %% 10007, id LIMIT %s"
        rows = connection.execute(spread, [WARM_UP + REQUESTS]).fetchall()
        nodes = connection.execute("SELECT slug, level FROM shop_catalog_category ORDER BY id").fetchall()
        stocked = "SELECT sku FROM shop_catalog_product WHERE stock_quantity > 5 LIMIT 1"
        [[sku]] = connection.execute(stocked).fetchall()
    by_level: dict[int, list[str]] = {}
    for slug, level in nodes:
        by_level.setdefault(level, []).append(f"/category/{slug}/")
    cookie = _ask(application, "/cart/add/", body=f"product={sku}&quantity=1".encode())
    return {
        "home": (["/"], ""),
        "list": (["/search/"], ""),
        "list, filtered": (["/search/?attr=colour:red&min_price=100&in_stock=1"], ""),
        "category, root": (by_level[0], ""),
        "category, level 1": (by_level[1], ""),
        "category, leaf": (by_level[max(by_level)][:40], ""),
        "product": ([f"/product/{slug}/" for [slug] in rows], ""),
        "cart, empty": (["/cart/"], ""),
        "cart": (["/cart/"], cookie),
        "checkout": (["/checkout/"], cookie),
    }


def _ask(application: Any, path: str, cookie: str = "", *, body: bytes = b"") -> str:
    """Request a page, or post a form from a page of the shop. Return the cookies of the response."""
    address, _mark, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": address,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_COOKIE": cookie,
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    started: list[tuple[str, list[tuple[str, str]]]] = []
    response = application(environ, lambda status, headers, _error=None: started.append((status, headers)))
    b"".join(response)
    response.close()
    [(status, headers)] = started
    if not re.match("302" if body else "200", status):
        raise AssertionError(f"{path}: {status}")
    return "; ".join(value.split(";")[0] for name, value in headers if name == "Set-Cookie")


def _measured(environment: Mapping[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.pages", "--measure"]
    completed = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(completed.stdout)
    return found


def _manage(environment: Mapping[str, str], *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT / "example_project", env=environment, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
