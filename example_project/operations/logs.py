"""Log lines as JSON and e-mails about errors, with the id of the request and without personal data."""

from __future__ import annotations

import json
import logging
import re
import time
from contextvars import ContextVar
from datetime import UTC, datetime

from django.utils.log import AdminEmailHandler

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current request, "" outside of a request."""

PERSONAL = (
    (re.compile(r"(?<![\w.+\x80-\U0010ffff-])[\w.+\x80-\U0010ffff-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"\b(Bearer|Basic|Token)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 <secret>"),
    (re.compile(r"(/webhooks/[\w-]{1,50}/|/notify/reports/[\w-]{1,50}/)[^\s/?]+"), r"\1<secret>"),
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), "://<secret>@"),
    (
        re.compile(
            r"(?i)\b(password|passwd|secret|token|api_?key|authorization|sessionid|csrftoken)(['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;}]+"
        ),
        r"\1\2<secret>",
    ),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "<secret>"),
    (
        re.compile(r"(?<![\w-])((?:Process-)?+)(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{24,}"),
        r"\1<secret>",
    ),
    (re.compile(r"(?<![\w.-])(?:\d[ -]?){13,19}(?!\w|\.\w)"), "<number>"),
    # “such as” introduces the examples of error texts, which say what to write.
    (re.compile(r"(?<!such as )(?<![\w.-])(?:\+\d|0[17])\d(?:[ -]?\d){7,12}(?!\w|\.\w)"), "<phone>"),
)
"""What is masked, in this order: addresses, credentials in their usual forms, card-like numbers, phone numbers.

Each pattern can match only at the beginning of a run of its characters, so the time does not grow with the square of
the text's length.
"""


def mask(text: str) -> str:
    """The text without e-mail addresses, phone numbers, card-like numbers, tokens and passwords."""
    for pattern, replacement in PERSONAL:
        text = pattern.sub(replacement, text)
    return text


class Mask(logging.Filter):
    """Masks message and traceback of each record, for every formatter of the handler."""

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
    """One JSON object a line. Fields passed as ``extra={"fields": {...}}`` are added beside the message."""

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


class ErrorMail(AdminEmailHandler):
    """E-mails an error to ADMINS: where it happened, without any data of the visitor.

    Django's own e-mail contains the form, the cookies and the address. The same error is sent again after ten minutes
    at the earliest; the log has every error. A failing mail server does not affect the response.
    """

    QUIET_SECONDS = 600

    def __init__(self) -> None:
        super().__init__()
        self._mailed: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "django.request" and not (record.exc_info or record.exc_text):
            return  # The log record of the 500 response to an error that was e-mailed already.
        if record.name.startswith("django.security."):
            return  # A refused request, such as one for another host: strangers could fill the mailbox.
        match = getattr(getattr(record, "request", None), "resolver_match", None)
        what = f"/{match.route}" if match else mask(record.getMessage()).partition("\n")[0]
        trace = mask(
            record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else "")
        )
        kind = trace.rpartition("\n")[2].partition(":")[0]
        if self._is_known(f"{what} {kind}"):
            return
        subject = f"{record.levelname}: {kind or record.name} at {what}"[:200]
        message = f"{record.name}, request {request_id.get() or 'none'}\n{what}\n\n{trace}"
        try:
            self.send_mail(self.format_subject(subject), message)
        except Exception as error:  # noqa: BLE001 - a failing mail server must not change the response
            logging.getLogger("shop.mail").warning(
                "The e-mail about an error could not be sent: %s", type(error).__name__
            )

    def _is_known(self, error: str) -> bool:
        now = time.monotonic()
        self._mailed = {known: at for known, at in self._mailed.items() if now - at < self.QUIET_SECONDS}
        return self._mailed.setdefault(error, now) != now
