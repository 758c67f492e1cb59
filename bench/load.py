"""Load from wrk, and its cost: CPU milliseconds per request of the web processes and of the database."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cpu import tree_ms
from bench.servers import Server

IDLE_MS_PER_SECOND = 20


@dataclass(frozen=True)
class Sample:
    """One round: CPU in milliseconds per request, latencies in milliseconds."""

    peer: str
    endpoint: str
    web_cpu_ms: float
    database_cpu_ms: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failures: int

    @property
    def cpu_ms(self) -> float:
        return self.web_cpu_ms + self.database_cpu_ms


def measure(
    server: Server, endpoint: str, paths: Sequence[str], *, postmaster: int, seconds: int, connections: int
) -> Sample:
    """Request the paths in turn for some seconds, once server and database are idle."""
    _await_idle(server, postmaster)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "paths.lua"
        script.write_text(_script(paths))
        _wrk(server, script, seconds=1, connections=connections)
        web, database = server.cpu_ms(), tree_ms(postmaster)
        output = _wrk(server, script, seconds=seconds, connections=connections)
        web, database = server.cpu_ms() - web, tree_ms(postmaster) - database
    count = int(_find(r"(\d+) requests in", output))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Sample(
        peer=server.peer.name,
        endpoint=endpoint,
        web_cpu_ms=web / count if count else math.nan,
        database_cpu_ms=database / count if count else math.nan,
        requests_per_second=float(_find(r"Requests/sec:\s+([\d.]+)", output)),
        p50_ms=_milliseconds(_find(r"50%\s+(\S+)", output)),
        p99_ms=_milliseconds(_find(r"99%\s+(\S+)", output)),
        failures=int(bad[1]) if bad else 0,
    )


def _script(paths: Sequence[str]) -> str:
    listed = ",\n".join(f'"{path}"' for path in paths)
    return f"""
local paths = {{
{listed}
}}
local turn = 0
request = function()
  turn = turn % #paths + 1
  return wrk.format("GET", paths[turn])
end
"""


def _wrk(server: Server, script: Path, *, seconds: int, connections: int) -> str:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    completed = subprocess.run(
        [*command, "-s", str(script), server.address], capture_output=True, text=True, check=True, timeout=seconds + 60
    )
    return completed.stdout


def _await_idle(server: Server, postmaster: int) -> None:
    for _attempt in range(60):
        before = server.cpu_ms() + tree_ms(postmaster)
        time.sleep(0.5)
        if server.cpu_ms() + tree_ms(postmaster) - before < IDLE_MS_PER_SECOND / 2:
            return


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk did not report {pattern}:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    """wrk's figure in milliseconds; NaN if there was no response in time."""
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[match[2]] if match else math.nan
