"""The processes of ``run_demo.py``: starting them, waiting for them, ending them. Standard library only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parents[1]
WINDOWS = sys.platform == "win32"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 15


class Processes:
    """The child processes.

    Each has its own process group, so that Ctrl-C reaches only this process, which ends the groups.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        self.stop()

    def start(self, name: str, command: list[str], *, stdout: int | None = None) -> None:
        options: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined, unused-ignore]
            if WINDOWS
            else {"start_new_session": True, "preexec_fn": end_with_parent()}
        )
        self.running[name] = subprocess.Popen(command, cwd=HERE, env=self.environment, stdout=stdout, **options)  # noqa: S603

    def ended(self) -> str:
        """The name of a process that has exited, "" while all run."""
        return next((name for name, process in self.running.items() if process.poll() is not None), "")

    def wait(self) -> int:
        """Wait until a process exits, which none should do."""
        while not (name := self.ended()):
            time.sleep(0.2)
        say(f"The {name} ended with code {self.running[name].returncode}. Stopping the rest.")
        return 1

    def stop(self) -> None:
        """Terminate each process, wait for running work, then kill what is left of their groups."""
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.CTRL_BREAK_EVENT if WINDOWS else signal.SIGTERM)  # type: ignore[attr-defined, unused-ignore]
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            end_group(process)
            process.wait()


def end_group(process: subprocess.Popen[bytes]) -> None:
    if WINDOWS:
        subprocess.run(  # noqa: S603
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],  # noqa: S607
            capture_output=True,
            check=False,
        )
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def end_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel ends a child whose parent was killed (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(1, signal.SIGTERM)


def wait_until(ask: Callable[[], None], what: str, processes: Processes) -> None:
    """Wait until ``ask`` raises no error, while all processes run."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if name := processes.ended():
            raise SystemExit(
                f"The {name} ended with code {processes.running[name].returncode}; see its messages above."
            )
        try:
            ask()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{what} did not respond within {START_TIMEOUT_SECONDS} seconds.")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
