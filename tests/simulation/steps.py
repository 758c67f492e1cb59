"""The steps that a life is made of, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Known(NamedTuple):
    play: Callable[[Any], None]
    weight: float
    may_nest: bool


STEPS: dict[str, Known] = {}


def step(*, weight: float, may_nest: bool = True) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a function of the world as a step. ``weight`` says how often it is chosen."""

    def register(play: Callable[[Any], None]) -> Callable[[Any], None]:
        STEPS[play.__name__] = Known(play, weight, may_nest)
        return play

    return register
