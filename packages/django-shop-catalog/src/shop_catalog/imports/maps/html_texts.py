"""HTML descriptions become text, because the catalogue's descriptions are text. No tag is kept."""

from __future__ import annotations

import re
from html.parser import HTMLParser

PARAGRAPHS = frozenset(
    {"blockquote", "div", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
)
LINES = frozenset(
    {"address", "article", "aside", "dd", "dt", "figure", "footer", "header", "hr", "main", "section", "tr"}
)
HIDDEN = frozenset({"script", "style", "template", "head", "title", "noscript", "iframe", "object", "svg"})
TAG = re.compile(r"<[/!a-zA-Z]|&[#a-zA-Z][\w]*;")


def as_text(content: str) -> str:
    """The text of an HTML description: paragraphs with an empty line between them, lists with hyphens."""
    if not TAG.search(content):
        return content.strip()
    reader = _Reader()
    reader.feed(_closed(content))
    reader.close()
    lines = [re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _closed(content: str) -> str:
    """The content without comments and declarations, and with what follows its last ``>`` as plain text.

    The parser searches the rest of the text again for each one that is not closed, which can take hours.
    """
    parts, start = [], 0
    while (found := content.find("<!", start)) >= 0:
        is_comment = content.startswith("<!--", found)
        end = content.find("-->" if is_comment else ">", found)
        parts.append(content[start:found])
        start = len(content) if end < 0 else end + (3 if is_comment else 1)
    parts.append(content[start:])
    tags, closing, rest = "".join(parts).rpartition(">")
    return tags + closing + rest.replace("<", "&lt;")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in HIDDEN:
            self.hidden += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        else:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN:
            self.hidden = max(self.hidden - 1, 0)
        elif tag != "li":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag in LINES:
            self.parts.append("\n")
