"""From a seed to the steps of a life and the troubles that may happen in it.

Each step has a seed of its own, from which it draws whatever it has to decide. So a step does much the same when
others are dropped, and a life can be shortened. Each life allows a part of the troubles only: a life with all of them
drowns the rare ones.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from simulation.steps import STEPS

TROUBLES = (
    "death",
    "something else happens meanwhile",
    "a provider is away",
    "an answer is lost",
    "a provider refuses",
    "a token has expired",
    "a provider is slow",
    "an event is lost",
    "an event comes again",
    "an event is late",
    "an event comes before the answer",
    "another currency is settled",
    "a refund is pending",
    "a pending refund fails",
    "a pending refund counts as refunded",
    "a refund is made at the provider",
    "a customer pays twice",
    "a customer pays an old page",
    "a customer transfers another amount",
    "a customer pays by hand",
    "a push is told of as paid by hand too",
    "a customer types another number",
    "a provider is removed",
    "a provider is removed for good",
    "a receiver fails",
    "a stranger sends an event",
    "staff are slow",
    "a removed provider has old orders",
    "refunds are listed",
    "listed refunds have no id of ours",
    "pages stay open for a day",
    "a customer has agreed before",
    "a debit fails",
    "a buyer orders more and more",
)
WAYS = ("card", "phone", "bank", "door", "deposit", "debit")


@dataclass(frozen=True)
class Step:
    name: str
    seed: int
    is_calm: bool = False
    """Nothing goes wrong in it, and nothing happens meanwhile."""


@dataclass(frozen=True)
class Plan:
    seed: int
    ways: tuple[str, ...]
    troubles: frozenset[str]
    steps: tuple[Step, ...]
    prices: str = "net"
    """Whether the prices are ``net`` or ``gross``, which is with tax."""

    def having(self, *, steps: tuple[Step, ...]) -> Plan:
        return replace(self, steps=steps)

    def without(self, trouble: str) -> Plan:
        return replace(self, troubles=self.troubles - {trouble})


def make(seed: int) -> Plan:
    rng = random.Random(seed)
    most = rng.choice((0.15, 0.35, 0.6, 0.9))
    troubles = frozenset(name for name in TROUBLES if rng.random() < most)
    ways = tuple(sorted(rng.sample(WAYS, rng.choice((1, 2, 2, 3))), key=WAYS.index))
    names = sorted(STEPS)
    weights = [STEPS[name].weight * rng.choice((0.3, 1, 1, 3)) for name in names]
    played = ["check_out", *rng.choices(names, weights, k=rng.randint(6, 30))]
    steps = tuple(Step(name, rng.randrange(2**32)) for name in played)
    prices = rng.choice(("net", "net", "gross"))
    return Plan(seed=seed, ways=ways, troubles=troubles, steps=steps, prices=prices)
