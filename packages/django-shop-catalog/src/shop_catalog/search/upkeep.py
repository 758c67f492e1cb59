"""The stored words of the search, kept in the transaction of each change, checked and made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shop_core.db.rows import chunks
from shop_core.db.transactions import in_transaction

from shop_catalog import bulk
from shop_catalog.models import Product, ProductKind, SearchSpelling, SearchWord
from shop_catalog.search import queries, spelling
from shop_catalog.wording import NAME, SKU, search_text

ALL = ""
"""The word that counts the products."""

MARKS = (NAME, SKU)
CHUNK = 1000
FOLDED_AT_ONCE = 10_000


class TextChange(NamedTuple):
    """The search text of a product before and after a change; "" for a product that is new or deleted.

    The words of a variant are counted with its group, whose text has them too.
    """

    product_id: int
    old: str
    new: str
    is_variant: bool = False


class Faults(NamedTuple):
    """How many products have an outdated search text, how many words a wrong count or no spellings, and how many rows
    of SQLite's full-text table are wrong."""

    texts: int
    words: int
    spellings: int
    rows: int


class _Part(NamedTuple):
    """Products and the search texts that they should have."""

    listed: dict[Product, str]
    variants: dict[Product, str]

    def outdated(self) -> list[tuple[int, str]]:
        """Key and new search text of each product whose stored one differs."""
        return [(product.pk, text) for product, text in self.texts.items() if text != product.search_text]

    @property
    def texts(self) -> dict[Product, str]:
        return self.listed | self.variants


def searchable_text(product: Product, variants: Iterable[Product] = ()) -> str:
    """The text that is searched: that of ``wording.search_text``, for a group with the words of its variants."""
    rows = [product, *variants]
    return search_text(
        names=dict.fromkeys(row.name for row in rows),
        skus=[row.sku for row in rows],
        others=dict.fromkeys(
            text for row in rows for values in (row.attributes, row.options) for text in _texts(values)
        ),
        description=" ".join(dict.fromkeys(row.description for row in rows if row.description)),
    )


def record(changes: Iterable[TextChange]) -> None:
    """Record changed search texts. Call it in the transaction of the change."""
    changed = [change for change in changes if change.old != change.new]
    if not changed:
        return
    if queries.has_full_text_table():
        queries.write_full_texts(
            [(change.product_id, change.new) for change in changed if change.new],
            deleted=[change.product_id for change in changed],
        )
    products: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for change in changed:
        if not change.is_variant:
            _add(products, names, change.new, old=change.old)
    # Sorted, since neighbouring words share pages of the index.
    counted = sorted(word for word in products.keys() | names.keys() if products[word] or names[word])
    queries.insert_words([(word, products[word], names[word], False) for word in counted])
    _add_spellings(word for word in counted if products[word] > 0)


@in_transaction(SearchWord)
def fold() -> int:
    """Replace rows of the same word by their sum. Returns how many rows were added up, at most 10,000.

    Rows that another process is adding up are left to it: the sum over all rows of a word is right at any time.
    """
    rows = SearchWord.objects.select_for_update(skip_locked=True)
    new = list(rows.filter(is_sum=False).order_by("pk")[:FOLDED_AT_ONCE])
    words = sorted({row.word for row in new})
    old = [row for part in chunks(words, CHUNK) for row in rows.filter(is_sum=True, word__in=part)]
    products: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for row in (*new, *old):
        products[row.word] += row.products
        names[row.word] += row.names
    for part in chunks([row.pk for row in (*new, *old)], CHUNK):
        SearchWord.objects.filter(pk__in=part).delete()
    sums = [(word, products[word], names[word], True) for word in words]
    queries.insert_words(row for row in sums if row[1] or row[2])
    return len(new)


def fold_all() -> int:
    """Fold all rows, 10,000 at a time. Returns how many were added up."""
    total = 0
    while folded := fold():
        total += folded
        if folded < FOLDED_AT_ONCE:
            break
    return total


