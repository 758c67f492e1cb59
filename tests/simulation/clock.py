"""The time, which moves only when the simulation says so."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from unittest import mock

START = dt.datetime(2030, 1, 7, 9, 0, tzinfo=dt.UTC)


class Clock:
    def __init__(self, now: dt.datetime = START) -> None:
        self.now = now

    def advance(self, **duration: float) -> None:
        self.now += dt.timedelta(**duration)

    def advance_to(self, when: dt.datetime) -> None:
        self.now = max(self.now, when)

    def __str__(self) -> str:
        return f"day {(self.now.date() - START.date()).days + 1} {self.now:%H:%M:%S}"


@contextlib.contextmanager
def virtual(clock: Clock) -> Iterator[None]:
    """Let ``timezone.now`` read this clock, also where a model field holds the function as its default."""

    class VirtualDatetime(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return clock.now.astimezone(tz) if tz else clock.now.replace(tzinfo=None)

    with mock.patch("django.utils.timezone.datetime", VirtualDatetime):
        yield
