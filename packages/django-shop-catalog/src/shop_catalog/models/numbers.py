"""Sets of whole numbers in one column: an array on PostgreSQL, JSON on other databases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import BooleanField, Expression, Func


class NumbersField(models.Field):  # type: ignore[type-arg]
    """A list of 64-bit integers."""

    def db_type(self, connection: Any) -> str:
        return "bigint[]" if connection.vendor == "postgresql" else "text"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
        if value is None or isinstance(value, str):
            return value
        numbers = ",".join(str(int(number)) for number in value)
        return f"{{{numbers}}}" if connection.vendor == "postgresql" else f"[{numbers}]"

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))


class NumbersIndex(models.Index):
    """A GIN index on PostgreSQL, which finds rows by any of their numbers. Of no use on other databases."""

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        using = " USING gin" if schema_editor.connection.vendor == "postgresql" else using
        return super().create_sql(model, schema_editor, using=using, **kwargs)


class Overlaps(Expression):
    """Whether a set has one of the numbers, each an expression. With ``is_set``, one expression has all numbers."""

    conditional = True

    def __init__(self, column: Any, *numbers: Any, is_set: bool = False) -> None:
        super().__init__(output_field=BooleanField())
        self.parts: list[Any] = [column, *numbers]
        self.is_set = is_set

    def get_source_expressions(self) -> list[Any]:
        return self.parts

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        self.parts = list(expressions)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        texts, parameters = [], []
        for part in self.parts:
            text, values = compiler.compile(part)
            texts.append(text)
            parameters += values
        column, numbers = texts[0], ", ".join(texts[1:])
        if connection.vendor == "postgresql":
            wanted = numbers if self.is_set else f"ARRAY[{numbers}]"
            return f"({column} && {wanted}::bigint[])", parameters
        wanted = f"SELECT value FROM json_each({numbers})" if self.is_set else numbers  # noqa: S608
        return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value IN ({wanted}))", parameters  # noqa: S608


class EachNumber(Func):
    """A row for each number of a set on PostgreSQL. Elsewhere the whole set in one row: see ``each_number``."""

    function = "unnest"
    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return super().as_sql(compiler, connection, template="%(expressions)s", **context)

    def convert_value(self, value: Any, _expression: Any, _connection: Any) -> Any:
        return value


def each_number(value: int | str) -> list[int]:
    """The numbers of a row of ``EachNumber``."""
    return json.loads(value) if isinstance(value, str) else [value]
