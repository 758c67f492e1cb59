"""A process as systemd runs it, with the files of this folder, other ports and other folders."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trial.tools import Failed

SERVER = Path(__file__).resolve().parents[1]


def replaced(text: str, replacements: Mapping[str, str]) -> str:
    """The text with all replacements.

    Raises:
        Failed: a text to replace is missing, so the file has changed.
    """
    for old, new in replacements.items():
        if old not in text:
            raise Failed(f"{old!r} is not in the file any more.")
        text = text.replace(old, new)
    return text


def unit_file(name: str, instance: str, folder: Path) -> tuple[list[str], dict[str, str], float]:
    """Command, environment and pause before a restart of a systemd unit."""
    text = (SERVER / "systemd" / name).read_text(encoding="utf-8")
    paths = {"/srv/shop/current/venv/bin": str(Path(sys.executable).parent)}
    text = replaced(text, paths).replace("%i", instance).replace("/run/", f"{folder}/run/")
    lines = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
    values = {key: value for key, _equals, value in lines}
    if "RuntimeDirectory" in values:
        (folder / "run" / values["RuntimeDirectory"]).mkdir(parents=True)
    environment = dict(part.split("=", 1) for part in values["Environment"].split())
    return values["ExecStart"].split(), environment, float(values["RestartSec"])


def environment_file(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, _equals, value in (line.partition("=") for line in lines)}


class Unit:
    """A process that is started again when it ends, as systemd does with Restart=always."""

    def __init__(self, name: str, command: list[str], *, pause: float, log: Path, **options: Any) -> None:
        self.name, self.command, self.pause, self.options = name, command, pause, options
        self.log = log.open("ab")
        self.is_wanted = True
        self.starts = 0
        self._start()
        self.guard = threading.Thread(target=self._guard, daemon=True)
        self.guard.start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True, **self.options
        )
        self.starts += 1
        self.started = time.monotonic()

    def runs_for(self) -> float:
        """Seconds since the last start, 0 while it is down."""
        return time.monotonic() - self.started if self.process.poll() is None else 0

    def _guard(self) -> None:
        while True:
            self.process.wait()
            self._end_group()
            if not self.is_wanted:
                return
            time.sleep(self.pause)
            if self.is_wanted:
                self._start()

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the main process, then end the rest of its processes, as systemd does."""
        self.process.kill()

    def stop(self) -> None:
        self.is_wanted = False
        self.process.terminate()
        self.guard.join(60)
        if self.guard.is_alive():
            self._end_group()
            self.guard.join()
        self.log.close()
