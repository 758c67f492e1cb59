"""Rows of JSON lines and of a JSON array, in UTF-8."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from shop_core.api.bodies import refuse_constant, unique_keys

from shop_catalog.exceptions import UnreadableFile
from shop_catalog.imports.rows import RawRow

MAX_LINE = 1024 * 1024


def read_json_lines(stream: Any) -> Iterator[RawRow]:
    """A row for each line that is not empty; its number is that of the line.

    Raises:
        UnreadableFile: the file is not text in UTF-8. A single bad line has its error in ``problem``.
    """
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    number = 0
    try:
        while line := text.readline(MAX_LINE):
            number += 1
            if "\0" in line or len(line) >= MAX_LINE:
                raise UnreadableFile(_("The file has NUL characters, or a line longer than 1 MB."))
            if line.strip():
                yield _from_json(number, line)
    except UnicodeDecodeError:
        raise UnreadableFile(_("The file is not text in UTF-8."))
    finally:
        text.detach()  # the caller closes the stream


def read_json_array(stream: Any) -> Iterator[RawRow]:
    """A row for each object, counted from 1.

    Raises:
        UnreadableFile: the file is not a JSON array.
    """
    try:
        rows = json.loads(
            stream.read().decode("utf-8-sig"), parse_constant=refuse_constant, object_pairs_hook=unique_keys
        )
    except (ValueError, RecursionError):
        raise UnreadableFile(_("The file is not a JSON array."))
    if not isinstance(rows, list):
        raise UnreadableFile(_("The file is not a JSON array."))
    for number, row in enumerate(rows, start=1):
        yield _require_object(number, row)


def _from_json(number: int, line: str) -> RawRow:
    try:
        row = json.loads(line, parse_constant=refuse_constant, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError):
        return RawRow(number, {}, _("The line is not a JSON object."))
    return _require_object(number, row)


def _require_object(number: int, row: Any) -> RawRow:
    if not isinstance(row, dict):
        return RawRow(number, {}, _("The row is not a JSON object."))
    return RawRow(number, row)
