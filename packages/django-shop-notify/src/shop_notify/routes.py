"""Routes: which signal becomes which event, for whom, by which notifiers. They name signals and import no app."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cache, partial
from typing import Any

from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.dispatch import Signal, receiver
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from shop_core.db.transactions import connection_of, has_transaction
from shop_core.hooks import load_hook

from shop_notify import outbox
from shop_notify.conf import app_settings
from shop_notify.exceptions import RouteRefused
from shop_notify.models import Notification
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Notifier
from shop_notify.storable import storable_payload, storable_text

logger = logging.getLogger(__name__)

ADMINS = "admins"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One entry of ``SHOP_NOTIFY["ROUTES"]``."""

    signal: str
    """Dotted path of the signal."""
    event: str
    """Name of the event, which chooses the template."""
    via: Sequence[str]
    """Notifier aliases."""
    to: Sequence[str] = ()
    """Keys of ``payload["recipients"]``, ``"admins"``, or dotted paths of ``(payload) -> recipients``.

    Empty: the notifiers have addresses of their own, as a webhook with a ``url`` does.
    """
    when: Mapping[str, Any] = field(default_factory=dict)
    """``{payload key: value}``; dots reach into nested mappings, a list matches any of its values. All must match."""
    context: str = ""
    """For a signal without payload: dotted path of ``(sender, **kwargs) -> payload``."""
    event_id: str = ""
    """For a signal without ``event_id``: dotted path of ``(sender, **kwargs) -> text``.

    Without it a signal that is sent twice becomes two messages.
    """
    reference: str = "order.number"
    """Payload key whose value is stored with the notification, so that it can be found."""
    group: str = ""
    """Event group that recipients may mute. Empty: transactional, which cannot be muted."""
    priority: int = 5
    """1 is sent first, 9 last."""
    expires_after_minutes: int | None = None
    """Older messages are not sent. Default: the notifier's."""
    fallback: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``{alias: {"via": other alias, "after_minutes": n}}``, for a message that is refused or late by n minutes."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Route:
        """A route from its settings.

        Raises:
            RouteRefused: a key is missing, unknown, or of the wrong kind.
        """
        known = {item.name for item in fields(cls)}
        wrong = set(entry) - known
        missing = {"signal", "event", "via"} - set(entry)
        if wrong or missing:
            raise RouteRefused(
                _("A route must have signal, event and via, and no unknown keys. Missing or unknown: %(names)s.")
                % {"names": ", ".join(sorted(wrong | missing))}
            )
        if isinstance(entry["via"], str) or isinstance(entry.get("to", ()), str):
            raise RouteRefused(_("“via” and “to” of a route must be lists."))
        return cls(**entry)

    def matches(self, payload: Mapping[str, Any]) -> bool:
        return all(_is_wanted(_value_at(payload, key), wanted) for key, wanted in self.when.items())


def connect() -> None:
    """Connect once to each signal that a route names. The checks report a signal that cannot be imported."""
    for path in {str(entry.get("signal", "")) for entry in app_settings.ROUTES}:
        try:
            signal = import_string(path)
        except ImportError:
            logger.error(  # noqa: TRY400 - the trace adds nothing
                "No signal at %s: its routes do nothing. See `manage.py check`.", path
            )
            continue
        if isinstance(signal, Signal):
            signal.connect(_receiver(path), weak=False, dispatch_uid=f"shop_notify:{path}")


@receiver(setting_changed)
def _connect_again(*, setting: str, enter: bool, **kwargs: Any) -> None:  # noqa: ARG001 - Django's signal
    """Connect the routes of tests that override the settings."""
    if setting == app_settings.setting and enter:
        connect()


@cache
def _receiver(path: str) -> Callable[..., None]:
    def receive(sender: Any, **kwargs: Any) -> None:
        kwargs.pop("signal", None)
        put = partial(outbox.put, plan(path, sender, **kwargs))
        origin = _connection_of_sender(sender)
        if origin.alias != connection_of(Notification).alias and has_transaction(origin):
            # The outbox is in another database: a rollback of the sender would not remove a message from it.
            transaction.on_commit(put, using=origin.alias, robust=True)
        else:
            put()

    return receive


