"""A long even load, and the memory of the processes."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from pathlib import Path

from trial.customers import Customers
from trial.tools import Failed, say
from trial.topology import Topology

SAMPLE_SECONDS = 15
API = "/api/v1/products"
PAGES = ("/", f"{API}/products/", f"{API}/products/smoke-test/", f"{API}/categories/tree/")


class PacedCustomers(Customers):
    """Customers who arrive at an even rate, however fast the shop is, open four pages and order."""

    def __init__(self, topology: Topology, *, rate: float, seconds: float) -> None:
        super().__init__(topology, round(rate * seconds))
        self.rate, self.started = rate, time.monotonic()
        self.waits: list[tuple[float, float]] = []
        """For each order: the second of the run at which it was due, and the seconds until it was placed."""

    def _one(self, index: int) -> None:
        due = self.started + index / self.rate
        time.sleep(max(0, due - time.monotonic()))
        for page in PAGES:
            status = self.topology.request("GET", page)[0]
            self.statuses[status] += 1
            if status != 200:
                raise Failed(f"{page} responded {status}.")
        super()._one(index)
        self.waits.append((due - self.started, time.monotonic() - due))

    def p99_ms(self, first: float, last: float) -> float:
        """The 99th percentile of the orders that were due in a part of the run."""
        waits = sorted(wait for due, wait in self.waits if first <= due < last)
        return 1000 * waits[math.ceil(len(waits) * 0.99) - 1] if waits else 0.0


class Watch(threading.Thread):
    """Samples of each process's memory and the number of database connections, every 15 seconds."""

    def __init__(self, topology: Topology) -> None:
        super().__init__(daemon=True)
        self.topology, self.started = topology, time.monotonic()
        self.samples: list[tuple[float, dict[str, float], int]] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(SAMPLE_SECONDS):
            memory = {name: megabytes(unit.process.pid) for name, unit in self.topology.units.items()}
            (connections,) = self.topology.rows("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL")[0]
            self.samples.append((time.monotonic() - self.started, memory, connections))

    def growth(self, name: str, warm: float) -> tuple[float, float]:
        """Mean MB of the first and of the last fifth of the samples that are later than ``warm`` seconds."""
        values = [memory[name] for second, memory, _connections in self.samples if second >= warm]
        part = max(1, len(values) // 5)
        return sum(values[:part]) / part, sum(values[-part:]) / part


def megabytes(session: int) -> float:
    """Resident memory of all processes of a session, shared pages counted in each."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += int(fields[21]) * 4096
    return total / 1_000_000


def verdict(customers: PacedCustomers, watch: Watch, *, seconds: float, growth: float) -> None:
    """Print the measurements.

    Raises:
        Failed: a web process or worker grew by more than ``growth`` (0.1 is a tenth) once warm.
    """
    warm, part = seconds / 6, seconds / 6
    first, last = customers.p99_ms(warm, warm + part), customers.p99_ms(seconds - part, seconds)
    say(f"  p99 from due to placed: {first:.0f} ms at first, {last:.0f} ms in the last sixth of the time")
    connections = [count for second, _memory, count in watch.samples if second >= warm]
    say(f"  connections to the database: {min(connections)} to {max(connections)}")
    grown = []
    for name in watch.topology.units:
        before, after = watch.growth(name, warm)
        say(f"  {name}: {before:.0f} MB, {after:.0f} MB at the end")
        if name.startswith(("web", "worker")) and after > before * (1 + growth):
            grown.append(name)
    if grown:
        raise Failed(f"{', '.join(grown)} grew by more than {growth:.0%}.")
