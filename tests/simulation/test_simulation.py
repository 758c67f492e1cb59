"""A shop's life ends with its books right, and a guard that is missing is found.

10,000 lives: ``python3 noxfile.py -s simulate -- --seeds 10000``.
"""

import gc
import sys

import django
import pytest

from simulation import guards, life, world
from simulation.plan import make
from simulation.shrink import shrink

IS_NEWEST = sys.version_info >= (3, 13) and django.VERSION >= (6, 1)
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not IS_NEWEST, reason="once for each database, with the newest versions: it takes a minute"),
]

SEEDS = 100
PARTS = 5
"""So that a slow machine shows progress, and one fault does not hide all others."""
FOUND_AT = {
    "expiry asks the provider": 0,
    "an order waits for money that is on its way": 5,
    "a claim is confirmed before it is booked": 60,
    "a second transaction is a payment of its own": 3,
    "a cancelled order releases its stock": 0,
    "a refund is sent by one process at a time": 140,
    "a failed receiver is told again": 0,
    "nobody holds stock without limit": 18,
}
"""For eight guards a seed with which the simulation finds it missing, on SQLite and PostgreSQL; ``python -m simulation
--guards`` finds others."""
MORE_SEEDS = 40
"""A seed plays another life as soon as the shop makes one statement more: then the next ones are tried."""


@pytest.fixture
def shop(db):
    gc.disable()  # it takes a tenth of the time
    try:
        with world.shop():
            yield
    finally:
        gc.enable()
        gc.collect()


@pytest.mark.parametrize("part", range(PARTS))
def test_books_are_right_at_the_end_of_a_life(shop, part):
    for seed in range(part, SEEDS, PARTS):
        for kind in life.play(make(seed)).faults:
            shortest = shrink(make(seed), kind)
            pytest.fail(f"Seed {seed}: {kind}: {shortest.faults[kind]}\n{shortest.story}", pytrace=False)


@pytest.mark.parametrize("name", FOUND_AT)
def test_a_missing_guard_is_found(shop, name):
    for seed in range(FOUND_AT[name], FOUND_AT[name] + MORE_SEEDS):
        with guards.off(name):
            faults = life.play(make(seed)).faults
        if faults:
            assert not any(kind.endswith(("TypeError", "AttributeError")) for kind in faults), faults
            assert not life.play(make(seed)).faults
            return
    pytest.fail(f"{MORE_SEEDS} lives from seed {FOUND_AT[name]} on do not show that this guard is missing: {name}.")
