"""Comparing e-mail addresses: one function for log-in, claiming orders, rate limits and erasure.

No database function is used: ``UPPER`` and ``LOWER`` differ between databases and locales. Store the result of
``comparable`` in a column beside the address and compare that column for equality.
"""

from __future__ import annotations

import unicodedata


def comparable(address: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, case folded, the domain in IDNA form.

    Spellings with the same folded form are one address: ``Ann@Bücher.example`` and ``ann@xn--bcher-kva.example``. The
    dotless i (U+0131) does not fold, so that address differs. The domain follows IDNA 2003, as in Django's e-mails.
    """
    local, at, domain = _folded(address.strip()).rpartition("@")
    return f"{local}{at}{_ascii_domain(domain)}"


def fault(address: str) -> str:
    """Return why an address must not identify a user, as a code, or an empty string if it may.

    ``look_alike``: the local part has a non-ASCII letter that case folding turns into an ASCII one, such as the long
    s, the Kelvin sign, the dotted capital I or a full-width letter. Such an address could be mistaken for somebody
    else's: refuse it, whether a user enters it or an identity provider sends it.
    """
    local = address.strip().rpartition("@")[0]
    is_look_alike = any(not letter.isascii() and any(map(str.isascii, _folded(letter))) for letter in local)
    return "look_alike" if is_look_alike else ""


def _folded(text: str) -> str:
    """Normalise to NFKC and fold case, twice: after folding, NFKC can have letters to compose again."""
    for _round in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _ascii_domain(domain: str) -> str:
    domain = domain.rstrip(".")
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return domain
