"""The databases of a run: created, migrated, and dropped at the end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg

from bench.servers import ROOT, SOURCES

sys.path.insert(0, str(ROOT / "tests"))
from postgres import server

__all__ = ["close_pool", "empty_database", "postmaster_of", "run_python", "server"]


@contextlib.contextmanager
def empty_database(server_url: str, name: str) -> Iterator[str]:
    """The URL of a new database, which is dropped at the end of the block."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield server_url.rsplit("/", 1)[0] + f"/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def run_python(url: str, *arguments: str, **environment: str) -> None:
    """Run ``python`` with the database and further variables; ``DJANGO_SETTINGS_MODULE`` must be one of them."""
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        "DATABASE_URL": url,
        **environment,
    }
    subprocess.run([sys.executable, *arguments], check=True, env=variables)


def postmaster_of(url: str) -> int:
    """The process id of the server's parent process, which is on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        found = subprocess.run(["ps", "-o", "ppid=", "-p", str(row[0])], capture_output=True, text=True, check=True)
    return int(found.stdout)


def close_pool() -> None:
    """Close Django's connections, so that the process can end."""
    from django.db import connection

    pooled: Any = connection
    pooled.close_pool()
