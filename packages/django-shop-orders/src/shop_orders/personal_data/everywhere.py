"""Exports and erases a person's data in every module of the setting PERSONAL_DATA."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from shop_orders.conf import app_settings
from shop_orders.models import Erasure
from shop_orders.personal_data.people import Person

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(hours=1)


def export_everywhere(person: Person) -> dict[str, Any]:
    """What all modules store about a person: ``{module: data}``, as plain data."""
    return {path: _function(path, "export_personal_data")(person) for path in app_settings.PERSONAL_DATA}


def erase_everywhere(person: Person, *, by: Any = None) -> Erasure:
    """Erase a person's data in all modules. ``waiting`` lists what cannot be erased yet; a job erases it later.

    An error in one module is logged and does not keep the others from erasing. ``by`` is the user who asked for it.
    """
    actor = by if by is not None and str(by.pk) != person.get("user") else None
    erasure = Erasure.objects.create(
        person={**person}, actor=actor, waiting=[_not_started()], next_attempt_at=timezone.now() + RETRY_AFTER
    )
    return _run(erasure)


def finish_erasures() -> int:
    """Try unfinished erasures again. Returns how many erasures were finished. Safe to run in parallel."""
    now = timezone.now()
    due = Erasure.objects.filter(finished_at=None, next_attempt_at__lte=now)
    finished = 0
    for erasure in list(due.order_by("next_attempt_at", "pk")[:500]):
        claim = Erasure.objects.filter(pk=erasure.pk, finished_at=None, next_attempt_at=erasure.next_attempt_at)
        if claim.update(next_attempt_at=now + RETRY_AFTER):
            finished += _run(erasure).finished_at is not None
    return finished


def _run(erasure: Erasure) -> Erasure:
    waiting: list[dict[str, str]] = []
    for path in app_settings.PERSONAL_DATA:
        try:
            waiting += _function(path, "erase_personal_data")(erasure.person)
        except Exception as error:  # noqa: BLE001 - a module's error must not keep the others from erasing
            # Without the text of the error, which may hold the data.
            logger.error("Personal data could not be erased by %s: %s", path, type(error).__name__)  # noqa: TRY400
            waiting.append({"what": path, "reason": _("There was an error. It is tried again in an hour.")})
    erasure.waiting = waiting
    if not waiting:
        erasure.person, erasure.finished_at = {}, timezone.now()
    erasure.save(update_fields=["person", "waiting", "finished_at"])
    return erasure


def _not_started() -> dict[str, str]:
    """The entry of ``waiting`` until the first attempt has ended, also after a crash."""
    return {"what": "", "reason": _("It has not started yet.")}


def _function(path: str, name: str) -> Callable[[Person], Any]:
    found: Callable[[Person], Any] = import_string(f"{path}.{name}")
    return found
