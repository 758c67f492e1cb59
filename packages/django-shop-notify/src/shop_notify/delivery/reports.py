"""Delivery reports of providers, and the changes of a notification's state that they may make (``models.FORWARD``)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import Q
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from shop_core.db.transactions import connection_of, in_transaction

from shop_notify import outbox, secret_values
from shop_notify.delivery.settling import announce
from shop_notify.exceptions import UnknownNotifier
from shop_notify.masking import mask
from shop_notify.models import FORWARD, DeliveryReport, Notification, State
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Report
from shop_notify.recipients import suppressions, wishes
from shop_notify.signals import notification_delivered, notification_failed
from shop_notify.storable import storable_text, stored_id

logger = logging.getLogger(__name__)

BATCH = 100
"""The number of reports that are recorded in one transaction: a provider may send a thousand in one call."""
_SIGNALS: Mapping[str, Signal] = {State.DELIVERED: notification_delivered, State.FAILED: notification_failed}


def receive_request(alias: str, request: HttpRequest) -> HttpResponse | None:
    """Read and apply the delivery reports in a provider's request.

    Returns the response to a provider that verifies the URL, None otherwise.

    Raises:
        UnknownNotifier: the alias is not configured.
        ReportRefused: the request does not prove that it comes from the provider.
    """
    notifier = registry.get_notifier(alias)
    challenge = notifier.answer_challenge(request)
    if challenge is None:
        receive_reports(alias, notifier.read_report(request))
    return challenge


def receive_reports(alias: str, reports: Iterable[Report]) -> int:
    """Store and apply delivery reports. Returns how many notifications changed.

    A duplicate changes nothing. A report that arrives before the result of its attempt is recorded is stored, and
    applied afterwards.
    """
    received = [replace(report, address=storable_text(report.address)) for report in reports]
    for report in received:
        # Each in a transaction of its own, so that two calls cannot deadlock on each other's addresses.
        _receive_wish(alias, report)
    # Sorted, so that two calls lock messages in the same order. Reports of one message keep their order.
    of_messages = sorted(
        (report for report in received if report.provider_id and not report.wish),
        key=lambda report: str(report.provider_id),
    )
    batches = (of_messages[start : start + BATCH] for start in range(0, len(of_messages), BATCH))
    return sum(_receive_batch(alias, batch) for batch in batches)


def _receive_wish(alias: str, report: Report) -> None:
    """Suppress or permit the address, if the report says so."""
    if not report.suppress and not report.wish:
        return  # before the alias is looked up: it may have been removed from the settings
    channel = registry.notifier_class(alias).channel
    if report.suppress and report.address:
        suppressions.suppress(channel, report.address, reason=report.suppress)
    if report.wish:
        _record_wish(alias, channel, report)


@in_transaction(DeliveryReport)
def _record_wish(alias: str, channel: str, report: Report) -> None:
    """Record a wish. Confirm it if it is the STOP of a person who got messages until now."""
    was_suppressed = bool(suppressions.suppressed(channel, [report.address]))
    wishes.record_wish(alias, channel, report.address, wish=report.wish, message_id=report.provider_id, at=report.at)
    is_suppressed = bool(suppressions.suppressed(channel, [report.address]))
    if is_suppressed and not was_suppressed and _confirms_stop(alias):
        outbox.put([wishes.confirmation(alias, channel, report.address)])


def _confirms_stop(alias: str) -> bool:
    try:
        return registry.get_notifier(alias).confirms_stop
    except UnknownNotifier:
        return False


@in_transaction(Notification)
def _receive_batch(alias: str, reports: Sequence[Report]) -> int:
    """Store and apply some reports. Locks their messages first, as all code does that changes both."""
    ids = [stored_id(report.provider_id, 200) for report in reports]
    rows = {row.provider_id: row for row in _locked(alias, ids)}
    return sum(_store_and_apply(alias, key, report, rows) for key, report in zip(ids, reports, strict=True))


def _locked(alias: str, provider_ids: Iterable[str]) -> Iterable[Notification]:
    """The messages with these ids, locked in the order of their keys. If several have one id, the first is used."""
    rows = Notification.objects.filter(alias=alias, provider_id__in={*provider_ids})
    return [*rows.order_by("pk").select_for_update()][::-1]


def _store_and_apply(alias: str, provider_id: str, report: Report, rows: Mapping[str, Notification]) -> bool:
    """Store a report, and apply it if its notification is known. Returns whether the notification changed."""
    stored, _is_new = DeliveryReport.objects.get_or_create(
        alias=alias,
        provider_id=provider_id,
        status=storable_text(report.status)[:50],
        address=report.address[:500],
        defaults={"state": report.state, "detail": _detail(alias, provider_id, report)},
    )
    if stored.notification_id is not None:
        return False
    row = rows.get(provider_id)
    if row is not None:
        return _apply(stored, row)
    # The result may be recorded between this query and the commit. Then neither transaction sees the other's row.
    using = connection_of(Notification).alias
    transaction.on_commit(lambda: _apply_if_recorded(alias, provider_id), using=using, robust=True)
    return False


def _detail(alias: str, provider_id: str, report: Report) -> str:
    """The detail of a report without secrets, since a provider may quote the message.

    If no message has this ``provider_id`` yet, the report may be about any message that is being sent.
    """
    secrets = list(registry.secrets_of(alias))
    if report.detail and (events := secret_values.events()):
        rows = Notification.objects.filter(alias=alias, event__in=events)
        try:
            for row in rows.filter(Q(provider_id=provider_id) | Q(state=State.SENDING)):
                secrets += secret_values.reveal(row.event, row.context).values()
        except Exception:
            logger.exception("The secret values of a message cannot be made, so the detail of its report is not kept")
            return ""
    return mask(report.detail, secrets=secrets)


def _apply_if_recorded(alias: str, provider_id: str) -> None:
    row = Notification.objects.filter(alias=alias, provider_id=provider_id).first()
    if row is not None:
        apply_waiting(row)


@in_transaction(Notification)
def apply_waiting(row: Notification) -> None:
    """Apply the reports that arrived before the provider's id was recorded. Locks the message, then its reports."""
    locked = Notification.objects.select_for_update().get(pk=row.pk)
    waiting = DeliveryReport.objects.select_for_update().filter(
        alias=row.alias, provider_id=row.provider_id, notification=None
    )
    for stored in waiting:
        _apply(stored, locked)


def _apply(stored: DeliveryReport, row: Notification) -> bool:
    if stored.address and suppressions.stored_form(stored.address) != suppressions.stored_form(row.address):
        logger.warning("A delivery report of %s names a different address from that of the message", stored.alias)
        return False
    stored.notification = row
    stored.save(update_fields=["notification"])
    if stored.state not in FORWARD.get(row.state, ()):
        return False
    now = timezone.now()
    row.state = stored.state
    row.lease = None
    row.updated_at = now
    if stored.state in {State.DELIVERED, State.READ}:
        row.delivered_at = row.delivered_at or now
        row.fallback_at = None
        row.last_error = ""
    elif stored.state == State.FAILED:
        row.last_error = f"{stored.status}: {stored.detail}"[:500].rstrip(": ")
        row.fallback_at = now if row.fallback else None
    row.save(update_fields=["state", "lease", "updated_at", "delivered_at", "fallback_at", "last_error"])
    announce(row, _SIGNALS)
    return True
