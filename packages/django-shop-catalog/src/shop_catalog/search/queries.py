"""The statements of search that the ORM cannot write, for PostgreSQL and SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connections, router
from shop_core.db.rows import chunks
from shop_core.db.transactions import connection_of

from shop_catalog import bulk
from shop_catalog.models import Product, SearchSpelling, SearchWord
from shop_catalog.search.matching import fts_query, sku_fts_query, sku_tsquery, tsquery, whole_words, written
from shop_catalog.wording import Needle, Term

MANY_ROWS = 1000
"""The maximum number of rows read for words with the same beginning. A beginning with more rows counts as frequent."""

MAX_CHARACTER = "\U0010ffff"


class Frequency(NamedTuple):
    """How many listed products have a word, or one that begins with it, and how many in their name.

    ``is_exact`` is false if there are too many such words to add them up.
    """

    products: int
    names: int
    is_exact: bool


class Frequencies(NamedTuple):
    """The frequency of each word, and whether a product has exactly the given SKU."""

    words: list[Frequency]
    has_code: bool


def frequencies(needles: Sequence[Needle], *, code: str = "") -> Frequencies:
    """The frequencies of words, and whether a product has exactly the SKU ``code``. One statement."""
    connection = _reader()
    is_postgres = connection.vendor == "postgresql"
    at_least, below = ("~>=~", "~<~") if is_postgres else (">=", "<")
    parts, values = [], []
    for number, (word, is_prefix) in enumerate(needles):
        where = f"word {at_least} %s AND word {below} %s" if is_prefix else "word = %s"
        values += [word, word + MAX_CHARACTER] if is_prefix else [word]
        parts.append(
            f"SELECT {number}, coalesce(sum(products), 0), coalesce(sum(names), 0), count(*) FROM"  # noqa: S608
            f" (SELECT products, names FROM shop_catalog_searchword WHERE {where} LIMIT {MANY_ROWS}) AS found{number}"
        )
    if code:
        found_one = _any(connection, _matching(connection))
        parts.append(f"SELECT -1, CASE WHEN {found_one} THEN 1 ELSE 0 END, 0, 0")
        values.append(sku_tsquery(code) if is_postgres else sku_fts_query(code))
    found, has_code = [Frequency(0, 0, is_exact=True)] * len(needles), False
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        for number, products, names, rows in cursor.fetchall():
            if number < 0:
                has_code = bool(products)
            else:
                found[number] = Frequency(int(products), int(names), rows < MANY_ROWS)
    return Frequencies(found, has_code)


def exists(terms: Sequence[Term]) -> bool:
    """Whether a product matches all terms. Looked up in the index.

    PostgreSQL first looks for the words themselves: for the beginning of a frequent word it reads every place of it.
    """
    connection = _reader()
    if connection.vendor == "postgresql":
        words, parts = tsquery(terms), [term.compact for term in terms if not term.alternatives]
        where = ["shop_catalog_search_words(search_text) @@ %s::tsquery"] * bool(words)
        where += ["shop_catalog_search_skus(search_text) LIKE %s"] * len(parts)
        conditions = " AND ".join(["parent_id IS NULL", *where])
        queries = dict.fromkeys([tsquery(map(whole_words, terms)), words])
        found = _any(connection, f"SELECT FROM shop_catalog_product WHERE {conditions}")
        sql = f"SELECT {' OR '.join([found] * len(queries))}"
        values = [value for query in queries for value in (*([query] * bool(words)), *(f"%{part}%" for part in parts))]
    else:
        sql, values = f"SELECT {_any(connection, _matching(connection))}", [fts_query(terms)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return bool(cursor.fetchone()[0])


def sample(*searches: tuple[Sequence[Term], str], size: int) -> list[int]:
    """How many of the newest listed products match each search, given as terms and mark. Compares their texts.

    Newest by their keys, as the groups of a search are listed.
    """
    connection = _reader()
    position = "strpos" if connection.vendor == "postgresql" else "instr"
    columns, values = [], []
    for terms, mark in searches:
        conditions = []
        for term in terms:
            condition, found = _compared(term, position, mark)
            conditions.append(condition)
            values += found
        columns.append(f"coalesce(sum(CASE WHEN {' AND '.join(conditions)} THEN 1 ELSE 0 END), 0)")
    sql = (
        f"SELECT {', '.join(columns)} FROM (SELECT search_text FROM shop_catalog_product"  # noqa: S608
        f" WHERE parent_id IS NULL AND is_active ORDER BY id DESC LIMIT {size}) AS newest"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [int(number) for number in cursor.fetchone()]


def _compared(term: Term, position: str, mark: str) -> tuple[str, list[str]]:
    if not term.alternatives:
        within = f"{position}(search_text, %s)"
        return f"({within} > 0 AND {within} < {position}(search_text, %s))", [term.compact, term.compact, "\n"]
    values = [written(needle, mark) for needles in term.alternatives for needle in needles]
    alternatives = [" AND ".join([f"{position}(search_text, %s) > 0"] * len(needles)) for needles in term.alternatives]
    return "(" + " OR ".join(f"({alternative})" for alternative in alternatives) + ")", values


def _any(connection: Any, rows: str) -> str:
    """Whether there are rows. PostgreSQL plans as if it needed all of them.

    For one row it might read the table instead of the index, which is quick only if there is one. If the words were
    misspelt, it read all products.
    """
    if connection.vendor == "postgresql":
        return f"EXISTS (WITH found AS MATERIALIZED ({rows}) SELECT FROM found)"
    return f"EXISTS ({rows})"


def _matching(connection: Any) -> str:
    if connection.vendor == "postgresql":
        return (
            "SELECT FROM shop_catalog_product WHERE parent_id IS NULL"
            " AND shop_catalog_search_words(search_text) @@ %s::tsquery"
        )
    return "SELECT 1 FROM shop_catalog_search WHERE shop_catalog_search MATCH %s"


def words_with_keys(keys: Iterable[int]) -> set[str]:
    """The words that have one of these keys."""
    return set(SearchSpelling.objects.filter(key__in=list(keys)).values_list("word", flat=True))


def existing_keys(keys: Sequence[int]) -> set[int]:
    """Those of the keys that exist."""
    found: set[int] = set()
    for part in chunks(keys, MANY_ROWS):
        found.update(SearchSpelling.objects.filter(key__in=part).values_list("key", flat=True))
    return found


def insert_words(rows: Iterable[tuple[str, int, int, bool]]) -> None:
    bulk.insert(SearchWord, ("word", "products", "names", "is_sum"), rows)


def insert_spellings(rows: Iterable[tuple[int, str]]) -> None:
    bulk.insert(SearchSpelling, ("key", "word"), rows)


def has_full_text_table() -> bool:
    return connection_of(Product).vendor == "sqlite"


def create_full_text_table(using: str) -> None:
    """Create the full-text table of SQLite if a database was made without migrations, as tests may do.

    Not after ``migrate shop_catalog zero``, which has removed the products.
    """
    connection = connections[using]
    if connection.vendor == "sqlite" and router.allow_migrate_model(using, Product):
        with connection.cursor() as cursor:
            if Product._meta.db_table not in connection.introspection.table_names(cursor):
                return
            cursor.execute(
                "CREATE VIRTUAL TABLE IF NOT EXISTS shop_catalog_search"
                """ USING fts5 (skus, words, tokenize = "trigram case_sensitive 1")"""
            )


def write_full_texts(texts: Sequence[tuple[int, str]], *, deleted: Sequence[int] = ()) -> None:
    """Replace the rows of products in the full-text table of SQLite, and delete others."""
    with connection_of(Product).cursor() as cursor:
        keys = [[key] for key in (*deleted, *(key for key, _text in texts))]
        cursor.executemany("DELETE FROM shop_catalog_search WHERE rowid = %s", keys)
        rows = [(key, *_lines(text)) for key, text in texts]
        cursor.executemany("INSERT INTO shop_catalog_search (rowid, skus, words) VALUES (%s, %s, %s)", rows)


def full_texts(keys: Sequence[int]) -> dict[int, str]:
    """The stored rows of the full-text table of SQLite, as search texts."""
    found: dict[int, str] = {}
    with connection_of(Product).cursor() as cursor:
        for part in chunks(keys, MANY_ROWS):
            marks = ", ".join(["%s"] * len(part))
            sql = f"SELECT rowid, skus, words FROM shop_catalog_search WHERE rowid IN ({marks})"  # noqa: S608
            cursor.execute(sql, list(part))
            found |= {key: f"{skus}\n{words}" for key, skus, words in cursor.fetchall()}
    return found


def orphaned_full_texts() -> list[int]:
    """Keys of rows in the full-text table of SQLite that no product has."""
    with connection_of(Product).cursor() as cursor:
        cursor.execute(
            "SELECT rowid FROM shop_catalog_search WHERE rowid NOT IN (SELECT id FROM shop_catalog_product)"
        )
        return [key for (key,) in cursor.fetchall()]


def _lines(text: str) -> tuple[str, str]:
    skus, _line_break, words = text.partition("\n")
    return skus, words


def _reader() -> Any:
    return connections[router.db_for_read(SearchWord)]
