"""The outbox: putting messages into it, and sending them again. ``delivery`` delivers them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.db.transactions import connection_of

from shop_notify import queues, secret_values, storable
from shop_notify.exceptions import NotRetryable
from shop_notify.managers import NotificationQuerySet, SetupProblemQuerySet
from shop_notify.models import Notification, SetupProblem, State
from shop_notify.notifiers import registry

RETRYABLE = frozenset({State.DEAD, State.FAILED, State.UNKNOWN})


def put(notifications: Sequence[Notification], *, counts: bool = False) -> int | None:
    """Insert unsaved notifications and wake the queue after commit.

    Each is inserted once, however often it is put: event id, event, alias and address are unique together. With
    ``counts`` it returns the number of new ones.
    """
    if notifications:
        Notification.objects.bulk_create(notifications, ignore_conflicts=True)
        _wake_after_commit()
    if not counts:
        return None
    return Notification.objects.filter(public_id__in=[row.public_id for row in notifications]).count()


def retry(notification: Notification) -> None:
    """Retry a message that was given up or refused, or whose outcome is unknown, on request of staff.

    A message that waits because the provider refused the notifier's set-up is tried now, with all others that wait
    for the same reason.

    Raises:
        NotRetryable: it is in another state, or has secret values.
    """
    _refuse_secrets(notification)
    changed = _requeue(Notification.objects.filter(pk=notification.pk, state__in=RETRYABLE))
    if not changed and notification.state == State.QUEUED:
        changed = _resume(SetupProblem.objects.open().filter(alias=notification.alias))
    if not changed:
        raise NotRetryable(
            _("Only a message that failed or has an unknown outcome can be retried. Resend this one instead.")
        )
    _wake_after_commit()


def retry_dead(*, alias: str = "", limit: int = 1000) -> int:
    """Send again messages that were given up, of one alias or all, the oldest first. Returns how many.

    Messages that wait because the provider refused the notifier's set-up are tried now too, all of them.
    """
    dead = Notification.objects.filter(state=State.DEAD).exclude(event__in=secret_values.events())
    problems = SetupProblem.objects.open()
    if alias and not storable.is_storable(alias):
        return 0
    if alias:
        dead, problems = dead.filter(alias=alias), problems.filter(alias=alias)
    waiting = _resume(problems)
    chosen = list(dead.order_by("created_at").values_list("pk", flat=True)[:limit])
    changed = _requeue(Notification.objects.filter(pk__in=chosen, state=State.DEAD)) + waiting
    if changed:
        _wake_after_commit()
    return changed


def resend(notification: Notification, *, address: str = "") -> Notification:
    """Send a message once more as a row of its own, to another address if one is given.

    Raises:
        AddressRefused: the notifier cannot send to that address.
        NotRetryable: the message has secret values.
    """
    return resend_once(notification, key=uuid.uuid4().hex, address=address)[0]


def resend_once(notification: Notification, *, key: str, address: str = "") -> tuple[Notification, bool]:
    """``resend`` once per key and address, so that a form can be submitted twice.

    Returns the new notification, and whether this call has created it.

    Raises:
        AddressRefused: the notifier cannot send to that address.
        NotRetryable: the message has secret values.
        TextRefused: the address or the key is too long, or has a character that cannot be stored.
    """
    _refuse_secrets(notification)
    address = address.strip() or notification.address
    event_id = f"resend:{notification.pk}:{key}"
    storable.check(Notification, address=address, event_id=event_id)
    registry.get_notifier(notification.alias).check_address(address)
    copied = ("channel", "audience", "recipient_key", "recipient_name", "language", "reference", "context")
    resent, is_new = Notification.objects.get_or_create(
        event_id=event_id,
        event=notification.event,
        alias=notification.alias,
        address=address,
        defaults={
            "origin": notification,
            "priority": min(notification.priority, 3),
            **{name: getattr(notification, name) for name in copied},
        },
    )
    if is_new:
        _wake_after_commit()
    return resent, is_new


def _refuse_secrets(notification: Notification) -> None:
    """Staff who could send a code again, to an address of their own, could take over the account."""
    if notification.event in secret_values.events():
        raise NotRetryable(
            _("Staff cannot send this message again, because it has a secret. Its recipient can ask for a new one.")
        )


def _resume(problems: SetupProblemQuerySet) -> int:
    """Let workers try the set-up of these aliases again now. Returns how many messages wait for that.

    A message that has expired meanwhile is sent after all, as ``_requeue`` sends one that was given up.
    """
    now, aliases = timezone.now(), list(problems.values_list("alias", flat=True))
    SetupProblem.objects.open().filter(alias__in=aliases).update(retry_at=now)
    waiting = Notification.objects.filter(alias__in=aliases, state=State.QUEUED)
    expired = waiting.filter(expires_at__lte=now).exclude(event__in=secret_values.events())
    expired.update(expires_at=None)
    waiting.filter(due_at__gt=now).update(due_at=now)
    return waiting.count()


def _requeue(rows: NotificationQuerySet) -> int:
    return rows.update(
        state=State.QUEUED,
        attempts=0,
        due_at=timezone.now(),
        lease=None,
        last_error="",
        # Delivery reports about the earlier sending must not change the state of the next one.
        provider_id="",
        sent_at=None,
        expires_at=None,
        fallback_at=None,
    )


def _wake_after_commit() -> None:
    transaction.on_commit(queues.wake, using=connection_of(Notification).alias, robust=True)
