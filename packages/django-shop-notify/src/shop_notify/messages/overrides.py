"""Templates written in the admin: plain values only, in an engine without loaders, libraries or model objects.

The author of such a template must not be able to read a password hash, call a method, include a file or fill the
memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.template import (
    Context,
    Engine,
    Library,
    Node,
    Template,
    TemplateSyntaxError,
    defaultfilters,
    defaulttags,
)
from django.template.base import TextNode, VariableNode
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_time
from django.utils.translation import gettext as _

from shop_notify import secret_values
from shop_notify.exceptions import TemplateRefused
from shop_notify.models import TemplateOverride
from shop_notify.storable import storable_text

PARTS = ("subject", "text", "html")
MAX_SOURCE = 32 * 1024
MAX_LOOPS = 2
MAX_VALUE = 64 * 1024
MAX_RENDERED = 128 * 1024
"""The limit during rendering. It is larger than all ``CAPS``: spaces between tags are removed only at the end."""
CAPS: Mapping[str, int] = {"subject": 300, "text": 64 * 1024, "html": 64 * 1024, "sms": 918}

_TAGS = ("if", "for", "with", "comment", "firstof", "spaceless")
_FILTERS = (
    "add", "capfirst", "cut", "date", "default", "default_if_none", "escape", "first", "floatformat", "join", "last",
    "length", "linebreaks", "linebreaksbr", "lower", "pluralize", "striptags", "time", "title", "truncatechars",
    "truncatewords", "upper", "urlencode", "yesno",
)  # fmt: skip


def _parsed_time(value: Any) -> Any:
    """A time of the payload, parsed from its JSON text. Any other value is returned unchanged."""
    if not isinstance(value, str):
        return value
    try:
        found = parse_datetime(value) or parse_date(value) or parse_time(value)
    except ValueError:
        return value
    return timezone.localtime(found) if isinstance(found, datetime) and timezone.is_aware(found) else found


def _date(value: Any, form: Any = None) -> Any:
    return defaultfilters.date(_parsed_time(value), form)


def _time(value: Any, form: Any = None) -> Any:
    return defaultfilters.time(_parsed_time(value), form)


def _floatformat(value: Any, form: Any = -1) -> Any:
    if len(str(form)) > 4:
        raise _too_long()
    return defaultfilters.floatformat(value, form)


def _join(value: Any, between: Any, autoescape: bool = True) -> Any:  # noqa: FBT001, FBT002 - as Django passes it
    if hasattr(value, "__len__") and len(value) * len(str(between)) > MAX_VALUE:
        raise _too_long()
    return defaultfilters.join(value, between, autoescape)


_join.needs_autoescape = True  # type: ignore[attr-defined]
_OWN_FILTERS: Mapping[str, Callable[..., Any]] = {
    "date": _date,
    "floatformat": _floatformat,
    "join": _join,
    "time": _time,
}


def _bounded(apply: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with a limit on its result: nested ``with`` tags could double a value again and again."""

    @wraps(apply)
    def bounded(*args: Any, **options: Any) -> Any:
        result = apply(*args, **options)
        if isinstance(result, str) and len(result) > MAX_VALUE:
            raise _too_long()
        return result

    return bounded


def _too_long() -> TemplateRefused:
    return TemplateRefused(_("The rendered text is too long."))


_library = Library()
for _name in _TAGS:
    _library.tags[_name] = defaulttags.register.tags[_name]
for _name in _FILTERS:
    _library.filters[_name] = _bounded(_OWN_FILTERS.get(_name) or defaultfilters.register.filters[_name])


class _PlainEngine(Engine):
    """A template engine with a few tags and filters, which cannot load other files."""

    def get_template_builtins(self, builtins: list[str]) -> list[Library]:  # noqa: ARG002
        return [_library]


class _LimitedContext(Context):
    """Counts down the characters that may still be rendered: two nested loops can render gigabytes."""

    left = MAX_RENDERED


