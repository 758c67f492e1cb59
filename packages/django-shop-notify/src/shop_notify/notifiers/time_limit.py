"""A hard limit on the time that a notifier may take."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeLimitExceeded(BaseException):
    """Not an ``Exception``, so that a notifier which catches everything does not catch this."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TimeLimitExceeded`` in the block after ``seconds``.

    In the main thread of a Unix process a signal ends a call that blocks. In other threads, and on Windows, the
    exception is raised when the blocking call returns. So a notifier also needs a time-out for each read. The limit
    then ends a sequence of short reads, such as those from a server that sends a byte a second.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        limit = _by_signal(seconds)
    else:
        limit = _by_watcher(seconds)
    with limit:
        yield


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def expire(_number: int, _frame: FrameType | None) -> None:
        raise TimeLimitExceeded

    previous = signal.signal(signal.SIGALRM, expire)
    # Raised again each second, for code that catches the first exception.
    earlier, _interval = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, earlier)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def _by_watcher(seconds: float) -> Iterator[None]:
    thread, over, lock = threading.get_ident(), threading.Event(), threading.Lock()

    def watch() -> None:
        pause = seconds
        while not over.wait(pause):
            with lock:
                if not over.is_set():
                    _raise_in(thread, TimeLimitExceeded)
            pause = 1.0  # again, for code that catches the first exception

    def stop() -> None:
        over.set()
        with lock:
            _raise_in(thread, None)  # cancel an exception that is not raised yet

    threading.Thread(target=watch, name="notifier-time-limit", daemon=True).start()
    try:
        yield
    finally:
        try:
            stop()
        except TimeLimitExceeded:
            stop()
            raise


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in another thread at its next instruction of Python (``PyThreadState_SetAsyncExc``)."""
    argument = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), argument)
