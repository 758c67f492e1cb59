"""The log of Django's admin, which keeps the names of rows that were added, changed or deleted there."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import apps
from django.db.models import Model


def erase(rows: Sequence[Model]) -> None:
    """Blank what the log says about these rows of one model. Does nothing where the admin is not installed."""
    if not rows or not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    kind = ContentType.objects.get_for_model(rows[0])
    entries = LogEntry.objects.filter(content_type=kind, object_id__in=[str(row.pk) for row in rows])
    entries.update(object_repr="", change_message="[]")