@in_transaction(SearchWord)
def check() -> Faults:
    """Compare the stored words with the products, in one snapshot."""
    bulk.use_one_snapshot(SearchWord)
    products: Counter[str] = Counter()
    names: Counter[str] = Counter()
    texts = rows = 0
    for part in _listed():
        rows += _wrong_rows(list(part.texts))
        texts += len(part.outdated())
        for product in part.listed:
            _add(products, names, product.search_text)
    if queries.has_full_text_table():
        rows += len(queries.orphaned_full_texts())
    for word, number, in_names in SearchWord.objects.values_list("word", "products", "names").iterator():
        products[word] -= number
        names[word] -= in_names
    wrong = {word for counter in (products, names) for word, difference in counter.items() if difference}
    kept = [word for word in products if spelling.has_keys(word) and word not in wrong]
    known = queries.existing_keys([spelling.own_key(word) for word in kept])
    missing = sum(spelling.own_key(word) not in known for word in kept)
    return Faults(texts, len(wrong), missing, rows)


@in_transaction(SearchWord)
def fix() -> None:
    """Write the search texts, the words and the rows of the full-text table again. Changes made meanwhile are kept."""
    bulk.use_one_snapshot(SearchWord)
    products: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for part in _listed():
        bulk.update(Product, ("id", "search_text"), part.outdated())
        if queries.has_full_text_table():
            queries.write_full_texts([(product.pk, text) for product, text in part.texts.items()])
        for text in part.listed.values():
            _add(products, names, text)
    if queries.has_full_text_table():
        queries.write_full_texts([], deleted=queries.orphaned_full_texts())
    SearchWord.objects.all().delete()
    SearchSpelling.objects.all().delete()
    for words in chunks(sorted(products), CHUNK):
        queries.insert_words([(word, products[word], names[word], True) for word in words])
        _add_spellings(words)


def _add(products: Counter[str], names: Counter[str], new: str, *, old: str = "") -> None:
    """Add the difference between two texts to the numbers of products that have a word."""
    words, in_names = _words(new)
    old_words, old_names = _words(old)
    products.update(words - old_words)
    names.update(in_names - old_names)
    products.subtract(old_words - words)
    names.subtract(old_names - in_names)


def _words(text: str) -> tuple[set[str], set[str]]:
    """The words of a search text, and those of the name.

    Words with digits that are only in SKUs are left out, because there would be too many.
    """
    if not text:
        return set(), set()
    skus, _line_break, line = text.partition("\n")
    found = line.split()
    words = {word for word in found if word.isalpha() or (word[0] not in MARKS and word not in skus)}
    return words | {ALL}, {word[1:] for word in found if word[0] == NAME} & words


def _add_spellings(words: Iterable[str]) -> None:
    by_key = {spelling.own_key(word): word for word in words if spelling.has_keys(word)}
    known = queries.existing_keys(list(by_key))
    new = [(key, word) for key, word in by_key.items() if key not in known]
    queries.insert_spellings([(key, word) for own, word in new for key in (own, *sorted(spelling.keys(word)))])


def _listed() -> Iterator[_Part]:
    """All products with the search texts that they should have, a chunk of listed ones at a time."""
    last = 0
    while rows := list(Product.objects.filter(parent__isnull=True, pk__gt=last).order_by("pk")[:CHUNK]):
        groups = [row.pk for row in rows if row.kind == ProductKind.GROUP]
        variants: dict[int | None, list[Product]] = {}
        for variant in Product.objects.filter(parent__in=groups).order_by("position", "pk"):
            variants.setdefault(variant.parent_id, []).append(variant)
        yield _Part(
            {row: searchable_text(row, variants.get(row.pk, ())) for row in rows},
            {row: searchable_text(row) for group in variants.values() for row in group},
        )
        last = rows[-1].pk


def _wrong_rows(products: Sequence[Product]) -> int:
    if not queries.has_full_text_table():
        return 0
    stored = queries.full_texts([product.pk for product in products])
    return sum(stored.get(product.pk) != product.search_text for product in products)


def _texts(values: Mapping[str, Any]) -> Iterator[str]:
    for value in values.values():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, list):
            yield from (str(item) for item in value if isinstance(item, str | int))
