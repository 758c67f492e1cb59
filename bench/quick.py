"""``python -m bench.quick URL``: the bench without HTTP, one request at a time, for busy machines.

Each peer runs in a process of its own; the result is CPU milliseconds per request, web and database together.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import subprocess
import sys
import time
from statistics import median
from typing import Any

from bench import run
from bench.cpu import tree_ms
from bench.databases import postmaster_of
from bench.servers import ROOT, SOURCES, Peer

SECONDS = 0.8
"""The time for one endpoint in one round."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.quick", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--peer", help="run as this peer and print the costs")
    parser.add_argument("--peers", default=",".join(run.PEERS))
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(costs(options.peer, options.url)))
        return 0
    found: dict[tuple[str, str], list[float]] = {}
    for _round in range(options.rounds):
        for peer in run.peers(options.url):
            if peer.name in options.peers.split(","):
                for endpoint, cost in _asked(peer, options.url).items():
                    found.setdefault((endpoint, peer.name), []).append(cost)
    names = options.peers.split(",")
    print("| endpoint | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for endpoint in run.ENDPOINTS:
        print(f"| {endpoint} | " + " | ".join(f"{median(found[endpoint, name]):.2f}" for name in names) + " |")
    return 0


def costs(name: str, url: str) -> dict[str, float]:
    """CPU milliseconds per request by endpoint. The paths are requested in turn."""
    [peer] = [peer for peer in run.peers(url) if peer.name == name]
    module, _colon, attribute = peer.application.partition(":")
    application = getattr(importlib.import_module(module), attribute)
    postmaster, kind, found = postmaster_of(url), name.split(maxsplit=1)[0], {}
    for endpoint, by_kind in run.paths(url).items():
        paths = by_kind[kind]
        for path in paths[:30]:
            _ask(application, path)
        own, database, count = time.process_time(), tree_ms(postmaster), 0
        deadline = own + SECONDS / 2
        until = time.perf_counter() + SECONDS
        while count < 10 or (time.process_time() < deadline and time.perf_counter() < until):
            _ask(application, paths[count % len(paths)])
            count += 1
        found[endpoint] = ((time.process_time() - own) * 1000 + tree_ms(postmaster) - database) / count
    return found


def _ask(application: Any, path: str) -> None:
    address, _mark, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": address,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    status: list[str] = []
    response = application(environ, lambda line, _headers, _error=None: status.append(line))
    b"".join(response)
    if hasattr(response, "close"):
        response.close()
    if not status[0].startswith("200"):
        raise AssertionError(f"{path}: {status[0]}")


def _asked(peer: Peer, url: str) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES)), **peer.environment}
    command = [sys.executable, "-m", "bench.quick", url, "--peer", peer.name]
    completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if completed.returncode not in {0, -6}:
        raise RuntimeError(completed.stderr)
    found: dict[str, float] = json.loads(completed.stdout)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
