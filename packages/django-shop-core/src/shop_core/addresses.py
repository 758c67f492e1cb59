"""Comparing e-mail addresses: one function for log-in, claiming orders, rate limits and erasure.

No database function is used: ``UPPER`` and ``LOWER`` differ between databases and locales. Store the result of
``comparable`` in a column beside the address and compare that column for equality.
"""

from __future__ import annotations

import re
import unicodedata

import django
from django.conf import settings
from django.core.validators import EmailValidator
from django.utils.module_loading import import_string

MAX_ADDRESS, MAX_LOCAL_PART = 254, 64
"""The lengths that mail servers accept (RFC 5321, 4.5.3.1). The domain is counted in IDNA form."""

_ATOMS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII | re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])+"')
_HIDDEN = re.compile("COMBINING|FILLER|VARIATION SELECTOR|VOWEL INHERENT")
_EAST_ASIAN = {"LATIN", "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"}


def comparable(address: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, case folded, the domain in IDNA form.

    Spellings with the same folded form are one address: ``Ann@Bücher.example`` and ``ann@xn--bcher-kva.example``. So
    are ``"ann"@example.org`` and ``ann@example.org`` (RFC 5321, 4.1.2). The dotless i (U+0131) is not folded. The
    domain follows IDNA 2003, as in Django's e-mails.
    """
    local, at, domain = _folded(address.strip()).rpartition("@")
    return _unquoted(local) + at + _ascii_domain(domain.rstrip(".\u3002"))


def identity_problem(address: str) -> str:
    """Return why an address must not identify a user, as a code, or an empty string if it may.

    ``look_alike``: the local part has a non-ASCII letter that case folding turns into an ASCII one, such as the long
    s, the Kelvin sign, the dotted capital I or a full-width letter, or the @ is not the ASCII one. Such an address
    could be mistaken for somebody else's: refuse it, whether a user enters it or an identity provider sends it.
    """
    local, at, rest = address.strip().rpartition("@")
    letters = local if at else rest
    is_look_alike = any(not letter.isascii() and any(map(str.isascii, _folded(letter))) for letter in letters)
    return "look_alike" if is_look_alike else ""


def supports_utf8(mailer: str = "default") -> bool:
    """Whether mail can be sent to addresses with letters other than a-z before the @ (RFC 6531).

    The class of the mail backend says so: ``supports_utf8_local_parts = True``. Django's console, file, memory and
    dummy backends send nothing, so they take any address. ``mailer`` is an alias of ``MAILERS``, where that is set.
    """
    mailers = getattr(settings, "MAILERS", None) if django.VERSION >= (6, 1) else None
    config = {"BACKEND": settings.EMAIL_BACKEND} if mailers is None else mailers.get(mailer, {})
    path = config.get("BACKEND", "django.core.mail.backends.smtp.EmailBackend")
    if path.startswith("django.core.mail.backends."):
        return path != "django.core.mail.backends.smtp.EmailBackend"
    try:
        return bool(getattr(import_string(path), "supports_utf8_local_parts", False))
    except ImportError:
        return False


def delivery_problem(address: str, *, utf8: bool = False) -> str:
    """Return why mail cannot be sent to an address, as a code, or an empty string if it can.

    ``invalid``: it is not a single address, or has a control character, or a space outside quotes. ``not_ascii``: the
    part before the @ has letters that only mail servers with SMTPUTF8 accept (RFC 6531); with ``utf8=True`` letters of
    one alphabet are accepted. ``look_alike``: a letter could be mistaken for another. ``too_long``: the address or a
    part of it. ``domain``: the part after the @ is not a name with a dot, such as ``example.org``. Domains are judged
    as by Django's ``EmailValidator``. Local parts are not, since it accepts control characters in quotes.
    """
    local, at, domain = address.rpartition("@")
    if len(address) > MAX_ADDRESS * 2 or len(local.encode(errors="surrogatepass")) > MAX_LOCAL_PART:
        return "too_long"
    if not local.isascii() and (problem := _letters_problem(local) if utf8 else "not_ascii"):
        return problem
    if not at or not (_ATOMS.fullmatch(re.sub(r"[^\0-\x7f]", "x", local)) or _QUOTED.fullmatch(local)):
        return "invalid"
    name = _ascii_domain(domain)
    if " " in domain or not domain.isprintable():
        return "invalid"
    if len(local.encode()) + len(f"@{name}") > MAX_ADDRESS:
        return "too_long"
    return "" if name.isascii() and EmailValidator.domain_regex.match(name) else "domain"


def _letters_problem(local: str) -> str:
    """Return the problem with hidden characters, letters that folding changes, or mixed alphabets (UTS 39, 5.2)."""
    composed = unicodedata.normalize("NFC", local)
    scripts: set[str] = set()
    for before, letter in zip(" " + composed, composed, strict=False):
        name, kind = unicodedata.name(letter, ""), unicodedata.category(letter)[0]
        if not letter.isascii() and (kind not in "LM" or (kind == "M" and before.isascii()) or _HIDDEN.search(name)):
            return "invalid"
        scripts.update(name.split()[:1] if kind in "LM" else ())
    is_folded = _folded(composed) != unicodedata.normalize("NFC", composed.lower())
    is_mixed = len(scripts) > 1 and not scripts <= _EAST_ASIAN
    return "look_alike" if is_folded or is_mixed or identity_problem(f"{local}@") else ""


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
