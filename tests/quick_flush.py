"""A pytest plugin of the environments with PostgreSQL: after a transactional test only tables with rows are emptied.

Django truncates every table after such a test, for which PostgreSQL replaces every table's and every index's file.
Deleting the few rows of the few tables that have any leaves the same behind and takes about a tenth of the time.
Where sequences are to start again, or a table has many rows, Django's own way stays: deleted rows keep their place in
a file, and reading them would slow down the tests that follow.
"""

from __future__ import annotations

from typing import Any

MANY = 500


def pytest_configure() -> None:
    from django.db.backends.postgresql.operations import DatabaseOperations

    truncate = DatabaseOperations.sql_flush

    def sql_flush(
        operations: DatabaseOperations, style: Any, tables: list[str], *, reset_sequences: bool = False, **options: Any
    ) -> list[str]:
        if reset_sequences or not tables:
            return truncate(operations, style, tables, reset_sequences=reset_sequences, **options)
        names = [operations.quote_name(table) for table in tables]
        counts = " UNION ALL ".join(
            f"SELECT {number}, count(*) FROM (SELECT FROM {name} LIMIT {MANY}) AS first"
            for number, name in enumerate(names)
        )
        with operations.connection.cursor() as cursor:
            cursor.execute(counts)
            counted = cursor.fetchall()
        if any(count == MANY for _number, count in counted):
            return truncate(operations, style, tables, reset_sequences=False, **options)
        return [f"DELETE FROM {names[number]};" for number, count in counted if count]

    DatabaseOperations.sql_flush = sql_flush
