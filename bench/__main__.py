"""``python -m bench run|check [--scale 1|10|100] [--only list,detail] [--rounds 5]``: the CPU time of a request."""

from __future__ import annotations

import argparse
import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

from bench import databases, goals, run
from bench.servers import RESULTS

COLUMNS = ("endpoint", "peer", "cpu_ms", "web_ms", "database_ms", "x_of_e1", "x_of_naive", "best_requests_per_second")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["run", "check"], default="run", help="check: exit code 1 if a goal is missed"
    )
    parser.add_argument("--scale", type=int, default=1, help="factor of 10,000 products (default: 1)")
    parser.add_argument("--only", default=",".join(run.ENDPOINTS), help="endpoints, separated by commas")
    parser.add_argument(
        "--peers", default=",".join(run.PEERS), help="the peers to measure; naive is slow with many products"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="seconds of load for each peer and endpoint in a round")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--database", help="URL of a database filled by --load, instead of a new one")
    parser.add_argument("--load", action="store_true", help="only fill --database, which must be empty")
    parser.add_argument("--against", type=Path, help="the result of another scale, to compute the growth")
    options = parser.parse_args()
    for chosen, known in ((options.only, run.ENDPOINTS), (options.peers, run.PEERS)):
        if unknown := set(chosen.split(",")) - set(known):
            parser.error(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    if options.load:
        run.fill(options.database, scale=options.scale)
        return 0
    plan = run.Plan(
        options.scale,
        tuple(options.only.split(",")),
        options.rounds,
        options.seconds,
        options.connections,
        tuple(options.peers.split(",")),
    )
    with contextlib.ExitStack() as stack:
        url = options.database
        if url is None:
            url = stack.enter_context(run.database(stack.enter_context(databases.server()), scale=plan.scale))
        samples = run.measured(url, plan, postmaster=databases.postmaster_of(url))
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y-%m-%d-%H%M")
    (RESULTS / f"{moment}-{plan.scale}x.json").write_text(run.as_json(plan, samples))
    rows = run.summary(samples)
    print(table(rows))
    misses = goals.missed(rows)
    if options.against:
        grown = goals.growth(json.loads(options.against.read_text())["summary"], rows)
        print("\n".join(f"{row['endpoint']}, {row['peer']}: {row['growth']} times" for row in grown))
        misses += goals.overgrown(grown)
    for miss in misses:
        print(f"MISSED: {miss}")
    return 1 if misses and options.what == "check" else 0


def table(rows: list[dict[str, object]]) -> str:
    """The rows as a Markdown table."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _column in COLUMNS)]
    lines += [" | ".join(str(row[column]) for column in COLUMNS) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
