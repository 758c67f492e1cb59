"""Sending one message by its notifier, and turning what it returns or raises into a result."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_notify import secret_values
from shop_notify.conf import app_settings
from shop_notify.delivery import metering, setup_problems
from shop_notify.delivery.claiming import Claim
from shop_notify.delivery.settling import Result, backoff
from shop_notify.exceptions import (
    AddressRefused,
    DeliveryFailure,
    PermanentFailure,
    SetupFailure,
    TemporaryFailure,
    UnknownNotifier,
    UnknownOutcome,
)
from shop_notify.masking import hide, mask, mask_values
from shop_notify.messages.rendering import Content, Renderer
from shop_notify.models import Attempt, Notification, State
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Message, Notifier, Receipt
from shop_notify.notifiers.time_limit import TimeLimitExceeded, time_limit
from shop_notify.recipients import preferences, suppressions, unsubscribing, wishes

logger = logging.getLogger(__name__)

SEND_SECONDS = 30.0
"""The longest time for one message, enforced by ``time_limit``. It is much shorter than the lease."""
PAUSE_SECONDS = 60.0
REPEAT_UNKNOWN_AFTER = timedelta(minutes=10)

_paused_until: dict[str, float] = {}


def paused_aliases() -> set[str]:
    """Aliases that recently exceeded the time limit. This process does not claim their messages for a while."""
    now = time.monotonic()
    return {alias for alias, until in _paused_until.items() if until > now}


@dataclass
class _AttemptData:
    """Data of one attempt that is needed when it ends, also by an error: the text to store, and the secret values."""

    content: dict[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Values that are looked up once for all rows of a claim."""

    notifier: Notifier | None
    problem: str
    secrets: tuple[str, ...]
    suppressed: set[str]
    muted: set[tuple[str, str, str]]
    renderer: Renderer

    @classmethod
    def prepare(cls, claimed: Claim) -> Batch:
        notifier, problem = None, ""
        try:
            notifier = registry.get_notifier(claimed.alias)
        except UnknownNotifier as error:
            problem = str(error)
        rows, secrets = claimed.rows, registry.secrets_of(claimed.alias)
        return cls(
            notifier=notifier,
            problem=mask(problem, secrets=secrets),
            secrets=secrets,
            suppressed=suppressions.suppressed(rows[0].channel, [row.address for row in rows]),
            muted=preferences.muted(row.recipient_key for row in rows if row.group),
            renderer=Renderer(),
        )

    def attempt(self, row: Notification) -> Result:
        """Send one row and return the result. If it must not be sent, the result names the reason.

        Raises:
            OverLimit: a limit on paid messages is used up.
        """
        skipped = self._skipped_result(row)
        if skipped is not None:
            return skipped
        if self.notifier is None:
            if row.alias in app_settings.NOTIFIERS:
                return _setup_refused(SetupFailure(self.problem))
            return _temporary(row, TemporaryFailure(self.problem), Notifier.max_attempts)
        if row.attempts > self.notifier.max_attempts:
            return Result(state=State.DEAD, detail=_("The worker died at the last attempt."))
        started_at = timezone.now()
        data = _AttemptData()
        result = self._outcome(self.notifier, row, data)
        secrets = self._all_secrets(data)
        return replace(
            result,
            detail=mask(result.detail, secrets=secrets),
            provider_code=hide(str(result.provider_code or ""), secrets),
            started_at=started_at,
            finished_at=timezone.now(),
            content=data.content,
        )

    def _all_secrets(self, data: _AttemptData) -> tuple[str, ...]:
        """The notifier's secrets and those of the message."""
        return (*self.secrets, *data.secrets.values())

    def _outcome(self, notifier: Notifier, row: Notification, data: _AttemptData) -> Result:
        try:
            return self._accepted_result(self._send(notifier, row, data), data)
        except (AddressRefused, PermanentFailure) as error:
            return _permanent(row, error)
        except SetupFailure as error:
            return _setup_refused(error)
        except TemporaryFailure as error:
            return _temporary(row, error, notifier.max_attempts)
        except UnknownOutcome as error:
            return _unknown(row, error, notifier)
        except TimeLimitExceeded:
            _paused_until[row.alias] = time.monotonic() + PAUSE_SECONDS
            return _unknown(
                row, UnknownOutcome(_("The notifier exceeded the time limit."), provider_code="time"), notifier
            )
        except metering.OverLimit:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001
            # A notifier may be third-party code: an exception of any kind ends this attempt only, not the worker.
            logger.warning("%r raised %s", notifier, type(error).__name__)
            return _unknown(row, UnknownOutcome(f"{type(error).__name__}: {error}"), notifier)

    def _skipped_result(self, row: Notification) -> Result | None:
        if row.group and (row.recipient_key, row.group, row.alias) in self.muted:
            return Result(state=State.SKIPPED, detail=_("The recipient has muted these messages."), is_muted=True)
        if row.expires_at is not None and row.expires_at <= timezone.now():
            return _expired(row)
        if suppressions.stored_form(row.address) in self.suppressed and not wishes.is_confirmation(row):
            return Result(state=State.SKIPPED, detail=_("The address is suppressed."))
        return None

    def _send(self, notifier: Notifier, row: Notification, data: _AttemptData) -> Receipt:
        message = self._prepare_message(notifier, row, data)
        with time_limit(SEND_SECONDS):
            receipt = notifier.send(message)
        if not isinstance(receipt, Receipt):
            raise UnknownOutcome(_("The notifier returned no receipt."))
        return receipt

    def _prepare_message(self, notifier: Notifier, row: Notification, data: _AttemptData) -> Message:
        """The message, ready to be sent. Nothing has been sent yet, so every failure here may be retried.

        Raises:
            AddressRefused, PermanentFailure: the notifier refuses it.
            TemporaryFailure: the address, the text or the limits could not be checked.
            OverLimit: a limit on paid messages is used up.
        """
        try:
            with time_limit(SEND_SECONDS):
                notifier.check_address(row.address)
                data.secrets = secret_values.reveal(row.event, row.context)
                message = message_of(row, notifier, self.renderer, data.secrets)
                stored = message_of(row, notifier, self.renderer) if data.secrets else message
            if notifier.is_metered:
                metering.count(row)
        except (AddressRefused, DeliveryFailure, metering.OverLimit):
            raise
        except TimeLimitExceeded as error:
            raise TemporaryFailure(
                _("Preparing the message exceeded the time limit."), provider_code="time"
            ) from error
        except (Exception, SystemExit) as error:
            raise TemporaryFailure(f"{type(error).__name__}: {error}") from error
        data.content |= {"subject": stored.subject, "text": stored.text, "html": stored.html}
        return message

    def _accepted_result(self, receipt: Receipt, data: _AttemptData) -> Result:
        secrets = self._all_secrets(data)
        response = mask_values(receipt.response or {}, secrets=secrets)
        return Result(
            state=State.SENT,
            outcome=Attempt.Outcome.ACCEPTED,
            provider_code=receipt.provider_code,
            receipt=replace(
                receipt,
                provider_id=hide(str(receipt.provider_id or ""), secrets),
                response=response if isinstance(response, dict) else {"response": response},
            ),
        )


