"""Querysets of notifications, and of problems with the set-up of notifiers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connections, models
from django.db.models import Count, Min, Q
from shop_core.db.finding import keys_found

from shop_notify.storable import stored_id

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_notify.models import Notification, SetupProblem  # noqa: F401 - the base class names it as text


class NotificationQuerySet(models.QuerySet["Notification"]):
    def open(self) -> NotificationQuerySet:
        """Waiting, or being sent. Served by the partial index ``shop_notify_due``."""
        return self.filter(state__in=("queued", "sending"))

    def due(self, now: datetime) -> NotificationQuerySet:
        """Rows that may be claimed now. A row that is being sent becomes due again when its lease expires."""
        return self.open().filter(due_at__lte=now)

    def in_order(self) -> NotificationQuerySet:
        return self.order_by("priority", "due_at", "id")

    def lock(self) -> NotificationQuerySet:
        """Lock the rows; those that another worker has locked are skipped if the database supports it."""
        if connections[self.db].features.has_select_for_update_skip_locked:
            return self.select_for_update(skip_locked=True)
        return self.select_for_update()

    def about(self, reference: str) -> NotificationQuerySet:
        """Notifications about one thing, such as an order by its number, the oldest first."""
        return self.filter(reference=stored_id(reference)).order_by("created_at", "id") if reference else self.none()

    def search(self, text: str) -> NotificationQuerySet:
        """Rows whose address, reference or recipient key equals the text: each is one statement that runs at once."""
        stored = stored_id(text)
        lookups = {"address__iexact": text, "reference": stored, "recipient_key": stored}
        return self.filter(pk__in=keys_found(self.model, lookups))

    def newest_first(self) -> NotificationQuerySet:
        return self.order_by("-created_at", "-id")

    def older_than(self, row: Notification) -> NotificationQuerySet:
        """Rows after this one in ``newest_first``."""
        return self.filter(Q(created_at__lt=row.created_at) | Q(created_at=row.created_at, id__lt=row.pk))

    def final(self) -> NotificationQuerySet:
        """Rows that no worker will change any more."""
        return self.filter(state__in=("sent", "delivered", "read", "unknown", "failed", "dead", "skipped"))

    def health(self, now: datetime) -> dict[str, dict[str, object]]:
        """``{alias: {"waiting", "sending", "dead", "unknown", "oldest_due_at"}}``, by one query.

        The states are in two groups, each of which matches the condition of a partial index. One list of all four
        states would use no index.
        """
        rows = (
            self.filter(Q(state__in=("queued", "sending")) | Q(state__in=("dead", "unknown")))
            .values("alias")
            .annotate(
                waiting=Count("id", filter=Q(state="queued")),
                sending=Count("id", filter=Q(state="sending")),
                dead=Count("id", filter=Q(state="dead")),
                unknown=Count("id", filter=Q(state="unknown")),
                oldest_due_at=Min("due_at", filter=Q(state__in=("queued", "sending"), due_at__lte=now)),
            )
        )
        return {row["alias"]: {name: value for name, value in row.items() if name != "alias"} for row in rows}


class SetupProblemQuerySet(models.QuerySet["SetupProblem"]):
    def open(self) -> SetupProblemQuerySet:
        """Problems that have not ended: the provider has accepted no message since."""
        return self.filter(ended_at=None)


# Type checkers without the plugin of django-stubs do not understand ``from_queryset``.
if TYPE_CHECKING:

    class NotificationManager(NotificationQuerySet, models.Manager["Notification"]):  # type: ignore[misc]
        """The type of ``Notification.objects``."""

    class RelatedNotifications(NotificationManager, RelatedManager["Notification"]):  # type: ignore[misc]
        """The type of ``notification.successors``."""

    class SetupProblemManager(SetupProblemQuerySet, models.Manager["SetupProblem"]):  # type: ignore[misc]
        """The type of ``SetupProblem.objects``."""

else:
    NotificationManager = models.Manager.from_queryset(NotificationQuerySet)
    SetupProblemManager = models.Manager.from_queryset(SetupProblemQuerySet)
