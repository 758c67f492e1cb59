"""Personal data: the messages of a person, as plain data, and their erasure.

A person is a mapping of plain values: ``user`` (the primary key as text), ``keys`` of recipients, ``emails``,
``phones``, and ``references``, such as the numbers of the person's orders. A missing key counts as empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import ngettext
from shop_core.addresses import comparable
from shop_core.db.transactions import in_transaction

from shop_notify.managers import NotificationQuerySet
from shop_notify.models import DeliveryReport, Notification, Preference, State
from shop_notify.recipients import suppressions
from shop_notify.storable import stored_id

Person = Mapping[str, Any]

ROWS_AT_A_TIME = 500


def export_personal_data(person: Person) -> dict[str, Any]:
    """The messages that were sent to the person, and their preferences. Times in ISO 8601."""
    rows = _sent_to(person).order_by("pk").prefetch_related("reports")
    return {
        "messages": [
            {
                "event": row.event,
                "channel": row.channel,
                "address": row.address,
                "name": row.recipient_name,
                "state": row.state,
                "subject": row.subject,
                "text": row.text,
                "created_at": row.created_at.astimezone(UTC).isoformat(),
                "reports": [report.status for report in row.reports.all()],
            }
            for row in rows
        ],
        "preferences": [
            {"group": row.group, "notifier": row.alias, "is_enabled": row.is_enabled}
            for row in Preference.objects.filter(recipient_key__in=_keys(person)).order_by("pk")
        ],
    }


def erase_personal_data(person: Person) -> list[dict[str, str]]:
    """Delete the person's messages, those to others about their orders, and their preferences.

    Suppressed addresses stay suppressed: they are kept as keyed hashes. Messages that a worker is sending are kept for
    now, and returned as ``{"what", "reason"}``. A second call changes nothing.

    Raises:
        Busy: the database refused a transaction twice.
    """
    _delete_messages(person)
    _delete_rest(person)
    being_sent = _about(person).filter(state=State.SENDING).count()
    if not being_sent:
        return []
    what = ngettext("%(count)d message", "%(count)d messages", being_sent) % {"count": being_sent}
    return [{"what": what, "reason": ngettext("It is being sent.", "They are being sent.", being_sent)}]


def _delete_messages(person: Person) -> None:
    """Delete the messages that no worker is sending, one chunk per transaction. Queued ones are then never sent."""
    while True:
        chunk = _about(person).exclude(state=State.SENDING).values_list("pk", flat=True)[:ROWS_AT_A_TIME]
        if not _delete_chunk(list(chunk)):
            return


@in_transaction(Notification)
def _delete_chunk(keys: Sequence[int]) -> int:
    return Notification.objects.filter(pk__in=keys).exclude(state=State.SENDING).delete()[0]


@in_transaction(Preference)
def _delete_rest(person: Person) -> None:
    Preference.objects.filter(recipient_key__in=_keys(person)).delete()
    waiting = DeliveryReport.objects.filter(notification=None)
    waiting.filter(address__in=[*_spellings(waiting, person), *_addresses(person)]).delete()
    suppressions.hash_addresses(_addresses(person))


def _sent_to(person: Person) -> NotificationQuerySet:
    return Notification.objects.filter(_is_to(person))


def _about(person: Person) -> NotificationQuerySet:
    """The messages to a person, and those to others about their orders."""
    references = [stored_id(reference) for reference in person.get("references", ()) if reference]
    return Notification.objects.filter(_is_to(person) | Q(reference__in=references))


def _is_to(person: Person) -> Q:
    """By key or e-mail address, not by phone: a person's phone numbers are not verified."""
    found = Q(recipient_key__in=_keys(person))
    for spelling in _spellings(Notification.objects.all(), person):
        found |= Q(address__iexact=spelling, address=spelling)  # the first uses the index, the second is exact
    return found


def _keys(person: Person) -> list[str]:
    """The keys of recipients, with the one that the default of REQUEST_RECIPIENT gives to a user."""
    user = person.get("user")
    return [stored_id(key) for key in (*person.get("keys", ()), f"user:{user}" if user else "") if key]


def _emails(person: Person) -> list[str]:
    """The e-mail addresses, as they are given and in the form to compare."""
    emails = [email for email in person.get("emails", ()) if email]
    return sorted({*emails, *map(comparable, emails)})


def _spellings(rows: QuerySet[Any], person: Person) -> list[str]:
    """The person's e-mail addresses as these rows spell them: in another letter case, or with the domain in letters.

    The database also matches addresses that differ, such as an i without a dot (U+0131) for an i. ``comparable``
    removes them.
    """
    wanted = {comparable(email) for email in _emails(person)}
    tried = Q()
    for address in {*_emails(person), *map(_with_letters, wanted)}:
        tried |= Q(address__iexact=address)
    found = rows.filter(tried).values_list("address", flat=True).distinct() if tried else []
    return [address for address in found if comparable(address) in wanted]


def _with_letters(address: str) -> str:
    """The address with its domain in letters, ``ann@bücher.example`` for ``ann@xn--bcher-kva.example``."""
    local_part, _at, domain = address.rpartition("@")
    try:
        return f"{local_part}@{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return address


def _addresses(person: Person) -> list[str]:
    return [*_emails(person), *(phone for phone in person.get("phones", ()) if phone)]
