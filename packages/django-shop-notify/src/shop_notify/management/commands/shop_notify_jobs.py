from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_notify import jobs


class Command(BaseCommand):
    help = "Run the periodic jobs that are due. For cron: each minute."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="Run every job now.")
        parser.add_argument("--list", action="store_true", help="Show the jobs and when they ran.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._list()
            return
        chosen = jobs.JOBS if options["all"] else jobs.due()
        failed = [job.name for job in chosen if not jobs.run(job)]
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}. The error is in `shop_notify_jobs --list`.")

    def _list(self) -> None:
        runs = jobs.state()
        for job in jobs.JOBS:
            row = runs.get(job.name)
            last = row.last_finished_at.isoformat(timespec="seconds") if row and row.last_finished_at else "never"
            self.stdout.write(f"{job.name}: every {job.every}, last finished {last}. If it never runs: {job.undone}")
            if row and row.last_error:
                self.stdout.write(f"  last error: {row.last_error}")