def _connection_of_sender(sender: Any) -> BaseDatabaseWrapper:
    is_model = isinstance(sender, type) and issubclass(sender, Model)
    return connection_of(sender) if is_model else connections[DEFAULT_DB_ALIAS]


def plan(signal: str, sender: Any = None, **kwargs: Any) -> list[Notification]:
    """The notifications that a signal would send, as rows that are not saved."""
    planned: list[Notification] = []
    for route in _routes_of(signal):
        payload = load_hook(route.context)(sender, **kwargs) if route.context else kwargs.get("payload", {})
        if payload.get("notify") is not False and route.matches(payload):
            planned += _rows(route, payload, _event_id(route, sender, kwargs))
    return planned


def _routes_of(signal: str) -> Iterator[Route]:
    return (Route.read(entry) for entry in app_settings.ROUTES if entry.get("signal") == signal)


def _event_id(route: Route, sender: Any, kwargs: Mapping[str, Any]) -> str:
    if route.event_id:
        return str(load_hook(route.event_id)(sender, **kwargs))
    return str(kwargs.get("event_id") or uuid.uuid4())


def _rows(route: Route, payload: Mapping[str, Any], event_id: str) -> Iterator[Notification]:
    context = storable_payload({key: value for key, value in payload.items() if key not in {"recipients", "notify"}})
    reference = str(_value_at(payload, route.reference) or "")[:100]
    now = timezone.now()
    for audience, recipient in _recipients(route, payload):
        for alias, notifier, address in _addresses(route.via, recipient):
            expires = route.expires_after_minutes
            lifetime = notifier.expires_after if expires is None else timedelta(minutes=expires)
            yield Notification(
                event_id=event_id[:100],
                event=route.event,
                alias=alias,
                channel=notifier.channel,
                address=address,
                audience=audience[:100],
                recipient_key=_text(recipient, "key", 100),
                recipient_name=_text(recipient, "name", 200),
                language=_text(recipient, "language", 20),
                group=route.group,
                reference=reference,
                context=context,
                priority=route.priority,
                due_at=now,
                created_at=now,
                expires_at=now + lifetime if lifetime else None,
                fallback=_fallback(route, alias, recipient),
            )


def _recipients(route: Route, payload: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not route.to:
        yield "", {}
    for name in route.to:
        found: Any
        if name == ADMINS:
            found = admins()
        elif "." in name:
            found = load_hook(name)(payload)
        else:
            found = payload.get("recipients", {}).get(name, ())
        for recipient in [found] if isinstance(found, Mapping) else found:
            yield name, recipient


def admins() -> list[Mapping[str, str]]:
    """``SHOP_NOTIFY["ADMINS"]`` as recipients."""
    return [_admin(entry) if isinstance(entry, str) else entry for entry in app_settings.ADMINS]


def _admin(address: str) -> Mapping[str, str]:
    return {"key": f"admin:{address}", "phone" if address.startswith("+") else "email": address}


def _addresses(via: Iterable[str], recipient: Mapping[str, Any]) -> Iterator[tuple[str, type[Notifier], str]]:
    """The configured aliases by which this recipient can be reached."""
    configured = app_settings.NOTIFIERS
    for alias in via:
        if alias not in configured:
            continue
        notifier = registry.notifier_class(alias)
        address = storable_text(notifier.address_of(recipient, registry.options_of(alias))).strip()
        if address and len(address) <= 500:
            yield alias, notifier, address


def _fallback(route: Route, alias: str, recipient: Mapping[str, Any]) -> dict[str, Any]:
    wanted = route.fallback.get(alias)
    if not wanted:
        return {}
    for other, notifier, address in _addresses([wanted["via"]], recipient):
        return {
            "alias": other,
            "channel": notifier.channel,
            "address": address,
            "after_minutes": wanted.get("after_minutes", 30),
        }
    return {}


def _text(recipient: Mapping[str, Any], key: str, length: int) -> str:
    return storable_text(str(recipient.get(key) or ""))[:length]


def _value_at(payload: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path inside nested mappings, None where there is none."""
    value: Any = payload
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _is_wanted(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list | tuple | set | frozenset) else value == wanted
