"""Routes: which signal becomes which event, for whom, by which notifiers. They name signals and import no app."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
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
from shop_core.db.transactions import connection_of, has_transaction, outside_event_loop
from shop_core.hooks import load_hook

from shop_notify import outbox
from shop_notify.conf import app_settings
from shop_notify.exceptions import RouteRefused
from shop_notify.masking import mask
from shop_notify.models import Notification, RouteFailure
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Notifier
from shop_notify.storable import storable_payload, storable_text, stored_id

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
    """For a signal without payload: dotted path of ``(sender, **kwargs) -> payload``; None: no message."""
    event_id: str = ""
    """For a signal without ``event_id``: dotted path of ``(sender, **kwargs) -> text``.

    If it is missing or returns nothing, the signal's own ``event_id`` is used. Without one, a signal that is sent
    twice becomes two messages.
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
        route = cls(**entry)
        for name, is_right in _RIGHT.items():
            if not is_right(getattr(route, name)):
                raise RouteRefused(
                    _("“%(name)s” of a route cannot be %(value)r.") % {"name": name, "value": getattr(route, name)}
                )
        return route

    @property
    def hooks(self) -> list[str]:
        """Dotted paths of the site's functions that this route calls."""
        return [path for path in (self.context, self.event_id, *(name for name in self.to if "." in name)) if path]

    def matches(self, payload: Mapping[str, Any]) -> bool:
        return all(_is_wanted(_value_at(payload, key), wanted) for key, wanted in self.when.items())


def _is_text(value: Any, longest: int = 200) -> bool:
    return isinstance(value, str) and len(value) <= longest


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= MOST_MINUTES


def _are_texts(value: Any) -> bool:
    return isinstance(value, Iterable) and all(_is_text(item) for item in value)


def _is_fallback(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(wanted, Mapping) and _is_text(wanted.get("via")) and _is_number(wanted.get("after_minutes", 0))
        for wanted in value.values()
    )


MOST_MINUTES = 366 * 24 * 60

_RIGHT: Mapping[str, Callable[[Any], bool]] = {
    "event": lambda value: bool(value) and _is_text(value, 100),
    "via": _are_texts,
    "to": _are_texts,
    "when": lambda value: isinstance(value, Mapping) and _are_texts(value),
    "context": _is_text,
    "event_id": _is_text,
    "reference": _is_text,
    "group": lambda value: _is_text(value, 50),
    "priority": lambda value: isinstance(value, int) and 1 <= value <= 9,
    "expires_after_minutes": lambda value: value is None or _is_number(value),
    "fallback": _is_fallback,
}
"""The checks of a route's values: ``{key of a route: whether a value is valid}``."""


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
def _receiver(path: str) -> Callable[..., int | None]:
    def receive(sender: Any, **kwargs: Any) -> int | None:
        """Put the messages of the signal's routes. A route that fails stops no other.

        An error reaches the sender only if the signal has an ``event_id``: such a sender uses ``send_robust`` and
        repeats the signal. Any other sender, such as a log-in, must not fail because of a message. In a replay it
        returns how many messages are new.
        """
        return outside_event_loop(lambda: write(sender, kwargs))

    def receive_part(sender: Any, *, only_event: str, **kwargs: Any) -> int | None:
        return outside_event_loop(lambda: write(sender, kwargs, only_event))

    def write(sender: Any, kwargs: dict[str, Any], event: str = "") -> int | None:
        kwargs.pop("signal", None)
        _refuse_forgotten(recorded_at := kwargs.pop("event_recorded_at", None))
        planned, errors = _plan_each(path, sender, kwargs, event=event)
        written = None
        try:
            with _savepoints(sender):
                written = _put(planned, sender, counts=recorded_at is not None)
        except Exception as error:
            logger.exception("The messages of the signal %s could not be put into the outbox.", path)
            errors.append(error)
        if errors and kwargs.get("event_id"):
            raise errors[0]
        return written

    def parts() -> dict[str, Callable[..., int | None]]:
        """For a replay of past events: each event of the routes by itself, such as that of a route added later."""
        names = [str(entry.get("event")) for _number, entry in _entries_of(path)]
        return {name: partial(receive_part, only_event=name) for name in names}

    receive.parts = parts  # type: ignore[attr-defined]
    return receive


def _refuse_forgotten(recorded_at: datetime | None) -> None:
    """Refuse to replay an event whose messages may have been pruned, since they would be sent a second time."""
    if recorded_at is not None and recorded_at < timezone.now() - timedelta(days=app_settings.KEEP_DAYS):
        raise RouteRefused(
            _("The event is older than the %(days)s days for which messages are kept, so it could be sent twice.")
            % {"days": app_settings.KEEP_DAYS}
        )


