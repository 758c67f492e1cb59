"""Providers that refuse the set-up of an alias, such as its key: the alias is paused, and its messages are kept.

A problem begins with the first refusal, which alarms staff. Every ``PAUSE`` each worker tries one message. The problem
ends when one is accepted, and then the others are sent.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.db.transactions import in_transaction

from shop_notify.delivery import claiming, queries, settling
from shop_notify.delivery.settling import Result
from shop_notify.models import Attempt, Notification, SetupProblem, State
from shop_notify.recipients import preferences

logger = logging.getLogger(__name__)

PAUSE = timedelta(minutes=5)
LET_OTHERS_PASS = timedelta(minutes=1)
"""The refused message is tried this much later than the others: the provider may refuse only this one."""
MOST_REFUSALS = 3
"""A message that started this many problems is given up: each time, the provider accepted others afterwards."""
ALARM_AGAIN_AFTER = timedelta(hours=1)


def record(row: Notification, result: Result) -> Result | None:
    """Pause the alias of a row, and release the row without counting its attempt.

    Returns the result to record if the row is not kept: its fallback is due, or others are accepted and only this
    message is refused.
    """
    if row.falls_back_before(timezone.now() + PAUSE):
        _pause_alias(row, result, release=False)
        return _with_state(result, State.SKIPPED)
    if _is_refused_alone(row):
        text = _("The provider accepts other messages, and refuses this one as if the set-up were wrong: %(error)s")
        return _with_state(result, State.DEAD, text % {"error": result.detail})
    _pause_alias(row, result, release=True)
    return None


def _with_state(result: Result, state: State, detail: str = "") -> Result:
    return Result(
        state=state,
        outcome=result.outcome,
        detail=detail or result.detail,
        provider_code=result.provider_code,
        started_at=result.started_at,
        finished_at=result.finished_at,
        content=result.content,
    )


def _is_refused_alone(row: Notification) -> bool:
    """Whether the row has begun problems, and others were accepted after each of them."""
    if SetupProblem.objects.open().filter(alias=row.alias).exists():
        return False
    begun = Attempt.objects.filter(notification=row, outcome=Attempt.Outcome.SETUP).count()
    return begun >= MOST_REFUSALS - 1


def _pause_alias(row: Notification, result: Result, *, release: bool) -> None:
    is_alarming = _store(row, result, timezone.now(), release=release)
    text = "The provider of “%s” refuses its set-up: %s. Its messages wait. Correct the settings; they are then sent."
    if is_alarming is not None:
        # Django mails errors to the site's ADMINS.
        logger.log(logging.ERROR if is_alarming else logging.WARNING, text, row.alias, result.detail.rstrip("."))


@in_transaction(Notification)
def _store(row: Notification, result: Result, now: datetime, *, release: bool) -> bool | None:
    """Store the problem, and release the row. Returns None if the problem is not new, else whether to alarm staff."""
    values = {"error": result.detail[:500], "retry_at": now + PAUSE}
    problem, is_first = SetupProblem.objects.get_or_create(alias=row.alias, defaults={**values, "began_at": now})
    problem = SetupProblem.objects.select_for_update().get(pk=problem.pk)
    ended_at = problem.ended_at
    is_new = is_first or ended_at is not None
    begins = {"began_at": now, "ended_at": None} if is_new else {}
    SetupProblem.objects.filter(pk=problem.pk).update(**values, **begins)
    if release:
        claiming.postpone(row, due_at=now + PAUSE + LET_OTHERS_PASS, reason=result.detail)
        if is_new:
            queries.insert_attempts(settling.attempts_of([(row, result)], now))
    if not is_new:
        return None
    return ended_at is None or ended_at < now - ALARM_AGAIN_AFTER or problem.error != values["error"]


def end(alias: str) -> None:
    """Record that the provider has accepted a message of the alias. Its other messages are no longer held."""
    if SetupProblem.objects.open().filter(alias=alias).update(ended_at=timezone.now()):
        logger.info("The provider of “%s” accepts its set-up again.", alias)


def had_problem(row: Notification) -> bool:
    """Whether the set-up was refused at some time between the row's creation and its expiry."""
    problem = SetupProblem.objects.filter(alias=row.alias, began_at__lt=row.expires_at).first()
    return problem is not None and (problem.ended_at is None or problem.ended_at > row.created_at)


def skip_for_fallbacks(now: datetime) -> None:
    """Skip waiting messages of paused aliases whose fallback is due, so that the fallback is sent."""
    paused = list(SetupProblem.objects.open().values_list("alias", flat=True))
    if not paused:
        return
    waiting = Notification.objects.filter(state=State.QUEUED, alias__in=paused).exclude(fallback={})
    needed = waiting.only("created_at", "fallback", "recipient_key", "group", "alias")
    rows = [row for row in needed.iterator() if row.falls_back_before(now)]
    # A muted message gets no fallback: a worker skips it.
    muted = preferences.muted(row.recipient_key for row in rows if row.group)
    due = [row.pk for row in rows if (row.recipient_key, row.group, row.alias) not in muted]
    text = _("The provider refuses the set-up of the notifier, so the fallback is sent.")
    for start in range(0, len(due), claiming.IDEMPOTENT_BATCH):
        chosen = Notification.objects.filter(pk__in=due[start : start + claiming.IDEMPOTENT_BATCH])
        chosen.filter(state=State.QUEUED).update(state=State.SKIPPED, fallback_at=now, last_error=text, updated_at=now)
