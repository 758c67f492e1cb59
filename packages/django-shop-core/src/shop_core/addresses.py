"""Comparing e-mail addresses: one function for log-in, claiming orders, rate limits and erasure.

No database function is used: ``UPPER`` and ``LOWER`` differ between databases and locales. Store the result of
``comparable`` in a column beside the address and compare that column for equality.
"""

from __future__ import annotations

import re
import unicodedata

from django.core.validators import EmailValidator

MAX_ADDRESS, MAX_LOCAL_PART = 254, 64
"""The lengths that mail servers accept (RFC 5321, 4.5.3.1). The domain is counted in IDNA form."""

_ATOMS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII | re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])+"')


def comparable(address: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, case folded, the domain in IDNA form.

    Spellings with the same folded form are one address: ``Ann@Bücher.example`` and ``ann@xn--bcher-kva.example``. So
    are ``"ann"@example.org`` and ``ann@example.org`` (RFC 5321, 4.1.2). The dotless i (U+0131) is not folded. The
    domain follows IDNA 2003, as in Django's e-mails.
    """
    local, at, domain = _folded(address.strip()).rpartition("@")
    return _unquoted(local) + at + _ascii_domain(domain.rstrip("."))


def identity_problem(address: str) -> str:
    """Return why an address must not identify a user, as a code, or an empty string if it may.

    ``look_alike``: the local part has a non-ASCII letter that case folding turns into an ASCII one, such as the long
    s, the Kelvin sign, the dotted capital I or a full-width letter. Such an address could be mistaken for somebody
    else's: refuse it, whether a user enters it or an identity provider sends it.
    """
    local = address.strip().rpartition("@")[0]
    is_look_alike = any(not letter.isascii() and any(map(str.isascii, _folded(letter))) for letter in local)
    return "look_alike" if is_look_alike else ""


def delivery_problem(address: str) -> str:
    """Return why mail cannot be sent to an address, as a code, or an empty string if it can.

    ``invalid``: it is not a single address, or it has a space or a control character. ``not_ascii``: the part before
    the @ has letters that mail servers accept only with SMTPUTF8 (RFC 6531), which Django does not use. ``too_long``:
    the address or a part of it. ``domain``: the part after the @ is not a name with a dot, such as ``example.org``.
    Domains are judged as by Django's ``EmailValidator``. Local parts are not: in quotes, it accepts control characters
    and refuses spaces.
    """
    local, at, domain = address.rpartition("@")
    if len(address) > MAX_ADDRESS * 2 or len(local) > MAX_LOCAL_PART:
        return "too_long"
    if not local.isascii():
        return "not_ascii"
    if not at or not (_ATOMS.fullmatch(local) or _QUOTED.fullmatch(local)):
        return "invalid"
    name = _ascii_domain(domain)
    if " " in domain or not domain.isprintable():
        return "invalid"
    if len(f"{local}@{name}") > MAX_ADDRESS:
        return "too_long"
    return "" if name.isascii() and EmailValidator.domain_regex.match(name) else "domain"


def _unquoted(local: str) -> str:
    """The shortest form of a quoted local part; other local parts do not change."""
    if not _QUOTED.fullmatch(local):
        return local
    content = re.sub(r"\\(.)", r"\1", local[1:-1])
    return content if _ATOMS.fullmatch(content) else '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'


def _folded(text: str) -> str:
    """Normalise to NFKC and fold case, twice, since folding can produce letters that NFKC composes again."""
    for _round in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return domain
