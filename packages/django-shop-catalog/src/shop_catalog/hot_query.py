"""Hot reads: a queryset compiled once per process, its SQL run again with new parameters.

Building a query's SQL costs more than running it. A ``HotQuery`` keeps the ORM as the source of the SQL and skips the
building: the queryset is made with ``Parameter`` expressions, which mark their places in the compiled statement.

    def build(p, limit):
        return Product.objects.filter(price__lte=p("most", PRICE)).values_list("sku")[:limit]

    cheap = HotQuery(Product, build)
    cheap.rows(20, most=Decimal(5))

Positional arguments are the query's *shape*: whatever changes the SQL text. Keywords are its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Expression, Field, IntegerField, QuerySet, Value

Build = Callable[..., QuerySet[Any, Any]]

MAX_SHAPES = 256
"""Compiled statements kept per query."""

LITERAL = re.compile("\0(\\w+)\0")
"""The place of a literal in a compiled statement; no SQL has a NUL."""


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


class LiteralInteger(IntegerField):  # type: ignore[type-arg]
    """A whole number that is written into the statement, so that PostgreSQL plans for this very value.

    For the bounds of a subtree, a plan that was prepared for any value costs 4 to 13 times as much.
    """


class Parameter(Expression):
    """Stands in a queryset for a value that is not known yet."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if isinstance(self.output_field, LiteralInteger):
            return f"\0{self.name}\0", []
        return "%s", [Slot(self.name, self.output_field)]


class Statement(NamedTuple):
    """A compiled query: its text, its values or their slots in order, and what Django makes of a row's columns."""

    sql: str
    parameters: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]

    def text(self, values: dict[str, Any]) -> str:
        """The SQL with its literals filled in."""
        return LITERAL.sub(lambda found: str(int(values[found[1]])), self.sql)

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
    """A ``values_list`` queryset with parameters. ``build(p, *shape)`` makes it; ``p(name, field)`` is a parameter."""

    def __init__(self, model: type[models.Model], build: Build) -> None:
        self.model = model
        self.build = build
        self._statement = lru_cache(maxsize=MAX_SHAPES)(self._compile)

    def rows(self, *shape: Hashable, **values: Any) -> list[Any]:
        """The rows, from the compiled statement."""
        alias = router.db_for_read(self.model)
        connection = connections[alias]
        statement = self._statement(alias, *shape)
        with connection.cursor() as cursor:
            cursor.execute(statement.text(values), statement.bound(values, connection))
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
