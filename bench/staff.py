"""``python -m bench.staff [check] [--scale 100] [--orders 2000000]``: the CPU time of the pages that staff see.

Fills a database with products and orders, and requests every list of the admin: plain, by each column, with the first
choices of each filter, and with searches; also an object's page, the dashboard, the lists of the staff API, the
probes and the jobs. Prints the most expensive requests and each sequential scan of a large table. ``--keep URL``
fills the database at this URL, which must be empty, and keeps it; ``--filled`` measures it again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from bench import databases, pages
from bench.cpu import tree_ms
from bench.servers import ROOT

MOST_CPU = 100
"""CPU milliseconds per page, web and database together."""
LARGE = 50_000
"""A table with more rows must not be read from its beginning to its end."""
SHOWN = 25
API = "/api/v1/orders/staff/orders/", "/api/v1/notifications/staff/"
PROBES = "/healthz", "/readyz"
JOBS = "shop_catalog_jobs", "shop_orders_jobs", "shop_notify_jobs"


class Cost(NamedTuple):
    cpu: float
    name: str
    scanned: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.staff", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["run", "check"], default="run", help="check: exit 1 at a miss")
    parser.add_argument("--scale", type=int, default=100, help="factor of 10,000 products (default: 100)")
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--keep", metavar="URL", help="an empty database to fill and to keep")
    parser.add_argument("--filled", action="store_true", help="the database at --keep is filled already")
    parser.add_argument("--step", choices=["fill", "measure"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return _step(options.step, options.orders)
    with contextlib.ExitStack() as stack:
        url = options.keep
        if url is None:
            url = stack.enter_context(databases.empty_database(stack.enter_context(databases.server()), "staff"))
        environment = stack.enter_context(pages.environment(url))
        if not options.filled:
            pages.fill(environment, scale=options.scale)
            _run(environment, "fill", options.orders)
        return (
            _run(environment, "measure", options.orders)
            if options.what == "check"
            else 0 * _run(environment, "measure", options.orders)
        )


def _run(environment: dict[str, str], step: str, orders: int) -> int:
    command = [sys.executable, "-m", "bench.staff", "--step", step, "--orders", str(orders)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=step == "fill").returncode


def _step(step: str, orders: int) -> int:
    """In a process of its own, with the settings of the example project."""
    import django
    from django.db import connection

    django.setup()
    url = os.environ["DATABASE_URL"]
    if step == "fill":
        from bench import sales

        sales.fill(url, orders=orders)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        databases.close_pool()
        return 0
    costs = sorted(_measured(url), reverse=True)
    databases.close_pool()
    print(
        "\n".join(["| request | CPU ms |", "| --- | --- |", *(f"| {c.name} | {c.cpu:.0f} |" for c in costs[:SHOWN])])
    )
    scans = [f"{cost.name}: reads all of {', '.join(cost.scanned)}" for cost in costs if cost.scanned]
    misses = [f"{cost.name}: {cost.cpu:.0f} ms, wanted at most {MOST_CPU}" for cost in costs if cost.cpu > MOST_CPU]
    for miss in misses + scans:
        print(f"MISSED: {miss}")
    print(f"{len(costs)} requests, {len(misses)} over {MOST_CPU} ms, {len(scans)} with a scan of a large table")
    return 1 if misses or scans else 0


def _measured(url: str) -> Iterator[Cost]:
    from django.core.management import call_command
    from django.test import Client

    client = Client(headers={"host": "localhost"}, raise_request_exception=False)
    client.force_login(_staff())
    postmaster = databases.postmaster_of(url)
    for path in _paths(client):
        yield _cost(path, lambda path=path: _ask(client, path), postmaster)
    for name in JOBS:
        yield _cost(name, lambda name=name: call_command(name, all=True, verbosity=0), postmaster)


def _cost(name: str, work: Any, postmaster: int) -> Cost:
    """The less expensive of two runs, and the large tables that the first one read from beginning to end."""
    from django.db import connection

    plans = Plans()
    with connection.execute_wrapper(plans):
        work()
    scanned = plans.scanned()
    cpu = []
    for _run in range(2):
        own, database = time.process_time(), tree_ms(postmaster)
        work()
        cpu.append((time.process_time() - own) * 1000 + tree_ms(postmaster) - database)
    return Cost(min(cpu), name, scanned)


class Plans:
    """Collects the SELECTs of a request, and explains them afterwards."""

    def __init__(self) -> None:
        self.statements: dict[str, Any] = {}

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
        if not many and sql.lstrip().upper().startswith(("SELECT", "WITH")):
            self.statements.setdefault(sql, params)
        return execute(sql, params, many, context)

    def scanned(self) -> tuple[str, ...]:
        from django.db import connection

        found: set[str] = set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s", [LARGE])
            large = {name for [name] in cursor.fetchall()}
            for sql, params in self.statements.items():
                if " FOR UPDATE" in sql:
                    continue
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                [[plan]] = cursor.fetchall()
                found |= {node["Relation Name"] for node in _nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"}
        return tuple(sorted(found & large))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _staff() -> Any:
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    found = model.objects.filter(is_superuser=True).first()
    return found or model.objects.create_superuser(email="staff@example.org", password=None)


def _ask(client: Any, path: str) -> Any:
    response = client.get(path)
    content = b"".join(response) if response.streaming else response.content
    if response.status_code not in {200, 503}:  # 503: without a worker, or a statement took too long
        raise AssertionError(f"{path}: {response.status_code} {content[:300]!r}")
    return response


def _paths(client: Any) -> Iterator[str]:
    from django.contrib import admin
    from django.urls import reverse

    yield reverse("admin:index")
    for model, model_admin in admin.site._registry.items():  # noqa: SLF001 - all lists
        if model._meta.app_label.startswith(("shop_", "accounts")):
            yield from _admin_paths(client, model, model_admin)
    for path in API:
        yield path
        yield from (
            f"{path}?q={word}" for word in ("buyer-77@example.org", "nothing-like-this") if "incoming" not in path
        )
    yield from PROBES


def _admin_paths(client: Any, model: Any, model_admin: Any) -> Iterator[str]:
    from urllib.parse import quote

    from django.urls import reverse

    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    listed = reverse(f"{name}_changelist")
    yield listed
    changes = _ask(client, listed).context_data["cl"]
    columns = range(1, len(changes.list_display) + 1)
    yield from (f"{listed}?o={sign}{number}" for number in columns for sign in ("", "-"))
    for spec in changes.filter_specs:
        yield from (listed + choice["query_string"] for choice in list(spec.choices(changes))[1:5])
    middle = _middle(model)
    if middle is None:
        return
    for field in model_admin.search_fields:
        value = str(getattr(middle, field.strip("=^@").split("__")[0], "") or "")
        yield from (f"{listed}?q={quote(part)}" for part in {value[:100], value[2:8]} if part.strip())
    if model_admin.search_fields:
        yield f"{listed}?q=nothing-like-this"
    yield reverse(f"{name}_change", args=[middle.pk])
    yield reverse(f"{name}_history", args=[middle.pk])


def _middle(model: Any) -> Any:
    """A row with a key in the middle of all keys; any row if the keys are not numbers; None if there is none."""
    first, last = model.objects.order_by("pk").first(), model.objects.order_by("pk").last()
    if last is None or not isinstance(last.pk, int):
        return first
    return model.objects.filter(pk__gte=last.pk // 2).order_by("pk").first()


if __name__ == "__main__":
    raise SystemExit(main())
