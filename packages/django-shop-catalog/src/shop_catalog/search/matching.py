"""Terms as conditions: in the languages of PostgreSQL's and SQLite's full-text search, and as comparisons of text.

A term without alternatives is a part of a SKU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shop_catalog.wording import NAME, SKU, Needle, Term


def tsquery(terms: Iterable[Term], *, mark: str = "") -> str:
    """The words as a ``tsquery`` of PostgreSQL; empty if there are only parts of SKUs."""
    return " & ".join(
        "("
        + " | ".join(
            "(" + " & ".join(f"'{mark}{word}'{':*' * is_prefix}" for word, is_prefix in needles) + ")"
            for needles in term.alternatives
        )
        + ")"
        for term in terms
        if term.alternatives
    )


def whole_words(term: Term) -> Term:
    """The same term without longer words that begin with its words."""
    alternatives = (tuple(needle._replace(is_prefix=False) for needle in needles) for needles in term.alternatives)
    return term._replace(alternatives=tuple(alternatives))


def fts_query(terms: Iterable[Term], *, mark: str = "") -> str:
    """The terms as a query of SQLite's FTS5. Its rows have a space before and after each word, and a trigram index."""
    return " AND ".join(
        "("
        + " OR ".join(
            "(" + " AND ".join(f'words : "{written(needle, mark)}"' for needle in needles) + ")"
            for needles in term.alternatives
        )
        + ")"
        if term.alternatives
        else f'skus : "{term.compact}"'
        for term in terms
    )


def sku_tsquery(code: str) -> str:
    return f"'{SKU}{code}'"


def sku_fts_query(code: str) -> str:
    return f'words : " {SKU}{code} "'


def written(needle: Needle, mark: str = "") -> str:
    """The needle as the search text has it: with a space before it and, unless it is a prefix, one behind it."""
    return f" {mark}{needle.word}" + ("" if needle.is_prefix else " ")


def values_of(terms: Iterable[Term]) -> Iterator[tuple[str, str]]:
    """Names and values of the parameters that compare a search text with terms."""
    for term_index, term in enumerate(terms):
        if not term.alternatives:
            yield f"part{term_index}", term.compact
            yield f"pattern{term_index}", f"%{term.compact}%"
        for index, needles in enumerate(term.alternatives):
            for place, needle in enumerate(needles):
                yield f"word{term_index}_{index}_{place}", written(needle)
                yield f"name{term_index}_{index}_{place}", written(needle, NAME)
