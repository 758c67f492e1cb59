"""The encoding of a text file: stated by its first bytes, or found from the lines that are not ASCII."""

from __future__ import annotations

import codecs
import re
from typing import Any

from django.utils.translation import gettext as _

from shop_catalog.exceptions import UnreadableFile

UTF_8 = "utf-8"
WINDOWS_1252 = "cp1252"
LABELS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1252": "Windows-1252",
    "cp1253": "Windows-1253",
    "cp1254": "Windows-1254",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "cp1257": "Windows-1257",
    "iso8859-15": "ISO-8859-15",
    "koi8-r": "KOI8-R",
    "mac-roman": "Mac Roman",
    "cp437": "DOS 437",
    "cp850": "DOS 850",
    "shift_jis": "Shift JIS",
    "cp932": "Shift JIS",
    "euc_jp": "EUC-JP",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "euc_kr": "EUC-KR",
    "cp949": "EUC-KR",
}
"""The usual name of an encoding, by Python's name."""

CHOICES = ("utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "cp1254", "iso8859-15", "mac-roman", "cp850", "shift_jis")
"""Encodings that a form offers. A command takes any that Python knows."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BLOCK = 1024 * 1024
SAMPLE = 64 * 1024
MOST_ACCENTS = 0.4
IMPOSSIBLE = re.compile(
    "[a-zß-öø-ÿ][À-ÖØ-ÞŠŒŽŸ]"  # a capital inside a word
    "|[^\\W\\d_][‚„…†‡ˆ‰‹“”•˜™›¡¢£¤¥¦§¨©ª«¬®¯°±´¶·¸»¼½¾¿†¹²³][^\\W\\d_]"  # a sign inside a word
    "|[¹²³¥£ª¼½¾][^\\W\\d_]|[ðþÐÞ×÷]"
)
"""Found in texts of other encodings that are read as Windows-1252, but not in texts that are Windows-1252."""


def label(encoding: str) -> str:
    """The encoding's usual name."""
    return LABELS.get(encoding, encoding)


def known(name: str) -> str:
    """Python's name of an encoding that was chosen.

    Raises:
        UnreadableFile: there is no such text encoding.
    """
    try:
        codec = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise UnreadableFile(_("There is no encoding %(name)s.") % {"name": name[:40]})
    return next((short for short in LABELS if codecs.lookup(short).name == codec.name), codec.name)


def find(stream: Any) -> str:
    """The encoding of all of the stream: UTF-8 if every byte fits, otherwise the most likely other one.

    Raises:
        UnreadableFile: it is not UTF-8, and the detector is not installed or finds none.
    """
    head = stream.read(4096)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if (wide := _utf_16_without_mark(head)) is not None:
        return wide
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(UTF_8)()
    try:
        while block := stream.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _detect(_lines_not_ascii(stream))
    return UTF_8


def _utf_16_without_mark(head: bytes) -> str | None:
    """UTF-16 of mostly ASCII text, whose every second byte is zero."""
    pairs = len(head) // 2
    if pairs < 2 or b"\0" not in head:
        return None
    if head[1::2].count(0) > pairs * 0.6 and head[0::2].count(0) == 0:
        return "utf-16-le"
    if head[0::2].count(0) > pairs * 0.6 and head[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def _lines_not_ascii(stream: Any) -> bytes:
    """The lines that are not ASCII, up to the size of a sample."""
    stream.seek(0)
    sample = bytearray()
    while len(sample) < SAMPLE and (line := stream.readline(SAMPLE)):
        if not line.isascii():
            sample += line
    return bytes(sample)


def _detect(sample: bytes) -> str:
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        message = _(
            "The file is not text in UTF-8. Choose its encoding, or install the detector: `pip install "
            "django-shop-catalogue[spreadsheets]`."
        )
        raise UnreadableFile(message) from None
    if _is_western(sample):  # the detector often returns a similar encoding
        return WINDOWS_1252
    candidates = [codecs.lookup(name).name.replace("-", "_") for name in LABELS if not name.startswith("utf")]
    best = from_bytes(sample, cp_isolation=candidates).best() if b"\0" not in sample else None
    if best is None:
        raise UnreadableFile(_("The encoding of the file was not found. Choose it, or save the file as CSV in UTF-8."))
    return known(best.encoding)


def _is_western(sample: bytes) -> bool:
    """Whether the sample reads well in Windows-1252."""
    try:
        text = sample.decode(WINDOWS_1252)
    except UnicodeDecodeError:
        return False
    letters = sum(character.isalpha() for character in text)
    accents = sum(character.isalpha() and not character.isascii() for character in text)
    return accents <= letters * MOST_ACCENTS and IMPOSSIBLE.search(text) is None and "\0" not in text
