"""Finding notifiers by the settings: a BACKEND is a dotted path or the name of an installed entry point."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from shop_notify.conf import app_settings
from shop_notify.exceptions import UnknownNotifier
from shop_notify.masking import hide
from shop_notify.notifiers.base import Notifier

GROUP = "shop_notify.notifiers"
SHIPPED = {
    "africastalking": "shop_notify.notifiers:AfricasTalkingNotifier",
    "console": "shop_notify.notifiers:ConsoleNotifier",
    "email": "shop_notify.notifiers:EmailNotifier",
    "memory": "shop_notify.notifiers:MemoryNotifier",
    "webhook": "shop_notify.notifiers:WebhookNotifier",
    "whatsapp": "shop_notify.notifiers:AfricasTalkingWhatsAppNotifier",
}
"""Listed here so that they are known even if the package is not installed and has no metadata."""
MOST_OF_ALIAS, MOST_OF_CHANNEL = 50, 30
"""The lengths of the columns."""
_built: dict[str, tuple[Mapping[str, Any], Notifier]] = {}


@functools.cache
def offered() -> Mapping[str, Sequence[EntryPoint]]:
    """``{name: entry points}`` of every notifier that an installed distribution offers: ours first, then by
    distribution. Two for one name are an error of ``check``.
    """
    found: dict[str, list[EntryPoint]] = {name: [EntryPoint(name, value, GROUP)] for name, value in SHIPPED.items()}
    for point in sorted(entry_points(group=GROUP), key=distribution_of):
        found.setdefault(point.name, []).append(point)
    return found


def distribution_of(point: EntryPoint) -> str:
    """The name of the distribution, spelled as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", point.dist.name).lower() if point.dist else "django-shop-notify"


def installed() -> Mapping[str, EntryPoint]:
    """``{name: entry point}`` of every notifier that can be named in the settings."""
    return {name: points[0] for name, points in offered().items()}


def aliases() -> Iterator[str]:
    return iter(app_settings.NOTIFIERS)


def options_of(alias: str) -> Mapping[str, Any]:
    options: Mapping[str, Any] = _config(alias).get("OPTIONS", {})
    return options


def notifier_class(alias: str) -> type[Notifier]:
    """The class behind an alias.

    Raises:
        UnknownNotifier: the alias is not in the settings, or its BACKEND cannot be imported.
    """
    backend = str(_config(alias).get("BACKEND", ""))
    if "." not in backend and backend not in installed():
        names = ", ".join(sorted(installed()))
        raise UnknownNotifier(
            _("BACKEND “%(backend)s” of “%(alias)s” is not an installed notifier. Installed: %(names)s.")
            % {"backend": backend, "alias": alias, "names": names}
        )
    try:
        found = import_string(backend) if "." in backend else installed()[backend].load()
    except Exception as error:  # a module of the site or of a plugin may raise anything when it is imported
        raise UnknownNotifier(
            _("BACKEND “%(backend)s” of “%(alias)s” cannot be imported: %(error)s")
            % {"backend": backend, "alias": alias, "error": error}
        ) from error
    if not (inspect.isclass(found) and issubclass(found, Notifier)):
        raise UnknownNotifier(
            _("BACKEND “%(backend)s” of “%(alias)s” is not a subclass of shop_notify.notifiers.Notifier.")
            % {"backend": backend, "alias": alias}
        )
    if not (isinstance(channel := getattr(found, "channel", None), str) and 0 < len(channel) <= MOST_OF_CHANNEL):
        raise UnknownNotifier(
            _("BACKEND “%(backend)s” of “%(alias)s” needs a “channel”: a text of at most %(most)d characters.")
            % {"backend": backend, "alias": alias, "most": MOST_OF_CHANNEL}
        )
    if len(alias) > MOST_OF_ALIAS:
        raise UnknownNotifier(
            _("The alias “%(alias)s” is longer than %(most)d characters.") % {"alias": alias, "most": MOST_OF_ALIAS}
        )
    return found


def get_notifier(alias: str) -> Notifier:
    """The notifier of an alias, created once per process, and again when its settings change.

    Raises:
        UnknownNotifier: it is not in the settings, cannot be imported, or refuses its OPTIONS.
    """
    config = _config(alias)
    built = _built.get(alias)
    if built is not None and built[0] is config:
        return built[1]
    try:
        notifier = notifier_class(alias)(alias=alias, **options_of(alias))
    except UnknownNotifier:
        raise
    except Exception as error:  # the constructor is the site's
        raise UnknownNotifier(
            _("The notifier “%(alias)s” cannot be created: %(error)s")
            % {"alias": alias, "error": hide(str(error), secrets_of(alias))}
        ) from error
    _built[alias] = (config, notifier)
    return notifier


def address_of(alias: str, recipient: Mapping[str, Any]) -> str:
    """The address of a recipient for an alias, empty if there is none.

    Raises:
        UnknownNotifier: the alias is not configured, or its class cannot be imported.
    """
    return str(notifier_class(alias).address_of(recipient, {**options_of(alias), "alias": alias}) or "")


def secrets_of(alias: str) -> tuple[str, ...]:
    """Values of the alias's options that must not be shown, stored or logged."""
    try:
        secret = notifier_class(alias).secret_options
        options = options_of(alias)
    except UnknownNotifier:
        return ()
    return tuple(text for name in secret for text in _texts_in(options.get(name)))


def _texts_in(value: Any) -> Iterator[str]:
    """An option's value as texts: also a number or bytes, and each item of a list or a mapping."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif value is not None:
        yield str(value)


def _config(alias: str) -> Mapping[str, Any]:
    try:
        return app_settings.NOTIFIERS[alias]
    except KeyError:
        raise UnknownNotifier(
            _('Unknown notifier: “%(alias)s”. Add it to SHOP_NOTIFY["NOTIFIERS"].') % {"alias": alias}
        ) from None
