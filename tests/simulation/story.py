"""The log of a life in plain words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from simulation.clock import Clock


class Story:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lines: list[str] = []
        self._depth = 0
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def say(self, text: str) -> None:
        self.lines.append(f"{self.clock}  {'    ' * self._depth}{text}")

    @contextlib.contextmanager
    def meanwhile(self) -> Iterator[None]:
        """What is said in the block happens while somebody waits for a provider."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def name(self, kind: str, key: object) -> str:
        """A short name for something whose key says nothing to a reader: ``order 2``."""
        known = f"{kind} {key}"
        if known not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[known] = f"{kind} {self._counts[kind]}"
        return self._names[known]

    def __str__(self) -> str:
        return "\n".join(self.lines)
