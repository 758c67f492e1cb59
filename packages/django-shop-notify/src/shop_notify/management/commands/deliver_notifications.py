from __future__ import annotations

import signal
import time
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections, connection

from shop_notify import delivery, jobs, queues


class Command(BaseCommand):
    help = "Deliver what is due. With --loop: go on until stopped, so that no queue and no scheduler is needed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="Go on until SIGTERM or Ctrl-C.")
        parser.add_argument(
            "--poll",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="How often to look (default 1). The queue “postgresql” wakes the loop besides, at once.",
        )

    def handle(self, *args: Any, loop: bool, poll: float, **options: Any) -> None:
        self._stopping = False
        if not loop:
            tried = delivery.deliver_due(for_seconds=float("inf"))
            self.stdout.write(f"{tried} tried.")
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            close_old_connections()
            self._turn()
            self._wait(poll)

    def _turn(self) -> None:
        """One look at the outbox and the other jobs. Nothing ends the loop but a signal."""
        try:
            # Before the look, so that what comes after it is heard.
            if queues.can_listen():
                queues.listen()
            deliver = partial(delivery.deliver_due, keep_going=lambda: not self._stopping)
            deliver()
            for job in jobs.due():
                if not self._stopping:  # delivering is noted as a job too: health views see that somebody looks
                    jobs.run(replace(job, function=deliver) if job.name == "deliver" else job)
        except Exception as error:  # noqa: BLE001
            self.stderr.write(f"{type(error).__name__}: looking again in a moment.")

    def _wait(self, poll: float) -> None:
        """Until something is to be done, or the poll is over."""
        until = time.monotonic() + poll
        while not self._stopping and (left := until - time.monotonic()) > 0:
            if self._nap(min(0.2, left)):
                return

    def _nap(self, seconds: float) -> bool:
        """Wait a little. Returns whether a wake-up came."""
        try:
            if queues.can_listen():
                return queues.wait(seconds)
        except DatabaseError:
            connection.close()
        time.sleep(seconds)
        return False

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """Finish the message in hand, give back the rest, and end."""
        self._stopping = True
