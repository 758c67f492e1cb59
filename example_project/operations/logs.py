"""Log lines as JSON, with the request they belong to and without personal data."""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request that is being answered, "" outside of one."""

PERSONAL = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"\b(Bearer|Basic|Token)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 <secret>"),
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), "://<secret>@"),
    (
        re.compile(
            r"(?i)\b(password|passwd|secret|token|api_?key|authorization|sessionid|csrftoken)(['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;}]+"
        ),
        r"\1\2<secret>",
    ),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "<secret>"),
    (re.compile(r"\b(?!Process-)(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{24,}"), "<secret>"),
    (re.compile(r"(?<![\w.-])(?:\d[ -]?){13,19}(?![\w.])"), "<number>"),
    (re.compile(r"(?<![\w.-])(?:\+\d|0[17])\d(?:[ -]?\d){7,12}(?![\w.])"), "<phone>"),
)
"""What is replaced, in this order: addresses, credentials in their usual forms, card-like numbers, phone numbers."""


def mask(text: str) -> str:
    """The text without e-mail addresses, phone numbers, card-like numbers, tokens and passwords."""
    for pattern, replacement in PERSONAL:
        text = pattern.sub(replacement, text)
    return text


class Mask(logging.Filter):
    """Masks message and traceback of each record, for every formatter behind it."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        record.msg, record.args = mask(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask(record.exc_text)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line. What a caller passes as ``extra={"fields": {...}}`` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps({name: value for name, value in line.items() if value != ""}, default=str)
