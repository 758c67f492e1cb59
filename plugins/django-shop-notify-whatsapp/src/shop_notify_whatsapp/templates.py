"""Approved templates: which one an event uses, and which values of the message are its parameters.

https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-message-templates
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shop_notify.notifiers import Message, PermanentFailure

__all__ = ["Template"]

NAME = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(_[A-Za-z0-9]{2,4})?")
EXAMPLE = '{"name": "order_placed", "languages": ["en_US", "de"], "body": ["order.number"]}'
PATHS = "such as “order.number”, or “order.number|-” if it may be missing"
KEYS = frozenset({"name", "languages", "header", "body", "buttons"})


@dataclass(frozen=True)
class Template:
    """One template of WhatsApp Manager. A parameter is its name, empty if they are counted, and the value's path."""

    name: str
    languages: tuple[str, ...]
    header: tuple[tuple[str, str], ...]
    body: tuple[tuple[str, str], ...]
    buttons: tuple[tuple[int, str], ...]

    @classmethod
    def from_option(cls, event: str, option: Any) -> Template:
        """Read the entry of ``event`` in ``OPTIONS["templates"]``.

        Raises:
            ValueError: it is not complete, or has something unknown.
        """
        try:
            _require(isinstance(option, Mapping), f"Write {EXAMPLE}.")
            unknown = ", ".join(sorted(str(key) for key in set(option) - KEYS))
            _require(not unknown, f"{unknown} is unknown. Known: {', '.join(sorted(KEYS))}.")
            name, languages = option.get("name"), option.get("languages")
            _require(_matches(NAME, name), "“name” is the template's name: small letters, digits and underscores.")
            _require(isinstance(languages, list | tuple) and languages, f"“languages” is a list, as in {EXAMPLE}.")
            _require(all(_matches(LANGUAGE, code) for code in languages), "“languages” has codes such as en_US or de.")
            header, body = _pairs("header", option), _pairs("body", option)
            _require(len(header) < 2, "“header” has one value at most.")
            return cls(name, tuple(languages), header, body, _buttons(option.get("buttons", {})))
        except ValueError as error:
            raise ValueError(f"templates[{event!r}]: {error}") from None

    def payload(self, message: Message) -> dict[str, Any]:
        """The request's ``template`` object.

        Raises:
            PermanentFailure: the message lacks a value.
        """
        values = values_of(message)
        components = [
            {"type": kind, "parameters": [_parameter(name, self._text(path, values)) for name, path in pairs]}
            for kind, pairs in (("header", self.header), ("body", self.body))
            if pairs
        ]
        components += [
            {
                "type": "button",
                "sub_type": "url",
                "index": str(index),
                "parameters": [_parameter("", self._text(path, values))],
            }
            for index, path in self.buttons
        ]
        template = {"name": self.name, "language": {"code": self.language_for(message.language)}}
        return {**template, "components": components} if components else template

    def language_for(self, wanted: str) -> str:
        """The template's language that is nearest to the recipient's; the first one if none is near."""
        codes = {code.lower(): code for code in self.languages}
        wanted = wanted.replace("-", "_").lower()
        base = wanted.partition("_")[0]
        same_base = (code for code in self.languages if code.lower().partition("_")[0] == base)
        return codes.get(wanted) or codes.get(base) or next(same_base, self.languages[0])

    def _text(self, path: str, values: Mapping[str, Any]) -> str:
        """The value as a parameter: Meta refuses line breaks, tabs and several blanks in it, and an empty one."""
        path, bar, default = path.partition("|")
        value = _find(path, values)
        text = "" if value is None else " ".join(str(value).split())
        if not text and not (bar and default):
            raise PermanentFailure(
                f"The message has no value “{path}” for the template “{self.name}”. "
                f"Correct OPTIONS['templates'], or write a value for this case: “{path}|-”."
            )
        return text or default


def values_of(message: Message) -> dict[str, Any]:
    """What a path can name: what the files of the messages can use, and the text that was made from them."""
    return {
        **message.context,
        "event": message.event,
        "recipient": {"name": message.name, "language": message.language},
        "message": {"text": message.text, "subject": message.subject},
    }


def _find(path: str, values: Mapping[str, Any]) -> object:
    found: object = values
    for key in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, Sequence) and not isinstance(found, str) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return None if isinstance(found, Mapping | list | tuple) else found


def _parameter(name: str, text: str) -> dict[str, str]:
    named = {"parameter_name": name} if name else {}
    return {"type": "text", **named, "text": text}


def _pairs(key: str, option: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    given = option.get(key, ())
    _require(isinstance(given, Mapping | list | tuple), f"“{key}” is a list of values, as in {EXAMPLE}.")
    pairs = tuple(given.items()) if isinstance(given, Mapping) else tuple(("", path) for path in given)
    _require(all(_is_path(path) and isinstance(name, str) for name, path in pairs), f"“{key}” has values {PATHS}.")
    return pairs


def _buttons(given: Any) -> tuple[tuple[int, str], ...]:
    _require(
        isinstance(given, Mapping), "“buttons” has the end of each button's URL by its index: {0: 'order.number'}."
    )
    _require(all(str(index).isdecimal() for index in given), "The keys of “buttons” are 0, 1, 2 ...")
    _require(all(_is_path(path) for path in given.values()), f"“buttons” has values {PATHS}.")
    return tuple((int(index), path) for index, path in given.items())


def _is_path(path: object) -> bool:
    return isinstance(path, str) and bool(path.strip())


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _require(condition: object, text: str) -> None:
    if not condition:
        raise ValueError(text)
