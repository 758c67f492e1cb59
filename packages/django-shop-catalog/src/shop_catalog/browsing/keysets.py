"""The condition of a keyset page, which the ORM cannot write."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Expression


class RowIsAfter(Expression):
    """``(a, b) < (c, d)``: the condition of a keyset page, for which there is an index on both columns."""

    def __init__(self, column: Any, key: Any, *, value: Any, id: Any, is_descending: bool) -> None:  # noqa: A002
        super().__init__(output_field=BooleanField())
        self.parts = [column, key, value, id]
        self.operator = "<" if is_descending else ">"

    conditional = True

    def get_source_expressions(self) -> list[Any]:
        return self.parts

    def set_source_expressions(self, expressions: Any) -> None:
        self.parts = list(expressions)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:  # noqa: ARG002
        texts, parameters = [], []
        for part in self.parts:
            sql, values = compiler.compile(part)
            texts.append(sql)
            parameters += values
        column, key, value, pk = texts
        return f"({column}, {key}) {self.operator} ({value}, {pk})", parameters
