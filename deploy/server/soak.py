"""Load the shop evenly for half an hour: ``python deploy/server/soak.py [--minutes 30] [--rate 10]``.

The topology is that of smoke.py: PostgreSQL, Redis, nginx with TLS, two web processes and two workers. Each customer
opens four pages and places one order. It passes if no page was an error, every order exists once, every message
arrived, at most four of them twice, and no web process or worker grew by more than a tenth after the first sixth of
the time.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from trial.books import Books
from trial.soak import PacedCustomers, Watch, verdict
from trial.tools import Failed, say
from trial.topology import Topology, postgres


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=10, help="orders a second")
    parser.add_argument("--growth", type=float, default=0.1, help="allowed growth of a process, 0.1 is a tenth")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="shop-soak-"))
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as stack:
            run(Topology(folder, stack), options)
    except (Failed, postgres.Unavailable) as error:
        say(f"FAILED: {error}\nThe logs are in {folder}.")
        return 1
    shutil.rmtree(folder)
    say("Passed.")
    return 0


def run(topology: Topology, options: argparse.Namespace) -> None:
    topology.start()
    seconds = options.minutes * 60
    say(f"{options.rate:g} orders a second for {options.minutes:g} minutes, each after four pages, over TLS:")
    customers, watch = PacedCustomers(topology, rate=options.rate, seconds=seconds), Watch(topology)
    watch.start()
    customers.order({})
    watch.is_over.set()
    watch.join()
    customers.report()
    topology.drain()
    Books(topology, customers).check()
    verdict(customers, watch, seconds=seconds, growth=options.growth)


if __name__ == "__main__":
    sys.exit(main())
