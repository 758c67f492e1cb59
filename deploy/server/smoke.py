"""Run the shop as in production and kill parts of it while it sells: ``python deploy/server/smoke.py [--orders 200]``.

PostgreSQL, Redis, nginx with TLS, two web processes and two workers run on this machine, on ports of their own, with
the files of this folder, in which only ports and folders are replaced. While customers order, a web process, a worker
and Redis are killed as by ``kill -9`` and started again as systemd would: one at a time, each after the previous one
is running again. It passes if every confirmed order exists once, every message arrived, and no response was an error
other than 503, or 409 with Retry-After.

Needs an environment with deploy/requirements.txt and the four packages, and postgresql, redis-server, nginx and
openssl of the distribution. A killed worker's messages wait until their lease expires, so it takes four minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from trial.books import Books
from trial.customers import CLIENTS, Customers
from trial.tools import Failed, say
from trial.topology import REDIS_AWAY_SECONDS, Topology, postgres


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    if missing := [name for name in ("redis-server", "nginx", "openssl") if not shutil.which(name)]:
        sys.exit(f"Not installed: {', '.join(missing)}. On Debian: apt install postgresql redis-server nginx openssl")
    folder = Path(tempfile.mkdtemp(prefix="shop-smoke-"))
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as stack:
            run(Topology(folder, stack), options.orders)
    except (Failed, postgres.Unavailable) as error:
        say(f"FAILED: {error}\nThe logs are in {folder}.")
        return 1
    if not options.keep:
        shutil.rmtree(folder)
    say("Passed.")
    return 0


def run(topology: Topology, number: int) -> None:
    topology.start()
    customers = Customers(topology, number)
    say(f"{number} orders by {CLIENTS} customers at a time, over TLS:")
    customers.order(
        {
            "web@8001": "a web process is killed",
            "worker@1": "a worker is killed",
            "redis": f"Redis is killed and stays down for {REDIS_AWAY_SECONDS} s",
        }
    )
    customers.report()
    topology.drain()
    Books(topology, customers).check()
    topology.check_edges()


if __name__ == "__main__":
    sys.exit(main())
