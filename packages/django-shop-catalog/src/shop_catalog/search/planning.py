"""The plan of a search: its words, corrected if no product has them, and how the products are found.

The stored frequencies of the words decide how the products are found. Those with a rare word are looked up in the
index. If all words are frequent, a list is read in its order until a page is full: the index would have hundreds of
thousands of rows for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isqrt

from shop_catalog.search import queries, spelling
from shop_catalog.wording import NAME, Needle, Term, compact, terms_of

FEW = 300
"""Up to this number of matches are ranked one by one. More are listed in groups: by SKU, by name, and the others. A
group that is looked up in the index has at most this number of products."""

FREQUENT = 5000
"""If more products than this have the words, a list is read in its order: see ``_Reading.frequent``."""

SAMPLE, MIN_MATCHES, MIN_CODE_MATCHES = 500, 2, 50
"""A list is read in its order only if at least ``MIN_MATCHES`` of the ``SAMPLE`` newest products match. For words that
only SKUs have, and that are therefore not counted, at least ``MIN_CODE_MATCHES`` must match."""

PAGE = 25
"""The number of products of a page, for estimates."""

MAX_CORRECTIONS = 3
"""The maximum number of similar words that are tried in place of one word."""

UNKNOWN = FREQUENT + 1
"""The estimate for words that are not counted."""


class Way(StrEnum):
    """How matching products are found: in an index, or in list order, by comparing their search texts."""

    BY_INDEX = "by index"
    BY_TEXT = "by text"


@dataclass(frozen=True)
class Plan:
    """``terms`` is empty if nothing can be found. ``corrected`` is the text that is searched instead, or "".

    ``is_in_names`` is false if no product has all words in its name.
    """

    terms: tuple[Term, ...] = ()
    corrected: str = ""
    code: str = ""
    has_code: bool = False
    way: Way = Way.BY_INDEX
    way_in_names: Way = Way.BY_INDEX
    is_few: bool = True
    is_in_names: bool = True


@dataclass(frozen=True)
class _Reading:
    """Terms and the estimated numbers of products that match each of them, in any text and by name."""

    terms: tuple[Term, ...]
    products: tuple[int, ...]
    names: tuple[int, ...]
    has_code: bool
    total: int

    @property
    def frequent(self) -> int:
        """With more matches than this, it is cheaper to read the list in its order.

        Looking up ``n`` of ``total`` products reads ``n`` rows. Reading the list in its order until a page is full
        reads about ``PAGE * total / n`` rows.
        """
        return min(FREQUENT, isqrt(PAGE * self.total))

    @property
    def is_in_names(self) -> bool:
        """Whether each word is in a name. Words with digits may be, since those of SKUs are not counted."""
        return all(number or not term.compact.isalpha() for term, number in zip(self.terms, self.names, strict=True))

    @property
    def unknown(self) -> list[int]:
        return [index for index, number in enumerate(self.products) if number == 0]


def plan(text: str) -> Plan:
    """The plan for a text of any length and content.

    It takes one statement for a rare word that is spelt correctly, and two for several such words.
    """
    terms = terms_of(text)
    if not terms:
        return Plan()
    code = compact(text)
    reading = _resolved(_read(terms, code))
    corrected = ""
    if reading is None:
        corrected = _corrected(terms)
        reading = _resolved(_read(terms_of(corrected), "")) if corrected else None
    if reading is None:
        return Plan()
    if len(reading.terms) > 1 and not reading.has_code and not _has_match(reading):
        corrected = _corrected_together(reading.terms)
        reading = _resolved(_read(terms_of(corrected), "")) if corrected else None
        if reading is None:
            return Plan()
    way, way_in_names = _ways(reading)
    return Plan(
        terms=reading.terms,
        corrected=corrected,
        code=code,
        has_code=reading.has_code,
        way=way,
        way_in_names=way_in_names,
        is_few=min(reading.products) <= FEW,
        is_in_names=reading.is_in_names,
    )


def _read(terms: list[Term], code: str) -> _Reading:
    needles = list(dict.fromkeys(needle for term in terms for needles in term.alternatives for needle in needles))
    everything = Needle("", is_prefix=False)
    found = queries.frequencies([*needles, everything], code=code)
    total = found.words.pop()
    by_needle = dict(zip(needles, found.words, strict=True))
    return _Reading(
        tuple(terms),
        tuple(_estimate(term, by_needle, "products") for term in terms),
        tuple(_estimate(term, by_needle, "names") for term in terms),
        found.has_code,
        total.products if total.is_exact else FREQUENT * FREQUENT,
    )


def _estimate(term: Term, found: dict[Needle, queries.Frequency], column: str) -> int:
    def number(needle: Needle) -> int:
        frequency = found[needle]
        return int(getattr(frequency, column)) if frequency.is_exact else UNKNOWN

    return max(0, sum(min(map(number, needles)) for needles in term.alternatives))


def _resolved(reading: _Reading) -> _Reading | None:
    """Look up among the SKUs the terms that have a digit and no count. ``None`` if no product has one of the terms."""
    terms, products = list(reading.terms), list(reading.products)
    for index in reading.unknown:
        if reading.has_code and len(terms) == 1:
            products[index] = 1
            continue
        is_code = any(letter.isdigit() for letter in terms[index].compact)
        found = _as_code(terms[index]) if is_code else None
        if found is None:
            return None
        terms[index], products[index] = found
    return replace(reading, terms=tuple(terms), products=tuple(products))


def _as_code(term: Term) -> tuple[Term, int] | None:
    """Look for a term at the beginning of a part of a SKU, or else anywhere in a SKU. ``None`` if no SKU has it."""
    part = Term(term.compact, ())
    as_words, as_part = queries.sample(([term], ""), ([part], ""), size=SAMPLE)
    if as_words >= MIN_CODE_MATCHES:
        return term, UNKNOWN
    if queries.exists((term,)):
        return term, FEW + 1
    if len(term.compact) < 3:
        return None
    if as_part >= MIN_CODE_MATCHES:
        return part, UNKNOWN
    return (part, FEW + 1) if queries.exists((part,)) else None


def _ways(reading: _Reading) -> tuple[Way, Way]:
    """How products with all words are found, and those that have them in the name."""
    estimate, in_names = min(reading.products), min(reading.names)
    if estimate <= max(FEW, reading.frequent):
        return Way.BY_INDEX, Way.BY_INDEX
    found, found_in_names = queries.sample((reading.terms, ""), (reading.terms, NAME), size=SAMPLE)
    return (
        Way.BY_TEXT if found >= MIN_MATCHES else Way.BY_INDEX,
        Way.BY_TEXT if in_names > reading.frequent and found_in_names >= MIN_MATCHES else Way.BY_INDEX,
    )


def _has_match(reading: _Reading) -> bool:
    """Whether a product has all the words."""
    if min(reading.products) > reading.frequent:
        [found] = queries.sample((reading.terms, ""), size=SAMPLE)
        if found > 0:
            return True
    return queries.exists(reading.terms)


def _corrected(terms: list[Term]) -> str:
    """The text with the best known word in place of each unknown one; "" if there is none."""
    words: list[str] = []
    for term in terms:
        reading = _read([term], "")
        if _resolved(reading) is not None:
            words.append(_shown(term))
            continue
        better = next(_similar(term), None)
        if better is None:
            part = Term(term.compact, ())
            if len(term.compact) < 3 or not queries.exists((part,)):
                return ""
            better = term.compact
        words.append(better)
    return " ".join(words)


def _corrected_together(terms: tuple[Term, ...]) -> str:
    """The text with one word replaced, so that a product has all of its words; "" if there is no such text."""
    words = [_shown(term) for term in terms]
    for index, term in enumerate(terms):
        for better in _similar(term):
            text = " ".join([*words[:index], better, *words[index + 1 :]])
            if queries.exists(tuple(terms_of(text))):
                return text
    return ""


def _similar(term: Term) -> Iterator[str]:
    """Similarly spelt words in place of a term, the best first. In joined words, each unknown part is replaced."""
    yield from _similar_words(term.compact)
    if len(term.alternatives) > 1:
        parts = [needle.word for needle in term.alternatives[-1]]
        found = queries.frequencies([Needle(part, is_prefix=False) for part in parts]).words
        better = [
            part if frequency.products > 0 else next(iter(_similar_words(part)), "")
            for part, frequency in zip(parts, found, strict=True)
        ]
        if all(better):
            yield " ".join(better)


def _similar_words(typed: str) -> list[str]:
    """Fewest faults first, then the most frequent."""
    if len(typed) < spelling.MIN_LENGTH - 1 or not typed.isalpha():
        return []
    near = {
        word: faults
        for word in queries.words_with_keys(spelling.keys(typed))
        if word != typed and (faults := spelling.distance(typed, word)) is not None
    }
    words = sorted(near)[: 10 * MAX_CORRECTIONS]
    found = queries.frequencies([Needle(word, is_prefix=False) for word in words]).words if words else []
    ranked = sorted(
        (near[word], -frequency.names, -frequency.products, word)
        for word, frequency in zip(words, found, strict=True)
        if frequency.products > 0
    )
    return [word for *_rank, word in ranked[:MAX_CORRECTIONS]]


def _shown(term: Term) -> str:
    """The term as text that is read as the same term again."""
    if len(term.alternatives) > 1:
        return "-".join(needle.word for needle in term.alternatives[-1])
    return term.compact
