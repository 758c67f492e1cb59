"""Personal data in the demo's inbox. Named in PERSONAL_DATA where the demo runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from demo.models import Mail, MobileRequest, MobileTransfer, Text

Person = Mapping[str, Any]


def export_personal_data(person: Person) -> dict[str, Any]:
    return {
        "mails": list(_mails(person).values("recipient", "subject", "text")),
        "texts": list(_texts(person).values("phone", "text")),
    }


def erase_personal_data(person: Person) -> list[dict[str, str]]:
    """Delete what the person received, and what others received about their orders."""
    for rows in (_mails(person), _texts(person)):
        rows.delete()
    for model in (MobileRequest, MobileTransfer):
        model._default_manager.filter(phone__in=person.get("phones", ())).delete()
    return []


def _mails(person: Person) -> Any:
    return Mail.objects.filter(Q(recipient__in=person.get("emails", ())) | _about(person, "subject", "text"))


def _texts(person: Person) -> Any:
    return Text.objects.filter(Q(phone__in=person.get("phones", ())) | _about(person, "text"))


def _about(person: Person, *fields: str) -> Q:
    """The messages that name one of the person's orders."""
    found = Q(pk__in=())
    for number in person.get("references", ()):
        for field in fields:
            found |= Q(**{f"{field}__contains": number})
    return found
