"""``manage.py schedule_jobs``: let django-q2 run the packages' periodic work each minute."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django_q.models import Schedule

COMMANDS = ("shop_catalog_jobs", "shop_orders_jobs", "shop_notify_jobs", "clear_accounts")


class Command(BaseCommand):
    help = "Create or update the schedules of the periodic work. Safe to run at each deployment."

    def handle(self, *args: Any, **options: Any) -> None:
        for name in COMMANDS:
            daily = name == "clear_accounts"
            Schedule.objects.update_or_create(
                name=name,
                defaults={
                    "func": "django.core.management.call_command",
                    "args": repr((name,)),
                    "kwargs": repr({"verbosity": 0}),
                    "schedule_type": Schedule.DAILY if daily else Schedule.MINUTES,
                    "minutes": None if daily else 1,
                    "repeats": -1,
                },
            )
        self.stdout.write(f"{len(COMMANDS)} schedules are in place.")
