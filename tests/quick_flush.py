"""A pytest plugin of the test environments: emptying the tables after a transactional test takes less time.

Django empties every table, and then creates the content types and permissions again, a statement or two each. They
are the same in every test, so they stay.

On PostgreSQL Django truncates the tables, for which every table's and every index's file is replaced. Deleting the few
rows of the few tables that have any leaves the same behind and takes about a tenth of the time. Where sequences are to
start again, or a table has many rows, Django's own way stays: deleted rows keep their place in a file, and reading
them would slow down the tests that follow.
"""

from __future__ import annotations

from typing import Any

KEPT = {"django_content_type", "auth_permission"}
MANY = 500


def pytest_configure() -> None:
    from django.core.management.commands import flush
    from django.core.management.sql import emit_post_migrate_signal

    def emit_to_others(*arguments: Any, **options: Any) -> None:
        from django.contrib.auth.management import create_permissions
        from django.contrib.contenttypes.management import create_contenttypes
        from django.db.models.signals import post_migrate

        uid = "django.contrib.auth.management.create_permissions"
        post_migrate.disconnect(create_contenttypes)
        post_migrate.disconnect(dispatch_uid=uid)
        emit_post_migrate_signal(*arguments, **options)
        post_migrate.connect(create_contenttypes)
        post_migrate.connect(create_permissions, dispatch_uid=uid)

    flush.sql_flush = statements
    flush.emit_post_migrate_signal = emit_to_others


def statements(style: Any, connection: Any, reset_sequences: bool = True, allow_cascade: bool = False) -> list[str]:
    """The statements that empty the tables, but those of ``KEPT``."""
    existing = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [table for table in existing if table not in KEPT]
    if connection.vendor == "postgresql" and not reset_sequences:
        counts = _counts(connection, tables)
        if MANY not in counts.values():
            return [f"DELETE FROM {connection.ops.quote_name(table)};" for table, count in counts.items() if count]
    options = {"reset_sequences": reset_sequences, "allow_cascade": allow_cascade}
    return list(connection.ops.sql_flush(style, tables, **options))


def _counts(connection: Any, tables: list[str]) -> dict[str, int]:
    """The number of rows of each table, up to ``MANY``."""
    selects = [
        f"SELECT {number}, count(*) FROM (SELECT FROM {connection.ops.quote_name(table)} LIMIT {MANY}) AS first"
        for number, table in enumerate(tables)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(selects))
        return {tables[number]: count for number, count in cursor.fetchall()}