def message_of(
    row: Notification, notifier: Notifier, renderer: Renderer, secrets: Mapping[str, str] | None = None
) -> Message:
    """The message of a row, rendered. Its secret values are masked unless they are given.

    Raises:
        TemporaryFailure: it does not render. A later attempt succeeds if the template has been repaired by then.
    """
    try:
        content = _content_of_earlier_attempt(row) or renderer.render(row, max_text=notifier.max_text, secrets=secrets)
    except Exception as error:
        raise TemporaryFailure(f"{type(error).__name__}: {error}", provider_code="template") from error
    return Message(
        id=str(row.public_id),
        event=row.event,
        to=row.address,
        name=row.recipient_name,
        language=row.language,
        subject=content.subject,
        text=notifier.cut(content.text),
        html=content.html,
        context=row.context,
        created_at=row.created_at,
        headers=unsubscribing.headers(row),
    )


def _content_of_earlier_attempt(row: Notification) -> Content | None:
    """The content that an earlier attempt sent: a provider that ignores a repeated ``id`` expects the same content.

    None at the first attempt, after a retry by staff, and for a text with secrets, which is stored masked.
    """
    if row.attempts < 2 or not row.text or row.event in secret_values.events():
        return None
    return Content(row.subject, row.text, row.html)


def _expired(row: Notification) -> Result:
    """Skip an expired message; give it up, for staff to see and retry, if it waited because of a wrong set-up."""
    if setup_problems.had_problem(row):
        text = _("It expired while the provider refused the set-up of the notifier. Retry it if it is still useful.")
        return Result(state=State.DEAD, detail=text)
    return Result(state=State.SKIPPED, detail=_("The message has expired."))


def _setup_refused(error: SetupFailure) -> Result:
    """The result that ``setup_problems.record`` handles."""
    return Result(
        state=State.QUEUED,
        outcome=Attempt.Outcome.SETUP,
        detail=str(error),
        provider_code=error.provider_code,
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
    has_attempts_left = row.attempts < max_attempts
    return Result(
        state=State.QUEUED if has_attempts_left else State.DEAD,
        outcome=Attempt.Outcome.TEMPORARY,
        due_at=timezone.now() + backoff(row.attempts, retry_after=error.retry_after) if has_attempts_left else None,
        detail=str(error),
        provider_code=error.provider_code,
    )


def _unknown(row: Notification, error: UnknownOutcome, notifier: Notifier) -> Result:
    """Retry as after a temporary failure if the notifier ``repeats_unknown``; a paid message only once."""
    max_attempts = min(notifier.max_attempts, 2) if notifier.is_metered else notifier.max_attempts
    is_retried = notifier.repeats_unknown and row.attempts < max_attempts
    delay = REPEAT_UNKNOWN_AFTER if notifier.is_metered else backoff(row.attempts)
    final = State.DEAD if notifier.repeats_unknown and not notifier.is_metered else State.UNKNOWN
    return Result(
        state=State.QUEUED if is_retried else final,
        outcome=Attempt.Outcome.UNKNOWN,
        due_at=timezone.now() + delay if is_retried else None,
        detail=str(error),
        provider_code=error.provider_code,
    )
