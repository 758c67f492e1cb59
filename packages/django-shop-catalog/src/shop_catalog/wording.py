"""The words of products and of searches, made in the same way, so that they can be compared as text.

A word is a run of letters and digits in lower case without accents. Parts that are joined by a hyphen, slash or
another sign are words by themselves and together: "T-Shirt" has "t", "shirt" and "tshirt". A text in a script that
puts no space between words is cut into single characters and pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import NamedTuple

from shop_core.db.rows import UNSAFE

NAME, SKU = "=", "#"
"""The marks before a word of the name, and before a whole SKU, in the search text."""

MAX_LENGTH = 40
"""Longer words are cut."""

MAX_WORDS = 2000
"""The maximum number of different words of one product that are searched."""

MAX_TERMS = 10
"""Words of one search; further ones are ignored."""

_RUN = re.compile(r"[^\W_]+")
_SKU_PART = re.compile(r"\d+|[^\W\d_]+")
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Japanese, Korean and Chinese."""

_LETTERS = str.maketrans({"æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "d", "ħ": "h"})


class Needle(NamedTuple):
    """A word to find. With ``is_prefix``, longer words that begin with it are found too."""

    word: str
    is_prefix: bool


class Term(NamedTuple):
    """The text between two spaces of a search. A product must have all needles of one of the alternatives.

    Of words joined by a hyphen or another sign, only the last one may be the beginning of a longer word.
    """

    compact: str
    alternatives: tuple[tuple[Needle, ...], ...]


def simplify(text: str) -> str:
    """Lower case, no accents, one space between words: "Blåbær  Té" becomes "blabaer te"."""
    if text.isascii():
        return " ".join(text.lower().replace("\0", " ").split())
    text = UNSAFE.sub(" ", text).casefold().translate(_LETTERS)
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(part for part in decomposed if not unicodedata.combining(part)).split())


def words_of(text: str) -> dict[str, None]:
    """The different words of a text, in the order of their first occurrence."""
    found: dict[str, None] = {}
    for typed in dict.fromkeys(simplify(text).split()):
        if typed.isascii() and typed.isalnum():  # most words, and faster than the general way
            found[typed[:MAX_LENGTH]] = None
            continue
        runs = _RUN.findall(typed)
        for run in runs:
            found |= dict.fromkeys(_cut(run))
        if len(runs) > 1:
            found["".join(runs)[:MAX_LENGTH]] = None
    return found


def sku_words(sku: str) -> Iterator[str]:
    """The words under which a SKU is found: "TB-0012" has "tb", "0012", "12" and "tb0012"."""
    parts = _SKU_PART.findall(simplify(sku))
    for index, part in enumerate(parts):
        yield part[:MAX_LENGTH]
        yield "".join(parts[index:])[:MAX_LENGTH]
        if part[0] == "0" and part.strip("0"):
            yield part.lstrip("0")[:MAX_LENGTH]


def compact(text: str) -> str:
    """Letters and digits only: "TB-0012" becomes "tb0012"."""
    return "".join(_RUN.findall(simplify(text)))[:MAX_LENGTH]


def search_text(*, names: Iterable[str], skus: Iterable[str], others: Iterable[str], description: str) -> str:
    """The text that is searched: a line of SKUs, and a line of words.

    Each word stands between two spaces. First come those of the names, as ``=word``, and the SKUs, as ``#sku``. Then
    come the words of names, SKUs, other texts and description, each once.
    """
    codes = list(dict.fromkeys(skus))
    keys = [key for key in map(compact, codes) if key]
    in_names = words_of(" ".join(names))
    found = dict.fromkeys([*(NAME + word for word in in_names), *(SKU + key for key in keys), *in_names])
    for code in codes:
        found |= dict.fromkeys((*sku_words(code), *words_of(code)))
    found |= words_of(" ".join([*others, description]))
    return f" {' '.join(keys)} \n {' '.join(islice(found, MAX_WORDS))} "


def terms_of(text: str) -> list[Term]:
    """The terms of a search, without repetitions, at most ``MAX_TERMS``."""
    terms: dict[Term, None] = {}
    for typed in simplify(text[: 50 * MAX_TERMS]).split():
        runs = _RUN.findall(typed)
        if runs:
            terms[_term(runs)] = None
        if len(terms) == MAX_TERMS:
            break
    return list(terms)


def _term(runs: list[str]) -> Term:
    if len(runs) == 1:
        return Term(runs[0][:MAX_LENGTH], (tuple(_needles(runs[0])),))
    joined = "".join(runs)[:MAX_LENGTH]
    *whole, last = runs[:MAX_TERMS]
    apart = [needle._replace(is_prefix=False) for run in whole for needle in _needles(run)]
    return Term(joined, ((_needle(joined),), tuple(dict.fromkeys([*apart, *_needles(last)]))))


def _needles(run: str) -> Iterator[Needle]:
    """The needles for a run. A run in a script without spaces has one for each pair of characters."""
    for part in _by_script(run):
        if not _SPACELESS.fullmatch(part):
            yield _needle(part[:MAX_LENGTH])
        elif len(part) == 1:
            yield Needle(part, is_prefix=False)
        else:
            yield from (Needle(pair, is_prefix=False) for pair in _pairs(part[:MAX_LENGTH]))


def _needle(word: str) -> Needle:
    return Needle(word, is_prefix=len(word) >= 2)


def _cut(run: str) -> Iterator[str]:
    for part in _by_script(run):
        if _SPACELESS.fullmatch(part):
            yield from part
            yield from _pairs(part)
        else:
            yield part[:MAX_LENGTH]


def _by_script(run: str) -> Iterator[str]:
    if run.isascii():
        yield run
        return
    end = 0
    for found in _SPACELESS.finditer(run):
        if found.start() > end:
            yield run[end : found.start()]
        yield found[0]
        end = found.end()
    if end < len(run):
        yield run[end:]


def _pairs(text: str) -> Iterator[str]:
    return (first + second for first, second in pairwise(text))
