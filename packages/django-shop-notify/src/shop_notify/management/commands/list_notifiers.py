from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

from django.core.management.base import BaseCommand

from shop_notify.conf import app_settings
from shop_notify.exceptions import UnknownNotifier
from shop_notify.masking import hide
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Notifier


class Command(BaseCommand):
    help = "Show which notifiers are installed and what each needs, which are configured, and what is missing."
    requires_system_checks = ()
    """A broken notifier would fail the checks, and this command must list it instead of stopping."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Installed:")
        for name, points in sorted(registry.offered().items()):
            # Ours are known by name, and by the entry points of the package if it is installed.
            for point in {(registry.distribution_of(point), point.value): point for point in points}.values():
                self.stdout.write(f"  {name}  ({point.value})")
                for need in _needs_of(point):
                    self.stdout.write(f"      {need}")
        self.stdout.write("Configured:")
        for alias, config in app_settings.NOTIFIERS.items():
            self.stdout.write(f"  {alias}  {config.get('BACKEND', '')}  {_state(alias)}")
            for line in _reports(alias):
                self.stdout.write(f"      {line}")
        missing = {alias for entry in app_settings.ROUTES for alias in entry.get("via", ())} - {
            *app_settings.NOTIFIERS
        }
        if missing:
            self.stdout.write("Missing (named in a route, not configured):")
        for alias in sorted(missing):
            self.stdout.write(f"  {alias}")


def _needs_of(point: EntryPoint) -> Iterator[str]:
    """What a notifier needs to be used, one line for each kind of need."""
    yield f"from: {registry.distribution_of(point)}"
    try:
        notifier = point.load()
        options = ", ".join(_options(notifier))
    except Exception as error:  # noqa: BLE001 - a module of a plugin may raise anything when it is imported
        yield f"cannot be imported: {type(error).__name__}: {error}"
        return
    yield f"address: {_address(notifier)}, channel {notifier.channel}"
    yield f"options: {options or 'none'}"
    if notifier.extra:
        yield f"install: pip install {notifier.extra}"
    if notifier.is_metered:
        yield "metered: each message costs money; set PHONE_REGIONS, SMS_LIMITS apply"
    yield "report URL: yes, for delivery reports" if notifier.takes_reports() else "report URL: none needed"


def _address(notifier: type[Notifier]) -> str:
    if inspect.unwrap(notifier.address_of).__func__ is not Notifier.address_of.__func__:  # type: ignore[attr-defined]
        return "found by the notifier in the recipient or its options"
    return f"the recipient's “{notifier.address_field or notifier.channel}”"


def _options(notifier: type[Notifier]) -> Iterator[str]:
    """The names of the options, each with what a reader must know about it."""
    for option in inspect.signature(notifier).parameters.values():
        if option.name == "alias":
            continue
        facts = ["required"] if option.default is option.empty else []
        facts += ["secret"] if option.name in notifier.secret_options else []
        yield f"{option.name} ({', '.join(facts)})" if facts else option.name


def _state(alias: str) -> str:
    try:
        notifier = registry.get_notifier(alias)
    except UnknownNotifier as error:
        return f"broken: {hide(str(error), registry.secrets_of(alias))}"
    return f"ready, channel {notifier.channel}"


def _reports(alias: str) -> Iterator[str]:
    """Where the provider sends delivery reports, without the secret."""
    try:
        notifier = registry.get_notifier(alias)
    except UnknownNotifier:
        return
    if not notifier.takes_reports():
        return
    url = notifier.report_url
    if not url:
        yield "report URL: unknown; set BASE_URL, and include shop_notify.urls in ROOT_URLCONF"
        return
    secret = getattr(notifier, "report_secret", "")
    if secret and notifier.has_secret_in_report_url:
        url = f"{url.rstrip('/').rpartition('/')[0]}/<report_secret>/"
    yield f"report URL: {url}"
