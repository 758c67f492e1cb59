"""What the catalogue's reads are held to: ratios within one run, never seconds."""

from __future__ import annotations

from typing import Any, NamedTuple


class Goal(NamedTuple):
    """For an endpoint: CPU of another peer over CPU of ours must be at least this."""

    name: str
    endpoint: str
    peer: str
    column: str
    at_least: float


GOALS = (
    Goal("P1", "list", "ours recommended", "x_of_e1", 0.40),
    Goal("P1", "list", "ours default", "x_of_e1", 0.27),
    Goal("P1", "list", "ours recommended", "x_of_naive", 10),
    Goal("P1", "list", "ours default", "x_of_naive", 6),
    Goal("P2", "detail", "ours recommended", "x_of_e1", 0.27),
    Goal("P2", "detail", "ours recommended", "x_of_naive", 6),
    Goal("P3", "tree", "ours recommended", "x_of_e1", 1.0),
    Goal("P3", "tree", "ours recommended", "x_of_naive", 80),
    Goal("P4", "average", "ours recommended", "x_of_e1", 4),
    Goal("P4", "average", "ours recommended", "x_of_naive", 8),
    Goal("P5", "subtree level 1", "ours recommended", "x_of_e1", 0.5),
    Goal("P5", "subtree level 1", "ours recommended", "x_of_naive", 6),
)


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each goal that the summary does not reach."""
    found = {(row["endpoint"], row["peer"]): row for row in rows}
    return [
        f"{goal.name}: {goal.endpoint}, {goal.peer}: {goal.column} is {row[goal.column]}, wanted {goal.at_least}"
        for goal in GOALS
        if (row := found.get((goal.endpoint, goal.peer))) is not None and row[goal.column] < goal.at_least
    ]
