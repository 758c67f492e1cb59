"""Run the shop against slow clients and a PostgreSQL that refuses: ``python deploy/server/refusals.py``.

The same topology as ``smoke.py``. Requests that are slow, too large or odd; a web process that dies twice in five
seconds; PostgreSQL read-only, stopped, starting and as a standby, while customers send requests.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from trial import refusals
from trial.tools import Failed, say
from trial.topology import Topology, postgres

CHECKS = (refusals.check_slow_clients, refusals.check_processes_that_die_twice, refusals.check_postgres)


def main() -> int:
    if missing := [name for name in ("redis-server", "nginx", "openssl") if not shutil.which(name)]:
        sys.exit(f"Not installed: {', '.join(missing)}. On Debian: apt install postgresql redis-server nginx openssl")
    folder = Path(tempfile.mkdtemp(prefix="shop-refusals-"))
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as stack:
            topology = Topology(folder, stack)
            topology.start()
            for check in CHECKS:
                check(topology)
    except (Failed, postgres.Unavailable) as error:
        say(f"FAILED: {error}\nThe logs are in {folder}.")
        return 1
    shutil.rmtree(folder)
    say("Passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
