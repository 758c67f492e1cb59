"""``manage.py shop_catalog_jobs [--list | --all]``, for cron."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_catalog import jobs
from shop_catalog.models import JobRun


class Command(BaseCommand):
    help = "Run the catalogue's periodic jobs that are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list", action="store_true", help="show the jobs and when they last ran")
        parser.add_argument("--all", action="store_true", help="run all now, due or not")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._list()
            return
        failed = jobs.run_due(everything=options["all"])
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}. See the log.")

    def _list(self) -> None:
        runs = {run.name: run for run in JobRun.objects.all()}
        late = jobs.overdue()
        for job in jobs.JOBS:
            run = runs.get(job.name)
            finished = run.last_finished_at.isoformat(timespec="seconds") if run and run.last_finished_at else "never"
            state = "late" if job in late else "ok"
            self.stdout.write(f"{job.name}  every {job.every}  last {finished}  {state}")
            if job in late:
                self.stdout.write(f"    {job.undone}")
            if run and run.last_error:
                self.stdout.write(f"    {run.last_error}")
