"""Replays past events to one receiver of a package's signals, such as one that was connected later.

A receiver is named by the dotted path of its function, or by its ``dispatch_uid`` up to a colon if that is a text. A
receiver that does several things may have an attribute ``parts``, a callable that returns ``{name: receiver}``: each
part can be named after a colon. A receiver may return the number of new things that it wrote, such as messages; the
output has the sum.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.dispatch import Signal
from django.utils import timezone

logger = logging.getLogger(__name__)

Receiver = Callable[..., Any]
EVERY_SENDER = id(None)
"""Django's key of a receiver that was connected without a sender."""
PROGRESS_EVERY, ROWS_AT_A_TIME = 500, 200
SHOWN_FAILURES = 10


@dataclass(frozen=True, kw_only=True)
class PastEvent:
    """An event that was announced before, with what its signal sends."""

    position: str
    """Where the event is in the order of the replay, such as ``order-123``: ``--after`` continues behind it."""
    signal: str
    about: str
    """Order number or SKU, for the output."""
    sender: type
    values: Mapping[str, Any]
    """The keywords of the signal, among them ``signal`` and ``event_id``."""
    recorded_at: datetime


def receivers_of(signals: Mapping[str, Signal], *, sender: type) -> dict[str, dict[str, Receiver]]:
    """The receivers that are connected now: ``{name of the receiver: {name of the signal: receiver}}``."""
    found: dict[str, dict[str, Receiver]] = {}
    for name, label, receiver in _connected(signals, sender):
        found.setdefault(label, {})[name] = receiver
        for part, function in getattr(receiver, "parts", dict)().items():
            found.setdefault(f"{label}:{part}", {})[name] = function
    return found


def _connected(signals: Mapping[str, Signal], sender: type) -> Iterator[tuple[str, str, Receiver]]:
    """``(name of the signal, name of the receiver, receiver)``."""
    for name, signal in signals.items():
        for (uid, wanted), stored, *_rest in signal.receivers:
            receiver = stored() if isinstance(stored, weakref.ReferenceType) else stored
            if receiver is not None and wanted in (EVERY_SENDER, id(sender)):
                path = f"{receiver.__module__}.{getattr(receiver, '__qualname__', type(receiver).__qualname__)}"
                yield name, uid.partition(":")[0] if isinstance(uid, str) else path, receiver