class _CountedNode(Node):
    """A piece of text or a value, counted."""

    child_nodelists = ()

    def __init__(self, node: Node) -> None:
        self.node = node

    def render_annotated(self, context: Any) -> Any:
        rendered = self.node.render_annotated(context)
        context.left -= len(str(rendered)) + 1
        if context.left < 0:
            raise _too_long()
        return rendered


_engine = _PlainEngine(dirs=[], app_dirs=False, loaders=[], libraries={})


Rows = Mapping[tuple[str, str], TemplateOverride]
"""The admin's templates of one event and channel, by audience and language."""


def rows_for(event: str, channel: str) -> Rows:
    """The templates of the admin, by audience and language. An event with secret values has none.

    The author of such a template could send a secret elsewhere, for example in the URL of a picture.
    """
    if event in secret_values.events():
        return {}
    found = TemplateOverride.objects.filter(event=event, channel=channel, is_active=True)
    return {(row.audience, row.language.lower().replace("_", "-")): row for row in found}


def render(rows: Rows, audience: str, languages: list[str], values: Mapping[str, Any]) -> dict[str, str]:
    """The parts (subject, text, html) of the most specific template, without empty ones; {} if there is no template.

    Raises:
        TemplateRefused: it does not render.
    """
    if not rows:
        return {}
    for name in dict.fromkeys([audience, ""]):
        for language in languages:
            row = rows.get((name, language))
            if row is not None:
                return render_row(row, values)
    return {}


def render_row(row: TemplateOverride, values: Mapping[str, Any]) -> dict[str, str]:
    """The parts of one template with these values; objects are converted to text.

    Raises:
        TemplateRefused: it does not render.
    """
    plain = json.loads(json.dumps(values, cls=DjangoJSONEncoder, default=str))
    return {part: _render_part(row, part, plain) for part in PARTS if getattr(row, part)}


def validate_override(row: TemplateOverride, sample: Mapping[str, Any]) -> dict[str, str]:
    """Render a template with sample data before it is saved, and return the parts.

    Raises:
        TemplateRefused: its event has secret values, it is too long, nests loops too deeply, uses a tag or filter that
            is not allowed, or does not render.
    """
    if row.event in secret_values.events():
        raise TemplateRefused(_("Messages of this event have secret values. Change their template files instead."))
    for part in PARTS:
        source = getattr(row, part)
        if len(source) > MAX_SOURCE:
            raise TemplateRefused(_("The template is longer than 32 kB."))
    if not any(getattr(row, part) for part in PARTS):
        raise TemplateRefused(_("Write at least one of subject, text and HTML."))
    return render_row(row, sample)


def _render_part(row: TemplateOverride, part: str, plain: Mapping[str, Any]) -> str:
    try:
        template = Template(getattr(row, part), engine=_engine)
        _prepare(template.nodelist, 0)
        # Django marks all rendered text as safe HTML; storable_text returns an unmarked copy, which is escaped later.
        rendered = storable_text(template.render(_LimitedContext(plain, autoescape=part == "html")))
    except TemplateRefused:
        raise
    except Exception as error:
        raise TemplateRefused(f"{part}: {error}") from error
    cap = CAPS["sms"] if row.channel == "sms" and part == "text" else CAPS[part]
    if len(rendered) > cap:
        raise TemplateRefused(
            _("The %(part)s is longer than %(cap)d characters when rendered.") % {"part": part, "cap": cap}
        )
    return rendered


def _prepare(nodes: Any, depth: int) -> None:
    """Count the rendered text, and refuse three nested loops, which would take too long on a long list."""
    for index, node in enumerate(nodes):
        if isinstance(node, TextNode | VariableNode | defaulttags.FirstOfNode):
            nodes[index] = _CountedNode(node)
        inner = depth + isinstance(node, defaulttags.ForNode)
        if inner > MAX_LOOPS:
            raise TemplateSyntaxError(_("Loops may be nested at most two levels deep."))
        for name in node.child_nodelists:
            _prepare(getattr(node, name, ()), inner)
        for _condition, branch in getattr(node, "conditions_nodelists", ()):
            _prepare(branch, inner)
