"""NOTIFY and LISTEN of PostgreSQL, on the database of the outbox. Other databases have neither."""

from __future__ import annotations

import inspect

from shop_core.db.transactions import connection_of

from shop_notify.models import Notification

CHANNEL = "shop_notify"


def notify() -> None:
    """Wake every connection that listens. Inside a transaction, they are woken after its commit."""
    connection = connection_of(Notification)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def listen() -> None:
    """Receive wake-ups on this connection. A second call changes nothing."""
    with connection_of(Notification).cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def wait(seconds: float) -> bool:
    """Wait until a wake-up comes, at most ``seconds``. Returns whether one came since ``listen``."""
    connection = connection_of(Notification)
    with connection.wrap_database_errors:
        return any(connection.connection.notifies(timeout=seconds, stop_after=1))


def can_listen() -> bool:
    """Whether the database and its driver (psycopg 3.2) have LISTEN."""
    connection = connection_of(Notification)
    if connection.vendor != "postgresql":
        return False
    connection.ensure_connection()
    notifies = getattr(connection.connection, "notifies", None)
    return callable(notifies) and "stop_after" in inspect.signature(notifies).parameters
