"""Rendering: the text of a message, from event, channel, audience and language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.template import Context, TemplateDoesNotExist
from django.template.loader import select_template
from django.utils import translation
from django.utils.translation import gettext as _

from shop_notify import secret_values
from shop_notify.conf import app_settings
from shop_notify.exceptions import TemplateMissing
from shop_notify.messages import overrides
from shop_notify.models import Notification
from shop_notify.recipients import unsubscribing
from shop_notify.storable import storable_text

ROOT = "shop_notify"
DEFAULT_LANGUAGE = "en"
"""The language of the template files that are not in a language's folder."""
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Content:
    subject: str
    text: str
    html: str


def render(notification: Notification, *, max_text: int = 64 * 1024) -> Content:
    """Render one notification. See ``Renderer.render``."""
    return Renderer().render(notification, max_text=max_text)


class Renderer:
    """Renders several notifications, and looks up each template that they share only once."""

    def __init__(self) -> None:
        self._overrides: dict[tuple[str, str], overrides.Rows] = {}
        self._files: dict[tuple[str, ...], Any] = {}

    def render(
        self, notification: Notification, *, max_text: int = 64 * 1024, secrets: Mapping[str, str] | None = None
    ) -> Content:
        """Subject, text and HTML of a notification. Its secret values are masked unless they are given.

        Each part comes from the admin's template, else from the file
        ``shop_notify/<event>/[<audience>/][<language>/]<name>`` with the name ``<channel>.txt``, ``message.txt`` or
        ``sms.txt``; for e-mail also ``email_subject.txt`` and ``email.html``. If the admin's template has a text but
        no HTML, the e-mail has no HTML.

        Raises:
            TemplateMissing: there is no template; the error names the file to write.
        """
        values = {**values_of(notification), **(secrets or {})}
        with translation.override(_activated(notification.language or settings.LANGUAGE_CODE)):
            overridden = self._overridden(notification, values)
            text = overridden.get("text") or self._file(notification, values, text_names(notification.channel))
            if text is None:
                raise TemplateMissing(
                    _("There is no template for the event “%(event)s” and the channel %(channel)s. Write %(name)s.")
                    % {
                        "event": notification.event,
                        "channel": notification.channel,
                        "name": f"{ROOT}/{notification.event}/{notification.channel}.txt",
                    }
                )
            subject = (
                overridden.get("subject")
                or self._file(notification, values, ("email_subject.txt",))
                or _title(notification)
            )
            html = overridden.get("html") or ""
            if not html and notification.channel == "email" and "text" not in overridden:
                html = self._file(notification, values, ("email.html",)) or ""
        return Content(
            storable_text(" ".join(subject.split()))[:500],
            storable_text(text.strip())[:max_text],
            storable_text(html.strip()),
        )

    def _overridden(self, notification: Notification, values: dict[str, Any]) -> dict[str, str]:
        """The parts that were written in the admin."""
        key = (notification.event, notification.channel)
        if key not in self._overrides:
            self._overrides[key] = overrides.rows_for(*key)
        rows = self._overrides[key]
        return overrides.render(rows, notification.audience, languages(notification.language), values) if rows else {}

    def _file(self, notification: Notification, values: dict[str, Any], names: tuple[str, ...]) -> str | None:
        key = (notification.event, notification.channel, notification.audience, notification.language, *names)
        if key not in self._files:
            self._files[key] = _find_template(notification, names)
        template = self._files[key]
        if template is None:
            return None
        is_html = template.origin.name.endswith(".html")
        inner = getattr(template, "template", None)
        if inner is not None and hasattr(inner, "nodelist"):
            # Only HTML is escaped. Django's own engine escapes if the context has autoescape.
            rendered: str = inner.render(Context(values, autoescape=is_html))
            return rendered
        return str(template.render(values))


def values_of(notification: Notification) -> dict[str, Any]:
    """The values of a template: the site's, the payload's, ``recipient``, and the link that mutes an e-mail.

    Secret values are masked.
    """
    return {
        **app_settings.CONTEXT,
        **notification.context,
        **secret_values.masked(notification.event),
        "event": notification.event,
        "unsubscribe_url": unsubscribing.unsubscribe_link(notification) if notification.channel == "email" else "",
        "recipient": {"name": notification.recipient_name, "language": notification.language},
    }


def languages(language: str) -> list[str]:
    """The language codes to search, the most specific first. The last is empty: the root folder, in English.

    ``pt_BR`` and ``pt-br`` are the same language. ``zh-cn`` is followed by ``zh-hans``, as in Django.
    """
    chain: dict[str, None] = {}
    for name in (language, settings.LANGUAGE_CODE):
        parts = code_of(name).split("-")
        for length in range(len(parts), 0, -1):
            code = "-".join(parts[:length])
            chain |= dict.fromkeys([code, *LANG_INFO.get(code, {}).get("fallback", ())])
        if parts[0] == DEFAULT_LANGUAGE:
            break
    return [*filter(None, chain), ""]


def code_of(language: str) -> str:
    """The code in the form in which codes are compared: ``pt-br`` for ``pt_BR``."""
    return language.lower().replace("_", "-")


def _folders(code: str) -> tuple[str, ...]:
    """The names that a language's folder may have: with a region, the code or the locale (``pt-br``, ``pt_BR``)."""
    return (code, translation.to_locale(code)) if "-" in code else (code,)


def _activated(language: str) -> str:
    """The closest language in ``LANGUAGES``, or else the given one."""
    try:
        return translation.get_supported_language_variant(code_of(language))
    except LookupError:
        return language


def text_names(channel: str) -> tuple[str, ...]:
    return (f"{channel}.txt", "message.txt", "sms.txt")


def paths(notification: Notification, *names: str) -> Iterator[str]:
    """Template names in the order in which they are tried."""
    audiences = [notification.audience, ""] if _NAME.fullmatch(notification.audience) else [""]
    for name in names:
        for audience in audiences:
            for language in languages(notification.language):
                for folder in _folders(language):
                    parts = [ROOT, notification.event, audience, folder, name]
                    yield "/".join(part for part in parts if part)


def _find_template(notification: Notification, names: tuple[str, ...]) -> Any:
    """The most specific template file, None if there is none."""
    if not _NAME.fullmatch(notification.event) or not _NAME.fullmatch(notification.channel):
        return None
    try:
        return select_template(list(paths(notification, *names)))
    except TemplateDoesNotExist:
        return None


def _title(notification: Notification) -> str:
    return notification.event.replace("_", " ").capitalize()
