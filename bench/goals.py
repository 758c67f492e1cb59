"""Goals for the catalogue's reads, which are ratios within one run, and for the pages."""

from __future__ import annotations

from typing import Any, NamedTuple


class Goal(NamedTuple):
    """For an endpoint: the CPU time of another peer divided by ours must be at least this."""

    endpoint: str
    peer: str
    column: str
    at_least: float


GOALS = (
    Goal("list", "ours recommended", "x_of_e1", 0.40),
    Goal("list", "ours default", "x_of_e1", 0.27),
    Goal("list", "ours recommended", "x_of_naive", 10),
    Goal("list", "ours default", "x_of_naive", 6),
    Goal("detail", "ours recommended", "x_of_e1", 0.27),
    Goal("detail", "ours recommended", "x_of_naive", 6),
    Goal("tree", "ours recommended", "x_of_e1", 1.0),
    Goal("tree", "ours recommended", "x_of_naive", 80),
    Goal("average", "ours recommended", "x_of_e1", 4),
    Goal("average", "ours recommended", "x_of_naive", 8),
    Goal("subtree level 1", "ours recommended", "x_of_e1", 0.5),
    Goal("subtree level 1", "ours recommended", "x_of_naive", 6),
)


MOST_GROWTH = 1.3
"""The limit of the CPU time with many products divided by that with 10,000, for the endpoints below."""

GROWING = ("list", "list deep", "subtree root", "subtree level 1", "subtree leaf", "detail", "tree", "average")


def growth(small: list[dict[str, Any]], large: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The growth of each endpoint and peer: CPU time at the larger scale divided by that at the smaller one."""
    before = {(row["endpoint"], row["peer"]): row["cpu_ms"] for row in small}
    return [
        {"endpoint": row["endpoint"], "peer": row["peer"], "growth": round(row["cpu_ms"] / before[key], 2)}
        for row in large
        if before.get(key := (row["endpoint"], row["peer"]))
    ]


def overgrown(grown: list[dict[str, Any]]) -> list[str]:
    """A message for each of our endpoints that grows beyond the goal."""
    return [
        f"{row['endpoint']}, {row['peer']}: {row['growth']} times the CPU, wanted at most {MOST_GROWTH}"
        for row in grown
        if row["peer"] == "ours recommended" and row["endpoint"] in GROWING and row["growth"] > MOST_GROWTH
    ]


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """A message for each goal that the summary misses."""
    found = {(row["endpoint"], row["peer"]): row for row in rows}
    return [
        f"{goal.endpoint}, {goal.peer}: {goal.column} is {row[goal.column]}, wanted {goal.at_least}"
        for goal in GOALS
        if (row := found.get((goal.endpoint, goal.peer))) is not None and 0 < row[goal.column] < goal.at_least
    ]


MOST_CPU_OF_PAGES = {
    "home": 5,
    "list": 8,
    "list, filtered": 8,
    "category, root": 8,
    "category, level 1": 8,
    "category, leaf": 8,
    "product": 4,
    "cart, empty": 2,
}
"""CPU milliseconds per page. Unlike the other goals it depends on the machine."""


def missed_pages(found: dict[str, float]) -> list[str]:
    """A message for each page that costs more than the goal."""
    return [
        f"{page}: {found[page]} ms, wanted at most {most}"
        for page, most in MOST_CPU_OF_PAGES.items()
        if found.get(page, 0) > most
    ]


def overgrown_pages(small: dict[str, float], large: dict[str, float]) -> list[str]:
    """A message for each page with a goal that costs more than ``MOST_GROWTH`` times the smaller scale's."""
    return [
        f"{page}: {large[page] / small[page]:.2f} times the CPU, wanted at most {MOST_GROWTH}"
        for page in MOST_CPU_OF_PAGES
        if small.get(page) and large.get(page, 0) > MOST_GROWTH * small[page]
    ]
