from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from shop_notify.conf import app_settings
from shop_notify.exceptions import UnknownNotifier
from shop_notify.notifiers import registry


class Command(BaseCommand):
    help = "Show which notifiers are installed, which are configured, and what is missing."
    requires_system_checks = ()
    """A broken notifier would fail the checks, and this command must list it instead of stopping."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Installed:")
        for name, point in sorted(registry.installed().items()):
            self.stdout.write(f"  {name}  ({point.value})")
        self.stdout.write("Configured:")
        for alias, config in app_settings.NOTIFIERS.items():
            self.stdout.write(f"  {alias}  {config.get('BACKEND', '')}  {self._state(alias)}")
        missing = {alias for entry in app_settings.ROUTES for alias in entry.get("via", ())} - {
            *app_settings.NOTIFIERS
        }
        if missing:
            self.stdout.write("Missing (named in a route, not configured):")
        for alias in sorted(missing):
            self.stdout.write(f"  {alias}")

    def _state(self, alias: str) -> str:
        try:
            notifier = registry.get_notifier(alias)
        except UnknownNotifier as error:
            return f"broken: {error}"
        return f"ready, channel {notifier.channel}"
