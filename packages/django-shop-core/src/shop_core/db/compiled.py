"""Compiled queries: querysets that are compiled once per process and run again with new parameters.

Building the SQL of a query costs more than running it. A ``CompiledQuery`` keeps the ORM as the source of the SQL: the
queryset is built once, with ``Parameter`` expressions as placeholders.

    _NAMES = CompiledQuery(Cart, lambda p: Cart.objects.filter(id=p("id", ID)).values_list("name"), row=NameRow)
    _NAMES.first(id=7)

Positional arguments of a call are the query's *shape*, the values that change the SQL text. Keywords are parameters.

With ``SHOP_PLAIN_QUERIES=1`` in the environment, and on a Django newer than ``NEWEST_TESTED``, each call runs the
plain queryset instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import django
from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Expression, Field, IntegerField, JSONField, QuerySet, Value

Build = Callable[..., QuerySet[Any, Any]]
Row = TypeVar("Row", bound=tuple[Any, ...])

NEWEST_TESTED = (6, 1)
"""The newest Django with which compiled statements were compared with their plain querysets."""

MAX_SHAPES = 256
"""Compiled statements kept per query."""

IS_PLAIN = os.environ.get("SHOP_PLAIN_QUERIES") == "1"  # looking it up at each statement takes long

_LITERAL = re.compile("\0(\\w+)\0")


def uses_plain_queries() -> bool:
    """Whether plain querysets are run instead of compiled statements."""
    return IS_PLAIN or is_newer_than_tested()


def is_newer_than_tested() -> bool:
    """Whether this Django is newer than the newest that was tested; for a warning of ``manage.py check``."""
    return django.VERSION[:2] > NEWEST_TESTED


class Slot(NamedTuple):
    """The place of one parameter in a statement, and the field that adapts its value for the database."""

    name: str
    field: Field[Any, Any]

    def prepared(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """The value converted for the database. Strings, and times on PostgreSQL, skip the field's slow conversion."""
        if type(value) is str and isinstance(self.field, CharField):
            return value
        if type(value) is datetime and value.tzinfo is not None and connection.vendor == "postgresql":
            return value
        return self.field.get_db_prep_value(value, connection)


class LiteralInteger(IntegerField):  # type: ignore[type-arg]
    """An integer in the SQL text. PostgreSQL's plan for a parameter is 4 to 13 times slower for subtree bounds."""


class Parameter(Expression):
    """A placeholder in a queryset for a value that is given at each call."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if isinstance(self.output_field, LiteralInteger):
            return f"\0{self.name}\0", []
        return "%s", [Slot(self.name, self.output_field)]


class Statement(NamedTuple):
    """A compiled query: its SQL, its constants and slots in order, and Django's converters of the columns."""

    sql: str
    parameters: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Any, Any]], ...]

    def text(self, values: dict[str, Any]) -> str:
        """The SQL with its literals filled in."""
        return _LITERAL.sub(lambda found: str(int(values[found[1]])), self.sql) if "\0" in self.sql else self.sql

    def bound(self, values: dict[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
        return [
            part.prepared(values[part.name], connection) if isinstance(part, Slot) else part
            for part in self.parameters
        ]

    def converted(self, rows: list[Any], connection: BaseDatabaseWrapper) -> list[Any]:
        rows = [list(row) for row in rows] if self.converters else rows
        for index, (functions, expression) in self.converters:
            for function in functions:
                for row in rows:
                    row[index] = function(row[index], expression, connection)
        return rows


class CompiledQuery(Generic[Row]):
    """A ``values_list`` queryset with parameters. ``build(p, *shape)`` makes it; ``p(name, field)`` is a parameter.

    ``row`` is the named tuple that rows are returned as. With ``reads=True`` the query runs on the routers' database
    for reading, otherwise on the one for writing, since the rows are about to be changed.
    """

    def __init__(
        self, model: type[models.Model], build: Build, *, row: type[Row] | None = None, reads: bool = False
    ) -> None:
        self.model = model
        self.build = build
        self.row = row
        self.alias_of = router.db_for_read if reads else router.db_for_write
        self._statement = lru_cache(maxsize=MAX_SHAPES)(self._compile)

    def rows(self, *shape: Hashable, **values: Any) -> list[Row]:
        """All rows. One statement, no lock unless the queryset asks for one."""
        if uses_plain_queries():
            return self.plain_rows(*shape, **values)
        alias = self.alias_of(self.model)
        connection = connections[alias]
        statement = self._statement(alias, *shape)
        with connection.cursor() as cursor:
            cursor.execute(statement.text(values), statement.bound(values, connection))
            return self._named(statement.converted(cursor.fetchall(), connection))

    def first(self, *shape: Hashable, **values: Any) -> Row | None:
        """The first row, or None. No LIMIT is added: all rows of the queryset are fetched."""
        rows = self.rows(*shape, **values)
        return rows[0] if rows else None

    def plain_rows(self, *shape: Hashable, **values: Any) -> list[Row]:
        """The same rows from the plain queryset."""
        queryset = self.build(lambda name, field: Value(values[name], output_field=field), *shape)
        return self._named(list(queryset.using(self.alias_of(self.model))))

    def _named(self, rows: list[Any]) -> list[Row]:
        return rows if self.row is None else list(map(self.row._make, rows))  # type: ignore[attr-defined]

    def _compile(self, alias: str, *shape: Hashable) -> Statement:
        compiler = self.build(Parameter, *shape).using(alias).query.get_compiler(alias)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column[0] for column in compiler.select])
        quick = [(place, ([_quick(function) for function in found], of)) for place, (found, of) in converters.items()]
        return Statement(sql, tuple(parameters), tuple(quick))


def _quick(convert: Any) -> Any:
    """The converter of a column. That of a JSONField is slow and not called for ``{}``, which most rows have."""
    is_of_json = getattr(convert, "__func__", None) is JSONField.from_db_value and convert.__self__.decoder is None
    return (lambda value, *of: {} if value == "{}" else convert(value, *of)) if is_of_json else convert
