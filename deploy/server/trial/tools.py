"""Helpers for all parts of the trial."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.request
from typing import Any

HOST = "shop.example.org"
PATIENCE_SECONDS = 60
"""How long a customer tries again, and how long a process may take to start."""


class Failed(Exception):
    """A check of the trial failed; the message says which."""


def expect(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise Failed(f"{what}: {found!r} instead of {wanted!r}")


def wait_for(url: str, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    request = urllib.request.Request(url, headers={"Host": HOST})
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5):
            return
        time.sleep(0.2)
    raise Failed(f"{what} did not come up.")


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    print(text, flush=True)
