"""Periodic jobs: each package lists its own, and one command per package runs those that are due.

Another app, such as a contrib app or a plugin, adds jobs to the command of a package: its ``jobs.py`` has ``JOBS``
and, for example, ``RUN_BY = "shop_orders"``. The package's table records the runs of all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, ClassVar

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import module_has_submodule

logger = logging.getLogger(__name__)

EARLY = 0.9  # A job is due after this fraction of its interval, since cron may start a little early.

MISSED_RUNS, SHORTEST_DELAY = 3, timedelta(minutes=15)
"""A job is late after this many intervals since the last finished one, but not before ``shortest_delay``."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A periodic job. ``function`` must be safe to run concurrently. ``consequence``: the effect of not running it."""

    name: str
    function: Callable[[], object]
    every: timedelta
    consequence: str


class Schedule:
    """The jobs that one package's command runs. ``runs`` is the package's model of runs, one row per job's name."""

    def __init__(
        self,
        label: str,
        jobs: Sequence[Job],
        *,
        runs: type[models.Model],
        describe: Callable[[Exception], str] = lambda error: f"{type(error).__name__}: {error}"[:500],
        shortest_delay: timedelta = SHORTEST_DELAY,
    ) -> None:
        self.label = label
        self.own = tuple(jobs)
        self.rows: Any = runs._default_manager
        self.describe, self.shortest_delay = describe, shortest_delay

    def all(self) -> tuple[Job, ...]:
        """The package's own jobs, then those of installed apps whose ``RUN_BY`` is the package."""
        return (*self.own, *(job for module in self._contributed_modules() for job in module.JOBS))

    def run_due(self, *, run_all: bool = False, report: Callable[[str], object] = logger.debug) -> list[str]:
        """Run the jobs that are due, or all. Returns the names of failed ones. ``report`` gets a line for each."""
        failed = []
        for job in self.all():
            if self._claim(job, run_all=run_all):
                is_done = self._run(job)
                report(f"{job.name}: {'done' if is_done else 'failed'}")
                failed += [] if is_done else [job.name]
        return failed

    def run(self, job: Job) -> bool:
        """Run one job now and record the run. Returns False if it raised an error, which is logged and recorded."""
        self._claim(job, run_all=True)
        return self._run(job)

    def overdue(self) -> list[Job]:
        """Jobs that failed at their last run, have never finished one, or are late with the next, for health views."""
        runs, now = self.runs(), timezone.now()

        def is_late(job: Job) -> bool:
            run = runs.get(job.name)
            if run is None or run.last_error or run.last_finished_at is None:
                return True
            return bool(now - run.last_finished_at > max(MISSED_RUNS * job.every, self.shortest_delay))

        return [job for job in self.all() if is_late(job)]

    def runs(self) -> dict[str, Any]:
        """The last run of each job that ever started, by the job's name."""
        return {run.name: run for run in self.rows.all()}

    def _contributed_modules(self) -> Iterator[Any]:
        for config in apps.get_app_configs():
            if config.label != self.label and module_has_submodule(config.module, "jobs"):
                module = import_module(f"{config.name}.jobs")
                if getattr(module, "RUN_BY", "") == self.label:
                    yield module

    def _claim(self, job: Job, *, run_all: bool) -> bool:
        """Record the start of a job if it is due or ``run_all`` is set. Only one of two commands starts a due job."""
        now = timezone.now()
        self.rows.get_or_create(name=job.name)
        due = Q() if run_all else Q(last_started_at=None) | Q(last_started_at__lte=now - job.every * EARLY)
        return bool(self.rows.filter(due, name=job.name).update(last_started_at=now))

    def _run(self, job: Job) -> bool:
        row = self.rows.filter(name=job.name)
        try:
            job.function()
        except Exception as error:
            logger.exception("The job %s failed", job.name)
            row.update(last_error=self.describe(error))
            return False
        row.update(last_finished_at=timezone.now(), last_error="")
        return True


class JobsCommand(BaseCommand):
    """A package's command: runs the jobs that are due, or with ``--all`` every job. ``--list`` shows the last runs."""

    schedule: ClassVar[Schedule]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list", action="store_true", help="show the jobs and when they last ran; run nothing")
        parser.add_argument("--all", action="store_true", help="run every job now, due or not, and say which")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["list"]:
            self._list()
            return
        report = self.stdout.write if options["all"] else logger.debug  # cron sends an e-mail of each output
        if failed := self.schedule.run_due(run_all=options["all"], report=report):
            raise CommandError(f"Failed: {', '.join(failed)}. See the log or --list for the errors.")

    def _list(self) -> None:
        runs, late = self.schedule.runs(), self.schedule.overdue()
        for job in self.schedule.all():
            run = runs.get(job.name)
            finished = run.last_finished_at.isoformat(timespec="seconds") if run and run.last_finished_at else "never"
            self.stdout.write(f"{job.name}  every {job.every}  finished {finished}  {'late' if job in late else 'ok'}")
            if job in late:
                self.stdout.write(f"    {job.consequence}")
            if run and run.last_error:
                self.stdout.write(f"    last error: {run.last_error}")