class ReplayCommand(BaseCommand):
    """The arguments and the loop of a command that replays. A subclass has the signals and the past events."""

    signals: Mapping[str, Signal]
    sender: type

    def past_events(self, names: Iterable[str], **options: Any) -> Iterator[PastEvent]:
        """The announced events of some signals, in the order of their positions, behind ``options["after"]``."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--receiver", default="", help="Replay past events to this receiver; nobody else gets them."
        )
        parser.add_argument("--since", default="", help="Events since this time, such as 2026-01-31T00:00:00+03:00.")
        parser.add_argument("--after", default="", help="Continue behind this position, which a stopped call printed.")
        parser.add_argument("--dry-run", action="store_true", help="Only count and list; send nothing.")

    def replay(self, **options: Any) -> None:
        """Send the past events to the receiver, one by one. An event that fails does not stop the others.

        Raises:
            CommandError: the receiver or the time is wrong, the call was stopped, or an event failed.
        """
        receiver = self._receiver(options["receiver"])
        options["since"] = since_of(options["since"])
        counts: Counter[str] = Counter()
        new: list[int] = []
        failed: list[PastEvent] = []
        done = current = options["after"]
        report_at = PROGRESS_EVERY
        try:
            for event in self.past_events(receiver, **options):
                if event.position != current:  # a row may have several signals
                    done, current = current, event.position
                    if counts.total() >= report_at:
                        self.stdout.write(f"{counts.total()} events, the last is {done}")
                        report_at += PROGRESS_EVERY
                if not options["dry_run"] and not send(receiver[event.signal], event, new):
                    failed.append(event)
                counts[event.signal] += 1
        except KeyboardInterrupt:
            sent = f"Replayed: {counts.total() - len(failed)}." + _list_of(failed)
            again = f" Continue with --after {done}" if done else " The same call begins again."
            raise CommandError(f"Stopped. {sent}{again}") from None
        for name, count in sorted(counts.items()):
            self.stdout.write(f"{name}: {count}")
        added = f" ({sum(new)} new for the receiver)" if new else ""
        what = "would be replayed" if options["dry_run"] else "replayed"
        self.stdout.write(f"{counts.total() - len(failed)} {what}{added}")
        if failed:
            raise CommandError(_list_of(failed).strip())

    def _receiver(self, name: str) -> dict[str, Receiver]:
        known = receivers_of(self.signals, sender=self.sender)
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise CommandError(f"Unknown receiver: {name or '(none given)'}. Receivers of these signals: {names}.")
        self._refuse_namesakes(name)
        return known[name]

    def _refuse_namesakes(self, name: str) -> None:
        """Refuse a name that several receivers of one signal have: the events would reach an arbitrary one."""
        found: dict[str, Receiver] = {}
        for signal, label, receiver in _connected(self.signals, self.sender):
            if label == name.partition(":")[0] and found.setdefault(signal, receiver) != receiver:
                raise CommandError(
                    f"Several receivers of {signal} are called {label}. Connect each with a dispatch_uid of its own."
                )


def since_of(text: str) -> datetime | None:
    """The time of ``--since``; None if it is empty.

    Raises:
        CommandError: it cannot be read, has no time zone, or is in the future.
    """
    if not text:
        return None
    example = "Write it such as 2026-01-31T00:00:00+03:00."
    try:
        since = datetime.fromisoformat(text)
        if not timezone.is_naive(since):
            since = since.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(f"--since {text} is not a time. {example}") from None
    if timezone.is_naive(since):
        raise CommandError(f"--since {text} has no time zone. {example}")
    if since > timezone.now():
        raise CommandError(f"--since {text} is in the future.")
    return since


def key_after(position: str, kind: str) -> int:
    """The key after which events of a kind continue, from the position ``kind-key``. 0: from the first.

    Raises:
        CommandError: it is not a position of this kind.
    """
    if not position:
        return 0
    name, _, key = position.rpartition("-")
    if name != kind or not (key.isascii() and key.isdigit()):
        raise CommandError(f"--after {position} is not a position. A stopped call prints it, such as {kind}-123.")
    return int(key)


def send(receiver: Receiver, event: PastEvent, new: list[int]) -> bool:
    """Call the receiver as the signal would, with ``event_recorded_at`` too. Returns whether it succeeded.

    A number that it returns is added to ``new``.
    """
    values = {**event.values, "event_recorded_at": event.recorded_at}
    try:
        result = receiver(sender=event.sender, **values)
        if isawaitable(result):
            result = asyncio.run(_finish(result))
        if type(result) is int:
            new.append(result)
    except Exception:
        logger.exception("The receiver failed at the event %s", event.position)
        return False
    return True


async def _finish(result: Awaitable[Any]) -> Any:
    return await result


def rows_after(rows: QuerySet[Any], key: int) -> Iterator[Any]:
    """Rows after a primary key, in its order, read in parts: no cursor is open while a receiver writes."""
    while part := list(rows.filter(pk__gt=key).order_by("pk")[:ROWS_AT_A_TIME]):
        yield from part
        key = part[-1].pk


def _list_of(failed: list[PastEvent]) -> str:
    if not failed:
        return ""
    names = ", ".join(f"{event.position} ({event.about})" for event in failed[:SHOWN_FAILURES])
    more = f" and {len(failed) - SHOWN_FAILURES} more" if len(failed) > SHOWN_FAILURES else ""
    return f" Failed: {names}{more}. The log has the errors. The same call sends them again."
