from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop_orders import jobs
from shop_orders.models import JobRun


class Command(BaseCommand):
    help = "Run the periodic jobs of shop_orders that are due. Call it every minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--list", action="store_true", help="Show the jobs and when they ran; run nothing.")
        parser.add_argument("--all", action="store_true", help="Run every job now.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._show()
            return
        results = jobs.run_due(run_all=options["all"])
        for name, changed in results.items():
            self.stdout.write(f"{name}: {'failed' if changed is None else changed}")
        failed = [name for name, changed in results.items() if changed is None]
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}. The log has the reasons.")

    def _show(self) -> None:
        runs = {run.name: run for run in JobRun.objects.all()}
        late = jobs.overdue()
        for job in jobs.JOBS:
            run = runs.get(job.name)
            finished = run.last_finished_at.isoformat(timespec="seconds") if run and run.last_finished_at else "never"
            state = f" LATE: {job.undone}" if job.name in late else ""
            error = f" Last error: {run.last_error}" if run and run.last_error else ""
            self.stdout.write(f"{job.name}: every {job.every}, finished {finished}.{state}{error}")
