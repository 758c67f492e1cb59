"""Play many lives: ``python -m simulation --seeds 1000 --start 0 --database sqlite``."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation", description="Play a shop's life many times; check its books.")
    parser.add_argument("--seeds", type=int, default=100, help="how many lives (100)")
    parser.add_argument("--start", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--keep-going", action="store_true", help="play all seeds and list the kinds of faults")
    parser.add_argument("--stories", type=int, default=1, help="how many shortest stories to tell for each kind (1)")
    parser.add_argument("--without", default="", metavar="GUARD", help="switch a guard of the shop off; see guards.py")
    parser.add_argument("--guards", action="store_true", help="say at which seed each missing guard is found first")
    parser.add_argument("--whole", action="store_true", help="tell the story of the first seed as it is, unshortened")
    options = parser.parse_args()
    gc.disable()  # it takes a tenth of the time
    with _database(options.database):
        return _find_guards(options) if options.guards else _play(options)


def _find_guards(options: argparse.Namespace) -> int:
    """Which seeds go into the table of the controls in ``test_simulation.py``."""
    from simulation import guards, life, world
    from simulation.plan import make

    @cache
    def usual(seed: int) -> frozenset[str]:
        return frozenset(life.play(make(seed)).faults)

    missed = 0
    with world.shop():
        for name in guards.GUARDS:
            for seed in range(options.start, options.start + options.seeds):
                known = usual(seed)
                with guards.off(name):
                    new = life.play(make(seed)).faults.keys() - known
                if new:
                    print(f"{name!r}: {seed},  # {', '.join(sorted(new))}", flush=True)
                    break
            else:
                missed += 1
                print(f"{name!r} is missed by {options.seeds} seeds", flush=True)
    return 1 if missed else 0


def _play(options: argparse.Namespace) -> int:
    from simulation import guards, life, world
    from simulation.plan import make
    from simulation.shrink import shrink

    found: dict[str, list[int]] = defaultdict(list)
    began, worked, failing, count = time.perf_counter(), time.process_time(), 0, 0
    with world.shop(), guards.off(options.without) if options.without else contextlib.nullcontext():
        for count in range(1, options.seeds + 1):
            seed = options.start + count - 1
            outcome = life.play(make(seed))
            if options.whole:
                print(outcome.story)
            for kind, text in outcome.faults.items():
                print(f"seed {seed}: {kind}: {text}", flush=True)
                found[kind].append(seed)
            failing += bool(outcome.faults)
            if count % 25 == 0:
                gc.collect()
            _progress(count, options.seeds, failing, time.perf_counter() - began)
            if outcome.faults and not options.keep_going:
                break
        seconds = time.perf_counter() - began
        worked = time.process_time() - worked
        rate = f"{count / seconds:.1f} a second, {count / worked:.1f} a second of this process's own time"
        print(f"\n{count} lives in {seconds:.1f} s: {rate}; {failing} with faults.")
        for kind, seeds in sorted(found.items(), key=lambda pair: -len(pair[1])):
            print(f"{len(seeds):6}  {kind}: seeds {', '.join(map(str, seeds[:5]))}")
        for kind, seeds in found.items():
            for seed in seeds[: options.stories]:
                shortest = shrink(make(seed), kind)
                print(f"\n=== {kind}, seed {seed}, {len(shortest.plan.steps)} steps: {shortest.faults[kind]}")
                print(f"troubles: {', '.join(sorted(shortest.plan.troubles)) or 'none'}")
                print(shortest.story, flush=True)
    return 1 if failing else 0


def _progress(done: int, total: int, failing: int, seconds: float) -> None:
    if done % 10 == 0 or done == total:
        line = f"{done} of {total} lives, {done / seconds:.1f} a second, {failing} with faults"
        print(line, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _database(kind: str) -> Iterator[None]:
    """A fresh database with the tables of the three apps."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    with contextlib.ExitStack() as stack:
        if kind == "sqlite":
            os.environ["DATABASE_URL"] = ""
        else:
            import postgres

            os.environ["DATABASE_URL"] = stack.enter_context(postgres.server())
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "simulation.settings")
        import django

        django.setup()
        from django.db import connection
        from django.test.utils import setup_test_environment, teardown_test_environment

        setup_test_environment(debug=False)
        stack.callback(teardown_test_environment)
        name = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        stack.callback(connection.creation.destroy_test_db, name, verbosity=0)
        yield
