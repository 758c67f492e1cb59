"""Hot reads: a queryset compiled once per process, its SQL run again with new parameters.

Building a query's SQL costs more than running it. A ``HotQuery`` keeps the ORM as the source of the SQL and skips the
building: the queryset is made with ``Parameter`` expressions, which mark their places in the compiled statement.

    def build(p):
        return Cart.objects.filter(token_hash=p("token_hash", TOKEN_HASH)).values_list("id")

    cheap = HotQuery(Cart, build)
    cheap.rows(token_hash="...")

Positional arguments are the query's *shape*: whatever changes the SQL text. Keywords are its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Expression, Field, QuerySet, Value

Build = Callable[..., QuerySet[Any, Any]]

MAX_SHAPES = 256
"""Compiled statements kept per query."""


class Slot(NamedTuple):
    """The place of one parameter in a statement, and the field that adapts its value for the database."""

    name: str
    field: Field[Any, Any]

    def prepared(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """The value as the database wants it. Texts, and times for PostgreSQL, are so already.

        Their fields would say the same after a dozen calls.
        """
        if type(value) is str and isinstance(self.field, CharField):
            return value
        if type(value) is datetime and value.tzinfo is not None and connection.vendor == "postgresql":
            return value
        return self.field.get_db_prep_value(value, connection)


class Parameter(Expression):
    """Stands in a queryset for a value that is not known yet."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return "%s", [Slot(self.name, self.output_field)]


class Word(Value):
    """A word of ours, such as a status, that is written into the statement instead of being sent with it.

    Only so PostgreSQL sees that a partial index will do, and keeps one plan; else it plans at every execution.
    """

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if not str(self.value).isidentifier():
            raise ValueError(f"{self.value!r} is no plain word.")
        return f"'{self.value}'", []


class Statement(NamedTuple):
    """A compiled query: its text, its values or their slots in order, and what Django makes of a row's columns."""

    sql: str
    parameters: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]

    def bound(self, values: dict[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
        return [
            part.prepared(values[part.name], connection) if isinstance(part, Slot) else part
            for part in self.parameters
        ]

    def converted(self, rows: list[Any], connection: BaseDatabaseWrapper) -> list[Any]:
        if not self.converters:
            return rows
        return [self._convert(list(row), connection) for row in rows]

    def _convert(self, row: list[Any], connection: BaseDatabaseWrapper) -> list[Any]:
        for index, functions, expression in self.converters:
            for function in functions:
                row[index] = function(row[index], expression, connection)
        return row


class HotQuery:
    """A ``values_list`` queryset with parameters. ``build(p, *shape)`` makes it; ``p(name, field)`` is a parameter.

    It reads where writes go: these rows are about to be changed.
    """

    def __init__(self, model: type[models.Model], build: Build) -> None:
        self.model = model
        self.build = build
        self._statement = lru_cache(maxsize=MAX_SHAPES)(self._compile)

    def rows(self, *shape: Hashable, **values: Any) -> list[Any]:
        """The rows, from the compiled statement."""
        alias = router.db_for_write(self.model)
        connection = connections[alias]
        statement = self._statement(alias, *shape)
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, statement.bound(values, connection))
            return statement.converted(cursor.fetchall(), connection)

    def plain_rows(self, *shape: Hashable, **values: Any) -> list[Any]:
        """The same rows from the plain queryset, for the test that compares the two."""
        queryset = self.build(lambda name, field: Value(values[name], output_field=field), *shape)
        return list(queryset)

    def _compile(self, alias: str, *shape: Hashable) -> Statement:
        compiler = self.build(Parameter, *shape).using(alias).query.get_compiler(alias)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column[0] for column in compiler.select])
        return Statement(
            sql,
            tuple(parameters),
            tuple((index, tuple(functions), expression) for index, (functions, expression) in converters.items()),
        )
