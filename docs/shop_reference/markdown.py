"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def words(text: str | None) -> str:
    """A docstring as one line of Markdown: its double backticks become single ones."""
    return " ".join((text or "").replace("``", "`").split())


def paragraphs(text: str | None) -> str:
    """A module's docstring; a block that is indented or set in columns stays as it is."""
    blocks = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(
        f"```text\n{block.replace('``', '')}\n```"
        if re.search(r"^(\s|``\w+`` {2,})", block, re.MULTILINE)
        else words(block)
        for block in blocks
    )


def escaped(text: str) -> str:
    return re.sub(r"([*_<>\[\]`])", r"\\\1", text)
