"""Delivering: claim what is due, send it outside any transaction, note what became of it, until nothing is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_notify import fallbacks, metering, outbox, preferences, reports, suppressions, unsubscribing
from shop_notify.alarm import OutOfTime, time_limit
from shop_notify.exceptions import (
    AddressRefused,
    DeliveryFailure,
    PermanentFailure,
    TemporaryFailure,
    UnknownNotifier,
    UnknownOutcome,
)
from shop_notify.masking import mask, mask_values
from shop_notify.models import Attempt, Notification, State, Worker
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Message, Notifier, Receipt
from shop_notify.outbox import Claim, Result
from shop_notify.rendering import Renderer

logger = logging.getLogger(__name__)

SEND_SECONDS = 30.0
"""The most that one message may take where an alarm can stop it; far less than half of ``outbox.LEASE``."""
CLAIM_SECONDS = 20.0
"""A wake-up stops claiming after this long and leaves the rest to the next."""
NOTE_SECONDS = 0.5
"""The longest that a result waits for the others of its batch, where a message that is sent twice does no harm."""
PAUSE_SECONDS = 60.0
REPEAT_UNKNOWN_AFTER = timedelta(minutes=10)

_paused: dict[str, float] = {}


def wake_up() -> None:
    """Deliver what is due and raise nothing: what a queue calls. Calling it too often does no harm."""
    try:
        deliver_due()
    except Exception:
        logger.exception("Delivery stopped. What is due waits for the next wake-up.")


def deliver_due(*, for_seconds: float = CLAIM_SECONDS, keep_going: Callable[[], bool] = lambda: True) -> int:
    """Deliver until nothing is due, ``for_seconds`` are over or ``keep_going`` says no. Returns how many it tried."""
    if not Notification.objects.due(timezone.now()).exists():
        return 0
    until, tried = time.monotonic() + for_seconds, 0
    worker = outbox.start_worker()
    try:
        while time.monotonic() < until and keep_going():
            claimed = outbox.claim(worker, without=_pausing())
            if claimed is None:
                break
            tried += _deliver(claimed, worker, keep_going)
    finally:
        outbox.stop_worker(worker)
    return tried


def _pausing() -> set[str]:
    """Aliases that ran out of time lately: this process lets the others go first."""
    now = time.monotonic()
    return {alias for alias, until in _paused.items() if until > now}


def _deliver(claimed: Claim, worker: Worker, keep_going: Callable[[], bool]) -> int:
    if not claimed.rows:
        # Somebody has locked them for a moment, such as a delivery report.
        time.sleep(0.01)
        return 0
    batch = _Batch.prepare(claimed)
    notes = _Notes(batch.notifier, claimed.until)
    try:
        for index, row in enumerate(claimed.rows):
            outbox.stay(worker)
            left = (claimed.until - timezone.now()).total_seconds()
            if left < SEND_SECONDS or claimed.alias in _pausing() or not keep_going():
                outbox.release(claimed, claimed.rows[index:])
                return index
            try:
                result = batch.attempt(row)
            except metering.OverLimit as over:
                reason = f"SMS_LIMITS {over.limit}"
                if not row.is_late_for_fallback(over.until):
                    outbox.postpone(row, due_at=over.until, reason=reason)
                    continue
                result = Result(state=State.SKIPPED, detail=reason)
            notes.add(row, result)
    finally:
        notes.write()
    return len(claimed.rows)


@dataclass(frozen=True)
class _Batch:
    """What is looked up once for all rows of a claim."""

    notifier: Notifier | None
    problem: str
    secrets: tuple[str, ...]
    suppressed: set[str]
    muted: set[tuple[str, str, str]]
    renderer: Renderer

    @classmethod
    def prepare(cls, claimed: Claim) -> _Batch:
        notifier, problem = None, ""
        try:
            notifier = registry.get_notifier(claimed.alias)
        except UnknownNotifier as error:
            problem = str(error)
        rows = claimed.rows
        return cls(
            notifier=notifier,
            problem=problem,
            secrets=registry.secrets_of(claimed.alias),
            suppressed=suppressions.suppressed(rows[0].channel, [row.address for row in rows]),
            muted=preferences.muted(row.recipient_key for row in rows if row.group),
            renderer=Renderer(),
        )

    def attempt(self, row: Notification) -> Result:
        """Send one row, or find out why not.

        Raises:
            OverLimit: a limit on paid messages is used up.
        """
        skipped = self._skipped(row)
        if skipped is not None:
            return skipped
        if self.notifier is None:
            return _temporary(row, TemporaryFailure(self.problem), Notifier.max_attempts)
        if row.attempts > self.notifier.max_attempts:
            return Result(state=State.DEAD, detail=_("The worker died at every attempt."))
        started_at = timezone.now()
        content: dict[str, str] = {}
        try:
            result = self._accepted(self._send(self.notifier, row, content))
        except (AddressRefused, PermanentFailure) as error:
            result = _permanent(row, error)
        except TemporaryFailure as error:
            result = _temporary(row, error, self.notifier.max_attempts)
        except UnknownOutcome as error:
            result = _unknown(row, error, self.notifier)
        except OutOfTime:
            _paused[row.alias] = time.monotonic() + PAUSE_SECONDS
            result = _unknown(row, UnknownOutcome(_("It took too long."), provider_code="time"), self.notifier)
        except metering.OverLimit:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001
            # A notifier is somebody else's code: whatever it raises ends this attempt and not the worker.
            logger.warning("%r raised %s", self.notifier, type(error).__name__)
            result = _unknown(row, UnknownOutcome(f"{type(error).__name__}: {error}"), self.notifier)
        detail = mask(result.detail, secrets=self.secrets)
        return replace(result, detail=detail, started_at=started_at, finished_at=timezone.now(), content=content)

    def _skipped(self, row: Notification) -> Result | None:
        if row.group and (row.recipient_key, row.group, row.alias) in self.muted:
            return Result(state=State.SKIPPED, detail=_("The recipient does not want these."), is_unwanted=True)
        if row.expires_at is not None and row.expires_at <= timezone.now():
            return Result(state=State.SKIPPED, detail=_("It is too old to be of use."))
        if suppressions.key(row.address) in self.suppressed:
            return Result(state=State.SKIPPED, detail=_("The address is suppressed."))
        return None

    def _send(self, notifier: Notifier, row: Notification, content: dict[str, str]) -> Receipt:
        message = self._ready(notifier, row)
        content |= {"subject": message.subject, "text": message.text, "html": message.html}
        with time_limit(SEND_SECONDS):
            receipt = notifier.send(message)
        if not isinstance(receipt, Receipt):
            raise UnknownOutcome(_("The notifier returned no receipt."))
        return receipt

    def _ready(self, notifier: Notifier, row: Notification) -> Message:
        """Everything before the sending. Whatever breaks here may be tried again, also where it costs money.

        Raises:
            AddressRefused, PermanentFailure: the notifier does not take it.
            TemporaryFailure: the address, the words or the limits could not be looked at.
            OverLimit: a limit on paid messages is used up.
        """
        try:
            with time_limit(SEND_SECONDS):
                notifier.check_address(row.address)
                message = message_of(row, notifier, self.renderer)
            if notifier.is_metered:
                metering.count(row)
        except (AddressRefused, DeliveryFailure, metering.OverLimit):
            raise
        except OutOfTime as error:
            raise TemporaryFailure(_("It took too long before anything was sent."), provider_code="time") from error
        except (Exception, SystemExit) as error:
            raise TemporaryFailure(f"{type(error).__name__}: {error}") from error
        return message

    def _accepted(self, receipt: Receipt) -> Result:
        answer = mask_values(receipt.answer or {}, secrets=self.secrets)
        return Result(
            state=State.SENT,
            outcome=Attempt.Outcome.ACCEPTED,
            provider_code=receipt.provider_code,
            receipt=replace(receipt, answer=answer if isinstance(answer, dict) else {"answer": answer}),
        )


def message_of(row: Notification, notifier: Notifier, renderer: Renderer) -> Message:
    """The message of a row, rendered.

    Raises:
        TemporaryFailure: it does not render. A repaired template will be found by a later attempt.
    """
    try:
        content = renderer.render(row, max_text=notifier.max_text)
    except Exception as error:
        raise TemporaryFailure(f"{type(error).__name__}: {error}", provider_code="template") from error
    return Message(
        id=str(row.public_id),
        event=row.event,
        to=row.address,
        name=row.recipient_name,
        language=row.language,
        subject=content.subject,
        text=content.text,
        html=content.html,
        context=row.context,
        headers=unsubscribing.headers(row),
    )


def _permanent(row: Notification, error: AddressRefused | PermanentFailure) -> Result:
    reason = getattr(error, "suppress", "")
    if reason:
        suppressions.suppress(row.channel, row.address, reason=reason)
    return Result(
        state=State.FAILED,
        outcome=Attempt.Outcome.PERMANENT,
        detail=str(error),
        provider_code=getattr(error, "provider_code", "") or error.code,
    )


def _temporary(row: Notification, error: TemporaryFailure, max_attempts: int) -> Result:
    again = row.attempts < max_attempts
    return Result(
        state=State.QUEUED if again else State.DEAD,
        outcome=Attempt.Outcome.TEMPORARY,
        due_at=timezone.now() + outbox.backoff(row.attempts, retry_after=error.retry_after) if again else None,
        detail=str(error),
        provider_code=error.provider_code,
    )


def _unknown(row: Notification, error: UnknownOutcome, notifier: Notifier) -> Result:
    """A free message is tried again like a refused one; a paid one once, and only where its options say so."""
    most = min(notifier.max_attempts, 2) if notifier.is_metered else notifier.max_attempts
    again = notifier.repeats_unknown and row.attempts < most
    delay = REPEAT_UNKNOWN_AFTER if notifier.is_metered else outbox.backoff(row.attempts)
    over = State.DEAD if notifier.repeats_unknown and not notifier.is_metered else State.UNKNOWN
    return Result(
        state=State.QUEUED if again else over,
        outcome=Attempt.Outcome.UNKNOWN,
        due_at=timezone.now() + delay if again else None,
        detail=str(error),
        provider_code=error.provider_code,
    )


class _Notes:
    """Results on their way into the database: at once, or a batch at a time where a second sending does no harm.

    A worker that dies has noted all it has sent but the message in hand, and so repeats no other.
    """

    def __init__(self, notifier: Notifier | None, until: datetime) -> None:
        self._notifier = notifier
        self._until = until
        self._held: list[tuple[Notification, Result]] = []
        self._write_at = 0.0

    def add(self, row: Notification, result: Result) -> None:
        if not self._held:
            may_wait = self._notifier is not None and self._notifier.is_idempotent
            self._write_at = time.monotonic() + (NOTE_SECONDS if may_wait else 0.0)
        self._held.append((row, result))
        if time.monotonic() >= self._write_at:
            self.write()

    def write(self) -> None:
        """Settle what is held, also through an outage of the database for as long as the lease holds."""
        if not self._held:
            return
        rows = [row for row, _result in self._held]
        pause = 0.2
        while True:
            try:
                outbox.settle_all(self._held)
                break
            except (OperationalError, InterfaceError):
                if connection.in_atomic_block or timezone.now() + timedelta(seconds=pause) > self._until:
                    raise
                logger.warning("The result of a notification cannot be noted yet")
                time.sleep(pause)
                pause = min(2.0, pause * 2)
                close_old_connections()
        self._follow(rows)

    def _follow(self, rows: list[Notification]) -> None:
        if self._notifier is not None and self._notifier.awaits_reports():
            for row in rows:
                if row.provider_id:
                    reports.apply_waiting(row)
        now = timezone.now()
        if any(row.fallback_at is not None and row.fallback_at <= now for row in rows):
            fallbacks.start_due()
