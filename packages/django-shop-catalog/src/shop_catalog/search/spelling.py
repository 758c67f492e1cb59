"""Similarly spelt words, by keys that a word and its misspellings share.

A word has a key for itself and one for each letter that is left out. Two words that differ by one wrong, missing,
additional or swapped letter share at least one of these keys, so they are found by an index that knows only equality.
A last key is the same for words that sound alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

PREFIX = 7
"""Only the first letters are used for keys. A fault after them does not change the key."""

MIN_LENGTH = 4
"""Words are corrected to words of at least this length."""

_SOUNDS = (("qu", "k"), ("ph", "f"), ("ck", "k"), ("th", "t"), ("c", "k"), ("z", "s"), ("y", "i"), ("x", "ks"))


def has_keys(word: str) -> bool:
    """Whether a word can replace a misspelt one: those with digits are codes, and short words are too similar."""
    return len(word) >= MIN_LENGTH and word.isalpha()


def own_key(word: str) -> int:
    """The key that no other word has."""
    return _number("=" + word)


def keys(word: str) -> set[int]:
    """The keys that a word has in common with its misspellings."""
    start = word[:PREFIX]
    shorter = {start[:index] + start[index + 1 :] for index in range(len(start))}
    return {_number(text) for text in (start, *shorter, "~" + sound(word))}


def distance(typed: str, word: str) -> int | None:
    """1 for one wrong, missing, additional or swapped letter, 2 for the same sound, ``None`` for different words."""
    if _is_one_fault(typed, word):
        return 1
    return 2 if sound(typed) == sound(word) else None


def sound(word: str) -> str:
    """A spelling that words of the same sound share: that of "turkoise" and "turquoise"."""
    for letters, simpler in _SOUNDS:
        word = word.replace(letters, simpler)
    return "".join(_without_repeats(word))


def _is_one_fault(typed: str, word: str) -> bool:
    shared = min(len(typed), len(word))
    start = next((index for index in range(shared) if typed[index] != word[index]), shared)
    typed, word = typed[start:], word[start:]
    swapped = typed[1:2] + typed[0:1] + typed[2:]
    return typed[1:] == word[1:] or typed == word[1:] or typed[1:] == word or (len(typed) > 1 and swapped == word)


def _without_repeats(word: str) -> Iterator[str]:
    last = ""
    for letter in word:
        if letter != last:
            yield letter
        last = letter


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
