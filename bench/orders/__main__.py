"""``python -m bench.orders [--rounds 5] [--races 10]``: the cost of a flow of three adds and a checkout.

Peers, in turn in each round: e1 (hand-written SQL), our own statements replayed by hand, ours with the recommended
database options and with Django's, the usual form, and the reference shop in Django REST framework where that is
installed. With ``--oscar`` django-oscar and its API too, after ``pip install django-oscar django-oscar-api``. Ratios
within one run on PostgreSQL.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import databases
from bench.orders.agreement import check_alike, check_equal
from bench.orders.load import measured
from bench.orders.peers import DRF, LIMIT, OURS, SETTINGS, all_peers, database, oscar
from bench.orders.races import race
from bench.orders.report import summary, table
from bench.servers import RESULTS, running


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.orders", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="seconds of load for each peer in a round")
    parser.add_argument("--races", type=int, default=10, help="number of races of 200 customers for 50 units")
    parser.add_argument("--oscar", action="store_true", help="with django-oscar and django-oscar-api")
    options = parser.parse_args()
    if options.oscar and importlib.util.find_spec("oscarapi") is None:
        parser.error("--oscar needs more: pip install django-oscar django-oscar-api")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    with databases.server() as server, database(server) as url, tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "flow.pickle"
        record = f"from bench.peers import replay; replay.record({str(recording)!r})"
        databases.run_python(url, "-c", record, **SETTINGS)
        peers = all_peers(url, recording)
        with contextlib.ExitStack() as stack:
            if options.oscar:
                peers.append(stack.enter_context(oscar(server)))
            servers = {peer.name: stack.enter_context(running(peer)) for peer in peers}
            check_equal(servers[LIMIT], servers[OURS])
            if DRF in servers:
                check_alike(servers[OURS], servers[DRF])
            samples = measured(servers.values(), url, rounds=options.rounds, seconds=options.seconds)
            racers = [servers[name] for name in (OURS, DRF) if name in servers]
            races = [race(server, url, number) for server in racers for number in range(options.races)]
    rows = summary(samples)
    moment = datetime.now(UTC).strftime("%Y-%m-%d-%H%M")
    RESULTS.mkdir(exist_ok=True)
    report = {"summary": rows, "races": races, "samples": [asdict(sample) for sample in samples]}
    (RESULTS / f"{moment}-orders.json").write_text(json.dumps(report, indent=1))
    print(table(rows))
    for outcome in races:
        print(f"race: {outcome}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
