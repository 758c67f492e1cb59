"""``manage.py prepare_demo``: migrate, and fill an empty shop with sample data."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate the database, load sample data into an empty shop and schedule the periodic work."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("load_sample_data", stdout=self.stdout)
        call_command("schedule_jobs", stdout=self.stdout)
