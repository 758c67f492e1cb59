"""The catalogue for the benchmarks: the same rows for the same scale, written by COPY into migrated tables."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from shop_catalog.wording import search_text

from bench.texts import Texts

SEED = 20261122
BASE_PRODUCTS = 10_000
CATEGORY_FANOUT = (5, 4, 4, 3, 2)
CATEGORIES = 500
REVIEWS = 20_000
CUSTOMERS = 1_000
START = datetime(2024, 1, 1, tzinfo=UTC)


FACET_TABLES = ("shop_catalog_facetchange", "shop_catalog_facetcount", "shop_catalog_facetvalue")
"""Filled by the job ``fold_facets``."""


class People(NamedTuple):
    """The user model of a site: its table, the keys of its users, and columns that only some models have."""

    table: str = "auth_user"
    key: Callable[[int], Any] = int
    with_username: bool = True


USERS = People()


class Node(NamedTuple):
    id: int
    parent_id: int | None
    level: int
    tree_id: int
    lft: int
    rght: int


def load(dsn: str, *, scale: int, people: People = USERS) -> None:
    """Fill an empty, migrated database with ``scale`` times 10,000 products, then let PostgreSQL gather statistics."""
    rng = random.Random(SEED)
    nodes = tree()
    count = BASE_PRODUCTS * scale
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables = ", ".join(("shop_catalog_category", "shop_catalog_product", people.table, *FACET_TABLES))
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        with unindexed(connection):
            _copy(connection, "shop_catalog_category", CATEGORY_COLUMNS, _categories(nodes))
            _copy(connection, "shop_catalog_product", PRODUCT_COLUMNS, _products(rng, count))
            _copy(connection, "shop_catalog_productcategory", LINK_COLUMNS, _links(rng, count, nodes))
            _copy(connection, "shop_catalog_productimage", IMAGE_COLUMNS, _images(rng, count))
            _copy(connection, people.table, *_users(people))
            _copy(connection, "shop_catalog_review", REVIEW_COLUMNS, _reviews(rng, count, people))
        for table in ("category", "product", "productcategory", "productimage", "review"):
            name = f"shop_catalog_{table}"
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
        connection.execute("INSERT INTO shop_catalog_statisticschange (count_change, sum_change) VALUES (0, 0)")
        version = "INSERT INTO shop_catalog_categorytreeversion (id, version) VALUES (1, gen_random_uuid())"
        connection.execute(f"{version} ON CONFLICT DO NOTHING")  # without one the tree is not kept in memory
        connection.execute("VACUUM ANALYZE")


def tree() -> list[Node]:
    """500 categories in five levels, numbered as nested sets."""
    nodes: list[Node] = []
    roots = 0
    while len(nodes) < CATEGORIES:
        roots += 1
        nodes += _grow(len(nodes) + 1, None, 0, roots, 1)[0]
    return nodes


def _grow(next_id: int, parent_id: int | None, level: int, tree_id: int, lft: int) -> tuple[list[Node], int, int]:
    """A node with its descendants, the next free id and the next free bound."""
    own = next_id
    next_id += 1
    bound = lft + 1
    below: list[Node] = []
    for _child in range(CATEGORY_FANOUT[level] if level < len(CATEGORY_FANOUT) - 1 else 0):
        if next_id > CATEGORIES:
            break
        nodes, next_id, bound = _grow(next_id, own, level + 1, tree_id, bound)
        below += nodes
    return [Node(own, parent_id, level, tree_id, lft, bound), *below], next_id, bound + 1


CATEGORY_COLUMNS = (
    "id",
    "name",
    "slug",
    "parent_id",
    "description",
    "image",
    "is_active",
    "position",
    "lft",
    "rght",
    "tree_id",
    "level",
)
PRODUCT_COLUMNS = (
    "id",
    "sku",
    "slug",
    "kind",
    "name",
    "description",
    "price",
    "tax_class",
    "attributes",
    "options",
    "position",
    "is_active",
    "is_featured",
    "is_scheduled",
    "stock_quantity",
    "reserved_quantity",
    "rating_average",
    "rating_count",
    "search_text",
    "created_at",
    "updated_at",
)
LINK_COLUMNS = ("product_id", "category_id", "position", "listed_at")
IMAGE_COLUMNS = (
    "public_id",
    "product_id",
    "file",
    "alt",
    "position",
    "is_primary",
    "width",
    "height",
    "renditions",
    "renditions_for",
)
USER_COLUMNS = (
    "id",
    "password",
    "is_superuser",
    "first_name",
    "last_name",
    "email",
    "is_staff",
    "is_active",
    "date_joined",
)
REVIEW_COLUMNS = (
    "public_id",
    "product_id",
    "author_id",
    "rating",
    "title",
    "body",
    "status",
    "is_verified_purchase",
    "reply",
    "created_at",
    "updated_at",
)


def _categories(nodes: Iterable[Node]) -> Iterator[tuple[Any, ...]]:
    for node in nodes:
        name = f"Category {node.id}"
        yield (
            node.id,
            name,
            f"category-{node.id}",
            node.parent_id,
            f"All of {name}.",
            "",
            True,
            node.id,
            node.lft,
            node.rght,
            node.tree_id,
            node.level,
        )


def _products(rng: random.Random, count: int) -> Iterator[tuple[Any, ...]]:
    texts = Texts(rng)
    for number in range(1, count + 1):
        text = texts.next(number)
        sku = f"SKU-{number:07}"
        attributes = {"brand": text.brand, "colour": text.colour, "material": text.material}
        moment = _created_at(number)
        yield (
            number,
            sku,
            f"{text.brand}-{text.colour}-{number}".lower(),
            "simple",
            text.name,
            text.description,
            f"{rng.randint(100, 99_999) / 100:.2f}",
            "standard",
            json.dumps(attributes),
            "{}",
            0,
            True,
            number % 200 == 0,
            False,
            rng.randint(0, 50),
            0,
            f"{rng.randint(0, 500) / 100:.2f}",
            rng.randint(0, 9),
            search_text(names=[text.name], skus=[sku], others=attributes.values(), description=text.description),
            moment,
            moment,
        )


def _links(rng: random.Random, count: int, nodes: list[Node]) -> Iterator[tuple[Any, ...]]:
    ids = [node.id for node in nodes]
    for number in range(1, count + 1):
        for position, category in enumerate(rng.sample(ids, 3)):
            yield number, category, position, _created_at(number)


def _created_at(number: int) -> datetime:
    return START + timedelta(seconds=number * 7)


WIDTHS = "240 480 1200"
"""The widths of the smaller copies of each image."""


def _images(rng: random.Random, count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(1, count + 1):
        for position in range(2):
            name = UUID(int=rng.getrandbits(128), version=4)
            file = f"shop_catalog/products/{name}.webp"
            yield name, number, file, f"Picture {position + 1}", position, position == 0, 1200, 900, WIDTHS, WIDTHS


def _users(people: People) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    columns = (*USER_COLUMNS, "username") if people.with_username else USER_COLUMNS
    return columns, (_user(number, people)[: len(columns)] for number in range(1, CUSTOMERS + 1))


def _user(number: int, people: People) -> tuple[Any, ...]:
    address = f"customer{number}@example.org"
    return people.key(number), "!", False, "Test", f"Customer {number}", address, False, True, START, address


def _reviews(rng: random.Random, count: int, people: People) -> Iterator[tuple[Any, ...]]:
    pairs = {(rng.randint(1, count), rng.randint(1, CUSTOMERS)) for _turn in range(REVIEWS)}
    for product, author in sorted(pairs):
        name = UUID(int=rng.getrandbits(128), version=4)
        key = people.key(author)
        yield name, product, key, rng.randint(1, 5), "Good", "As told.", "published", True, "", START, START


@contextlib.contextmanager
def unindexed(connection: psycopg.Connection[Any], tables: str = "shop_catalog_%") -> Iterator[None]:
    """Without foreign-key checks and secondary indexes, which are built afterwards: a million rows load in minutes."""
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE %s"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [tables],
    ).fetchall()
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET maintenance_work_mem = '1GB'")
    for name, _definition in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    yield
    for _name, definition in indexes:
        connection.execute(definition)
    connection.execute("SET session_replication_role = DEFAULT")


def _copy(
    connection: psycopg.Connection[Any], table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