def _plan_each(
    path: str, sender: Any, kwargs: Mapping[str, Any], *, event: str = ""
) -> tuple[list[Notification], list[Exception]]:
    """The notifications of the routes that work, and the errors of the others, which are logged.

    With an ``event``, only those of its routes.
    """
    planned: list[Notification] = []
    errors: list[Exception] = []
    for number, entry in _entries_of(path):
        if event and entry.get("event") != event:
            continue
        try:
            route = Route.read(entry)
            with _savepoints(sender):  # functions of the site or of a plugin may run a statement that fails
                planned += _planned(route, sender, kwargs)
        except Exception as error:
            logger.exception("Route %s (signal %s, event %s) failed.", number, path, entry.get("event"))
            with suppress(Exception):  # it is in the log already
                _record_failure(str(entry.get("event") or ""), error)
            errors.append(error)
    return planned, errors


def _record_failure(event: str, error: Exception) -> None:
    """Show the failure to staff. Written after the sender's commit, so that the row blocks no other sender."""
    values = {"last_error": mask(f"{type(error).__name__}: {error}"), "failed_at": timezone.now()}

    def write() -> None:
        RouteFailure.objects.update_or_create(event=stored_id(event), defaults=values)

    transaction.on_commit(write, using=connection_of(RouteFailure).alias, robust=True)


def _put(planned: Sequence[Notification], sender: Any, *, counts: bool) -> int | None:
    origin = _connection_of_sender(sender)
    if origin.alias != connection_of(Notification).alias and has_transaction(origin):
        # The outbox is in another database: a rollback of the sender would not remove a message from it.
        transaction.on_commit(lambda: outbox.put(planned), using=origin.alias, robust=True)
        return None
    return outbox.put(planned, counts=counts)


@contextmanager
def _savepoints(sender: Any) -> Iterator[None]:
    """A savepoint in the transaction of the sender and in that of the outbox, if they have one.

    A statement that fails inside it does not end the transaction.
    """
    used = (_connection_of_sender(sender), connection_of(Notification))
    with ExitStack() as stack:
        for alias in sorted({connection.alias for connection in used if connection.in_atomic_block}):
            stack.enter_context(transaction.atomic(using=alias))
        yield


def _connection_of_sender(sender: Any) -> BaseDatabaseWrapper:
    is_model = isinstance(sender, type) and issubclass(sender, Model)
    return connection_of(sender) if is_model else connections[DEFAULT_DB_ALIAS]


def plan(signal: str, sender: Any = None, **kwargs: Any) -> list[Notification]:
    """The notifications that a signal would send, as rows that are not saved."""
    return [row for _number, entry in _entries_of(signal) for row in _planned(Route.read(entry), sender, kwargs)]


def _entries_of(signal: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The routes of a signal in the settings, with their numbers as ``check`` shows them."""
    return ((number, entry) for number, entry in enumerate(app_settings.ROUTES) if entry.get("signal") == signal)


def _planned(route: Route, sender: Any, kwargs: Mapping[str, Any]) -> list[Notification]:
    payload = load_hook(route.context)(sender, **kwargs) if route.context else kwargs.get("payload", {})
    if payload is None:
        return []
    if not isinstance(payload, Mapping):
        raise RouteRefused(_("The payload must be a mapping, or None for no message."))
    if payload.get("notify") is False or not route.matches(payload):
        return []
    return list(_rows(route, payload, _event_id(route, sender, kwargs)))


def _event_id(route: Route, sender: Any, kwargs: Mapping[str, Any]) -> str:
    own = load_hook(route.event_id)(sender, **kwargs) if route.event_id else None
    for found in (own, kwargs.get("event_id")):
        if found is not None and str(found):
            return str(found)
    return str(uuid.uuid4())


def _rows(route: Route, payload: Mapping[str, Any], event_id: str) -> Iterator[Notification]:
    context = storable_payload({key: value for key, value in payload.items() if key not in {"recipients", "notify"}})
    reference = stored_id(_value_at(payload, route.reference) or "")
    now = timezone.now()
    for audience, recipient in _recipients(route, payload):
        for alias, notifier, address in _addresses(route.via, recipient):
            expires = route.expires_after_minutes
            lifetime = notifier.expires_after if expires is None else timedelta(minutes=expires)
            yield Notification(
                event_id=stored_id(event_id),
                event=route.event,
                alias=alias,
                channel=notifier.channel,
                address=address,
                audience=audience[:100],
                recipient_key=stored_id(recipient.get("key") or ""),
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
            found = (payload.get("recipients") or {}).get(name)
        for recipient in [found] if isinstance(found, Mapping) else found or ():
            if not isinstance(recipient, Mapping):
                raise RouteRefused(
                    _("A recipient must be a mapping, and “%(name)s” has another value.") % {"name": name}
                )
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
        address = storable_text(registry.address_of(alias, recipient)).strip()
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
