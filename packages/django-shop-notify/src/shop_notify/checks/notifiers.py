"""Checks of the installed and of the configured notifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.db import DatabaseError
from django.urls import NoReverseMatch, reverse

from shop_notify.conf import app_settings
from shop_notify.exceptions import AddressRefused, UnknownNotifier
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Notifier

PHONE = "+254711000001"
RECIPIENTS: Sequence[Mapping[str, str]] = ({}, {"phone": PHONE})


def check_notifiers() -> Iterator[CheckMessage]:
    yield from _names()
    for alias in app_settings.NOTIFIERS:
        try:
            notifier = registry.get_notifier(alias)
        except UnknownNotifier as error:
            line = f'"{alias}": {{"BACKEND": "dotted.path.or.name", "OPTIONS": {{...}}}}'
            hint = f"Write {line}; `manage.py list_notifiers` shows the names."
            yield Error(str(error), hint=hint, id="shop_notify.E001")
            continue
        problems = list(_addresses(alias, notifier))
        yield from problems
        yield from _reports(alias, notifier)
        if problems:
            continue
        if notifier.channel == "sms" or notifier.is_metered:
            yield from _phones(alias, notifier)


def _names() -> Iterator[CheckMessage]:
    """Two distributions with the same name of an entry point: which notifier sends would be arbitrary."""
    for name, points in registry.offered().items():
        if len({registry.distribution_of(point) for point in points}) > 1:
            found = dict.fromkeys(f"{registry.distribution_of(point)} ({point.value})" for point in points)
            yield Error(
                f"Several distributions have a notifier “{name}”: {', '.join(found)}.",
                hint="Uninstall all of them but one, or ask their authors for another name of the entry point.",
                id="shop_notify.E012",
            )


def _addresses(alias: str, notifier: Notifier) -> Iterator[CheckMessage]:
    for recipient in RECIPIENTS:
        try:
            _address_of(notifier, recipient)
        except Exception as error:  # noqa: BLE001 - a site's notifier may raise anything
            yield Error(
                f"address_of of “{alias}” raises for the recipient {recipient}: {type(error).__name__}: {error}",
                hint="Return an empty text if the recipient has no address for this notifier.",
                id="shop_notify.E014",
            )
            return


def _address_of(notifier: Notifier, recipient: Mapping[str, str]) -> str | None:
    """The address; None if a table is missing. `migrate` runs the checks before it makes the table."""
    try:
        return registry.address_of(notifier.alias, recipient)
    except DatabaseError:
        return None


def _reports(alias: str, notifier: Notifier) -> Iterator[CheckMessage]:
    if not notifier.takes_reports():
        return
    if getattr(notifier, "report_secret", None) == "":
        yield Warning(
            f"“{alias}” refuses delivery reports, because it has no secret for their URL.",
            hint='"OPTIONS": {..., "report_secret": env("REPORT_SECRET")}, a long random text.',
            id="shop_notify.W002",
        )
    if getattr(settings, "ROOT_URLCONF", "") and not _has_report_url(alias):
        yield Warning(
            f"“{alias}” reads delivery reports, but ROOT_URLCONF has no URL for them.",
            hint='urlpatterns = [path("notify/", include("shop_notify.urls")), ...]; an alias in a URL consists of '
            "letters, digits, hyphens and underscores.",
            id="shop_notify.W012",
        )


def _has_report_url(alias: str) -> bool:
    try:
        reverse("shop_notify:report", args=[alias])
    except NoReverseMatch:
        return False
    return True


def _phones(alias: str, notifier: Notifier) -> Iterator[CheckMessage]:
    if notifier.is_metered and not app_settings.PHONE_REGIONS:
        yield Error(
            f"“{alias}” cannot send to any country, because PHONE_REGIONS is empty.",
            hint='SHOP_NOTIFY = {"PHONE_REGIONS": ["KE"], ...}',
            id="shop_notify.E002",
        )
    if _address_of(notifier, {"phone": PHONE}) == "":
        yield Warning(
            f"“{alias}” sends to phones, but does not read a recipient's “phone”, so customers get no message.",
            hint=f'class {type(notifier).__name__}(Notifier): address_field = "phone"',
            id="shop_notify.W013",
        )
    try:
        notifier.check_address(PHONE)
    except (AddressRefused, DatabaseError):
        return
    except ImportError as error:
        yield Error(
            f"“{alias}” cannot check a phone number, so it sends nothing: {error}",
            hint="pip install django-shop-notify[sms], which has phonenumberslite.",
            id="shop_notify.E013",
        )
    except Exception as error:  # noqa: BLE001 - a site's notifier may raise anything
        yield Error(
            f"check_address of “{alias}” raises for the phone number {PHONE}: {type(error).__name__}: {error}",
            hint="Raise AddressRefused for a number to which the notifier cannot send.",
            id="shop_notify.E013",
        )
