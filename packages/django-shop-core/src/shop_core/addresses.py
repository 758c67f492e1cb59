"""Comparing e-mail addresses: one function for log-in, claiming, limits and erasing.

No database function is asked: ``UPPER`` and ``LOWER`` differ between databases and locales. Store ``comparable`` of an
address in a column beside it and compare that column for equality.
"""

from __future__ import annotations

import unicodedata


def comparable(address: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, case folded, the domain in IDNA form.

    Spellings that fold onto each other are one address: ``Ann@Bücher.example`` and ``ann@xn--bcher-kva.example``. The
    dotless i (U+0131) does not fold, so it makes another address. The domain follows IDNA 2003, as Django's mails do.
    """
    local, at, domain = _folded(address.strip()).rpartition("@")
    return f"{local}{at}{_ascii_domain(domain)}"


def fault(address: str) -> str:
    """The code of what makes an address unusable as an identity, or an empty text.

    ``look_alike``: a letter of the local part that is not ASCII becomes an ASCII one when it is folded, such as
    the long s, the Kelvin sign, the dotted capital I and full-width letters. Such an
    address would pass as somebody else's: refuse it when it is typed and when a provider sends it.
    """
    local = address.strip().rpartition("@")[0]
    is_look_alike = any(not letter.isascii() and any(map(str.isascii, _folded(letter))) for letter in local)
    return "look_alike" if is_look_alike else ""


def _folded(text: str) -> str:
    """NFKC and case folded; folding can leave letters that NFKC composes again, so both are done twice."""
    for _round in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _ascii_domain(domain: str) -> str:
    domain = domain.rstrip(".")
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return domain
