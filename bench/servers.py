"""The web servers of the benchmarks: starting, measuring and stopping them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cpu import tree_ms

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT, *sorted(ROOT.glob("packages/*/src"))]
RESULTS = ROOT / "bench" / "results"
START_SECONDS = 30


@dataclass(frozen=True)
class Peer:
    """One implementation of the same requests: a WSGI application and its environment."""

    name: str
    application: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    peer: Peer
    port: int
    pid: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_ms(self) -> float:
        return tree_ms(self.pid)


@contextlib.contextmanager
def running(peer: Peer, *, workers: int = 2) -> Iterator[Server]:
    """The peer behind granian with some worker processes of four threads each, ready for requests."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers), "--blocking-threads", "4", "--no-ws", "--log-level", "warning"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES)), **peer.environment}
    process = subprocess.Popen([*command, peer.application], cwd=ROOT, env=environment, start_new_session=True)
    try:
        _await(f"http://127.0.0.1:{port}/ready", process)
        yield Server(peer, port, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with exit code {process.returncode}.")
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError as error:
            if getattr(error, "code", 0):
                return
            time.sleep(0.1)
    raise RuntimeError(f"No response from {url} within {START_SECONDS} s.")
