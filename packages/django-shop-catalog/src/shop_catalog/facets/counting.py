"""Compiled queries that count the numbers in a column of sets, such as the facets of the products that match filters.

The ORM cannot select from a subquery with a limit, so the SQL of the queryset is put into that of the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

from django.db import connections
from django.db.models import Value
from shop_core.db.compiled import CompiledQuery, Slot, Statement

from shop_catalog.facets.queries import FacetNumber
from shop_catalog.models.numbers import NumbersField

_EACH = {
    "postgresql": "SELECT unnest(found.numbers), COUNT(*) FROM ({sql}) AS found (numbers) GROUP BY 1 ORDER BY 1",
    "sqlite": (
        "WITH found (numbers) AS ({sql}) SELECT each.value, COUNT(*) FROM found, json_each(found.numbers) AS each"
        " GROUP BY 1 ORDER BY 1"
    ),
}
_EACH_GROUP = {
    "postgresql": (
        "SELECT member.owner, COUNT(DISTINCT found.id) FROM ({sql}) AS found (id, numbers),"
        " unnest(found.numbers) AS each (number), unnest(%s::bigint[], %s::bigint[]) AS member (number, owner)"
        " WHERE member.number = each.number GROUP BY 1 ORDER BY 1"
    ),
    "sqlite": (
        "WITH found (id, numbers) AS ({sql}) SELECT owner.value, COUNT(DISTINCT found.id)"
        " FROM found, json_each(found.numbers) AS each, json_each(%s) AS number, json_each(%s) AS owner"
        " WHERE number.value = each.value AND owner.key = number.key GROUP BY 1 ORDER BY 1"
    ),
}


class NumbersQuery(CompiledQuery[FacetNumber]):
    """Counts the rows with each number. The queryset has one column, a set of numbers."""

    def plain_rows(self, *shape: Hashable, **values: Any) -> list[FacetNumber]:
        counted = Counter(number for (numbers,) in _rows(self, shape, values) for number in set(numbers or ()))
        return [FacetNumber(*pair) for pair in sorted(counted.items())]

    def _compile(self, alias: str, *shape: Hashable) -> Statement:
        statement = super()._compile(alias, *shape)
        template = _EACH[connections[alias].vendor]
        return statement._replace(sql=template.replace("{sql}", statement.sql), converters=())


class GroupsQuery(CompiledQuery[FacetNumber]):
    """Counts the rows that have any number of a group. The queryset has two columns: a key, and a set of numbers.

    The parameters ``members`` and ``owners`` are two lists: numbers, and the group of each.
    """

    def plain_rows(self, *shape: Hashable, **values: Any) -> list[FacetNumber]:
        owners = dict(zip(values["members"], values["owners"], strict=True))
        rows = _rows(self, shape, values)
        groups = [{owners[number] for number in numbers or () if number in owners} for _pk, numbers in rows]
        return [FacetNumber(*pair) for pair in sorted(Counter(each for group in groups for each in group).items())]

    def _compile(self, alias: str, *shape: Hashable) -> Statement:
        statement = super()._compile(alias, *shape)
        sql = _EACH_GROUP[connections[alias].vendor].replace("{sql}", statement.sql)
        field = NumbersField()
        lists = (Slot("members", field), Slot("owners", field))
        return Statement(sql, (*statement.parameters, *lists), ())


def _rows(query: CompiledQuery[FacetNumber], shape: tuple[Hashable, ...], values: dict[str, Any]) -> list[Any]:
    queryset = query.build(lambda name, field: Value(values[name], output_field=field), *shape)
    return list(queryset.using(query.alias_of(query.model)))
