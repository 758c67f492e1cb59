"""The file of an import: where its bytes are, and which format they have."""

from __future__ import annotations

import codecs
import io
import shutil
import tempfile
import zipfile
from typing import IO, Any, Self

from django.utils.translation import gettext as _

from shop_catalog.exceptions import FileTooLarge, UnreadableFile

CSV = "csv"
JSON_LINES = "ndjson"
JSON_ARRAY = "json"
XLSX = "xlsx"
ODS = "ods"
FORMATS = (CSV, JSON_LINES, JSON_ARRAY, XLSX, ODS)
FORMAT_BY_SUFFIX = {
    "csv": CSV,
    "txt": CSV,
    "tsv": CSV,
    "tab": CSV,
    "json": JSON_ARRAY,
    "jsonl": JSON_LINES,
    "ndjson": JSON_LINES,
    "xlsx": XLSX,
    "xlsm": XLSX,
    "ods": ODS,
}
IN_MEMORY = 1024 * 1024
ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""The part of a protected XLSX file that holds the spreadsheet."""

NOT_TABLES = (
    b"%PDF",
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"RIFF",
    b"II*\0",
    b"MM\0*",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc",
)
"""How pictures, PDF files and packed files begin."""

PAGES = (b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta", b"{\\rtf")
"""How web pages and other marked-up texts begin, which some programs name ``.xls``."""


class LimitedReader(io.RawIOBase):
    """A binary stream with a size limit.

    Raises:
        FileTooLarge: while reading, once the limit is passed.
    """

    def __init__(self, stream: IO[bytes], *, max_bytes: int) -> None:
        super().__init__()
        self.stream = stream
        self.remaining = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.stream.read(len(buffer))
        self.remaining -= len(content)
        if self.remaining < 0:
            raise FileTooLarge(_("The upload is larger than this shop accepts. Split it."))
        buffer[: len(content)] = content
        return len(content)


class ImportFile:
    """A file that can be read several times, and its format.

    A stream that cannot go back, such as the body of a request, is copied to a temporary file. Close it after use;
    the caller's stream stays open.
    """

    def __init__(self, stream: IO[bytes] | io.RawIOBase, *, name: str = "", file_format: str = "") -> None:
        self.name = name
        self._copy: IO[bytes] | None = None
        self.stream: Any = stream
        try:
            if not stream.seekable():
                self._copy = self.stream = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
                shutil.copyfileobj(stream, self._copy)
            self.file_format = self._known_format(file_format)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the temporary file, if there is one."""
        if self._copy is not None:
            self._copy.close()

    def open(self) -> Any:
        """The stream, from its beginning."""
        self.stream.seek(0)
        return self.stream

    def _known_format(self, stated: str) -> str:
        """The stated format, or that of the file's name. A spreadsheet is found by its content, whatever its name."""
        head: bytes = self.open().read(64)
        if head.startswith(OLD_EXCEL):
            if ENCRYPTED in self.open().read(IN_MEMORY * 64):
                raise UnreadableFile(_protected())
            raise UnreadableFile(_("This file is of an old Excel version. Save it as .xlsx or CSV, then upload that."))
        if head.startswith(ZIP):
            return self._kind_of_spreadsheet()
        if head.startswith(NOT_TABLES) or head.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(PAGES):
            message = _("This is a picture, a PDF, a web page or a packed file, not a table. Save it as .xlsx or CSV.")
            raise UnreadableFile(message)
        if not stated:
            stated = FORMAT_BY_SUFFIX.get(self.name.rpartition(".")[2].lower(), CSV)
        if stated in (XLSX, ODS):
            raise UnreadableFile(_("The file is not a spreadsheet. Save it again as .xlsx, .ods or CSV."))
        return stated

    def _kind_of_spreadsheet(self) -> str:
        try:
            with zipfile.ZipFile(self.open()) as archive:
                names = set(archive.namelist())
                if "encrypted-package" in names or _is_encrypted(archive, names):
                    raise UnreadableFile(_protected())
        except (zipfile.BadZipFile, ValueError, OSError):
            names = set()
        if "xl/workbook.xml" in names:
            return XLSX
        if "content.xml" in names:
            return ODS
        raise UnreadableFile(_("The file is not a spreadsheet. Save it again as .xlsx, .ods or CSV."))


def _is_encrypted(archive: zipfile.ZipFile, names: set[str]) -> bool:
    """Whether an ODS file is protected. Only the first 64 kB of its list of parts are read."""
    if "META-INF/manifest.xml" not in names:
        return False
    with archive.open("META-INF/manifest.xml") as manifest:
        return b":encryption-data" in manifest.read(64 * 1024)


def _protected() -> str:
    return _("The spreadsheet is protected by a password. Save it without one, then upload that.")
