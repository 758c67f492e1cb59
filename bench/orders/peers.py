"""The peers of cart and checkout, and their databases."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench import data
from bench.databases import empty_database, run_python
from bench.servers import Peer

LIMIT = "e1"
BY_HAND = "our statements by hand"
OURS = "ours recommended"
USUAL = "usual form"
DRF = "DRF reference"
OSCAR = "oscar-api"
WSGI = "bench.peers.ours.wsgi:application"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.peers.ours.orders_settings", "BENCH_DATABASE": "recommended"}
OSCAR_SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.peers.oscar.settings", "BENCH_DATABASE": "default"}


def all_peers(url: str, recording: Path) -> list[Peer]:
    common = {"DATABASE_URL": url}
    project = {**common, "DJANGO_SETTINGS_MODULE": "bench.peers.ours.orders_settings"}
    peers = [
        Peer(LIMIT, "bench.peers.limit.orders:application", common),
        Peer(BY_HAND, "bench.peers.replay:application", {**common, "BENCH_RECORDING": str(recording)}),
        Peer(OURS, WSGI, {**project, "BENCH_DATABASE": "recommended"}),
        Peer("ours default", WSGI, {**project, "BENCH_DATABASE": "default"}),
        Peer(USUAL, WSGI, {**project, "BENCH_DATABASE": "default", "BENCH_URLS": "bench.peers.usual.orders"}),
    ]
    if importlib.util.find_spec("rest_framework") is None:
        print("No DRF reference: djangorestframework is not installed.", file=sys.stderr, flush=True)
        return peers
    reference = {**common, "DJANGO_SETTINGS_MODULE": "bench.peers.reference.settings", "BENCH_DATABASE": "default"}
    return [*peers, Peer(DRF, WSGI, reference)]


@contextlib.contextmanager
def database(server_url: str) -> Iterator[str]:
    """A migrated database with 10,000 products, enough stock, and a customer for each of 1,000 users."""
    with empty_database(server_url, f"bench_orders_{os.getpid()}") as url:
        run_python(url, "-m", "django", "migrate", "--verbosity=0", **SETTINGS)
        data.load(url, scale=1)
        with psycopg.connect(url, autocommit=True) as loaded:
            loaded.execute("UPDATE shop_catalog_product SET stock_quantity = 1000000")
            loaded.execute(
                "INSERT INTO shop_orders_customer (id, public_id, user_id, first_name, last_name, email, email_key,"
                " phone, language, created_at, updated_at) SELECT 10000000 + id, gen_random_uuid(), id, first_name,"
                " last_name, email, lower(email), '', '', now(), now() FROM auth_user"
            )
            for table, start in (("cart", 2), ("cartitem", 3), ("order", 4), ("orderline", 5), ("orderevent", 6)):
                loaded.execute(f"ALTER SEQUENCE shop_orders_{table}_id_seq RESTART WITH {start}0000000")
            loaded.execute("VACUUM ANALYZE")
        yield url


@contextlib.contextmanager
def oscar(server_url: str) -> Iterator[Peer]:
    """django-oscar with a database of its own: as many products, stock and users."""
    with empty_database(server_url, f"bench_oscar_{os.getpid()}") as url:
        # Its checks require the admin's middleware, which the API does not need.
        run_python(url, "-m", "django", "migrate", "--verbosity=0", "--skip-checks", **OSCAR_SETTINGS)
        run_python(url, "-m", "bench.peers.oscar.load", **OSCAR_SETTINGS)
        yield Peer(OSCAR, WSGI, {"DATABASE_URL": url, **OSCAR_SETTINGS})
