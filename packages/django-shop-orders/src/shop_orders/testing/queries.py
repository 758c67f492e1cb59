"""The statements of the races that the ORM cannot express."""

from __future__ import annotations

from shop_core.db.transactions import connection_of

from shop_orders.models import Order


def deadlocks() -> int:
    """The deadlocks of this database since its statistics were reset, as PostgreSQL counts them."""
    with connection_of(Order).cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def publish_statistics() -> None:
    """Make the server publish the statistics of this connection now, and not up to a second later."""
    with connection_of(Order).cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
