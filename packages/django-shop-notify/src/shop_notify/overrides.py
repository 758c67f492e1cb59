"""Messages written in the admin: plain values only, in an engine without loaders, libraries or model objects.

Whoever writes a template must not be able to read a password hash, call a method, include a file or fill the memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.template import Context, Engine, Library, Template, TemplateSyntaxError, defaultfilters, defaulttags
from django.utils.translation import gettext as _

from shop_notify.exceptions import TemplateRefused
from shop_notify.models import TemplateOverride

PARTS = ("subject", "text", "html")
MAX_SOURCE = 32 * 1024
MAX_LOOPS = 2
CAPS: Mapping[str, int] = {"subject": 300, "text": 64 * 1024, "html": 64 * 1024, "sms": 918}

_TAGS = ("if", "for", "with", "comment", "firstof", "spaceless")
_FILTERS = (
    "add", "capfirst", "cut", "date", "default", "default_if_none", "escape", "first", "floatformat", "join", "last",
    "length", "linebreaks", "linebreaksbr", "lower", "pluralize", "striptags", "time", "title", "truncatechars",
    "truncatewords", "upper", "urlencode", "yesno",
)  # fmt: skip

_library = Library()
for _name in _TAGS:
    _library.tags[_name] = defaulttags.register.tags[_name]
for _name in _FILTERS:
    _library.filters[_name] = defaultfilters.register.filters[_name]


class _PlainEngine(Engine):
    """Knows a few tags and filters, and no way to another file."""

    def get_template_builtins(self, builtins: list[str]) -> list[Library]:  # noqa: ARG002
        return [_library]


_engine = _PlainEngine(dirs=[], app_dirs=False, loaders=[], libraries={})


Rows = Mapping[tuple[str, str], TemplateOverride]
"""The admin's templates of one event and channel, by audience and language."""


def rows_for(event: str, channel: str) -> Rows:
    found = TemplateOverride.objects.filter(event=event, channel=channel, is_active=True)
    return {(row.audience, row.language.lower()): row for row in found}


def render(rows: Rows, audience: str, languages: list[str], values: Mapping[str, Any]) -> dict[str, str]:
    """The parts (subject, text, html) of the nearest template; empty ones and a missing one are left out.

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
    """The parts of one template with these values, of which only plain ones are seen.

    Raises:
        TemplateRefused: it does not render.
    """
    plain = json.loads(json.dumps(values, cls=DjangoJSONEncoder, default=str))
    return {part: _render_part(row, part, plain) for part in PARTS if getattr(row, part)}


def validate(row: TemplateOverride, sample: Mapping[str, Any]) -> dict[str, str]:
    """Render a template with sample data before it is saved, and return the parts.

    Raises:
        TemplateRefused: it is too long, loops too deep, uses what is not allowed, or does not render.
    """
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
        _check_loops(template.nodelist, 0)
        rendered = template.render(Context(plain, autoescape=part == "html"))
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


def _check_loops(nodes: Any, depth: int) -> None:
    """Refuse loops inside loops inside loops, which take for ever on a long list."""
    for node in nodes:
        inner = depth + isinstance(node, defaulttags.ForNode)
        if inner > MAX_LOOPS:
            raise TemplateSyntaxError(_("Loops may be nested two deep."))
        for name in node.child_nodelists:
            _check_loops(getattr(node, name, ()), inner)
        for _condition, branch in getattr(node, "conditions_nodelists", ()):
            _check_loops(branch, inner)
