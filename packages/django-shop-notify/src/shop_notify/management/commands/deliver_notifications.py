from __future__ import annotations

import signal
import time
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from shop_core.db.transactions import connection_of
from shop_core.jobs import Schedule

from shop_notify import delivery, jobs
from shop_notify.conf import app_settings
from shop_notify.models import JobRun, Notification
from shop_notify.queues import POSTGRESQL, queries


class Command(BaseCommand):
    help = "Deliver what is due. With --loop, continue until stopped, without a queue or a scheduler."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="Continue until SIGTERM or Ctrl-C.")
        parser.add_argument(
            "--poll",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="Seconds between two checks (default 1). The queue “postgresql” also wakes the loop at once.",
        )

    def handle(self, *args: Any, loop: bool, poll: float, **options: Any) -> None:
        self._stopping = False
        if not loop:
            tried = delivery.deliver_due(for_seconds=float("inf"))
            self.stdout.write(f"{tried} attempted.")
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._deliver = partial(delivery.deliver_due, keep_going=lambda: not self._stopping)
        self._schedule = self._schedule_of_loop()
        while not self._stopping:
            close_old_connections()
            self._run_once()
            self._wait(poll)

    def _schedule_of_loop(self) -> Schedule:
        """The package's jobs. Its ``deliver`` job ends early when the loop is stopped."""
        own = [replace(job, function=self._deliver) if job.name == "deliver" else job for job in jobs.JOBS]
        return Schedule("shop_notify", own, runs=JobRun, describe=jobs.masked)

    def _run_once(self) -> None:
        """Deliver what is due and run the jobs that are due. Only a signal ends the loop."""
        try:
            # Listen before delivering, so that no wake-up is missed in between.
            if self._listens():
                queries.listen()
            self._deliver()
            if not self._stopping:  # delivering is recorded as a job too, so that health views see the loop
                self._schedule.run_due()
        except Exception as error:  # noqa: BLE001
            self.stderr.write(f"{type(error).__name__}: trying again in a moment.")

    def _listens(self) -> bool:
        return app_settings.QUEUE == POSTGRESQL and queries.can_listen()

    def _wait(self, poll: float) -> None:
        """Wait for a wake-up, a signal, or the end of the poll."""
        until = time.monotonic() + poll
        while not self._stopping and (left := until - time.monotonic()) > 0:
            if self._wait_briefly(min(0.2, left)):
                return

    def _wait_briefly(self, seconds: float) -> bool:
        """Wait a little. Returns whether a wake-up came."""
        try:
            if self._listens():
                return queries.wait(seconds)
        except DatabaseError:
            connection_of(Notification).close()
        time.sleep(seconds)
        return False

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """Finish the message that is being sent, release the others, and end."""
        self._stopping = True
