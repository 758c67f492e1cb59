"""The summary of all rounds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.orders.load import Sample
from bench.orders.peers import BY_HAND, DRF, LIMIT, OSCAR, USUAL


def summary(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """A row for each peer and number of customers: medians over the rounds, ratios to other peers (None if absent)."""
    cells: dict[tuple[int, str], list[Sample]] = {}
    for sample in samples:
        cells.setdefault((sample.customers, sample.peer), []).append(sample)

    def middle(customers: int, peer: str, name: str) -> float:
        return float(median(getattr(sample, name) for sample in cells[customers, peer]))

    def times(customers: int, peer: str, other: str, name: str) -> float | None:
        if (customers, other) not in cells:
            return None
        return round(middle(customers, peer, name) / middle(customers, other, name), 2)

    rows = []
    for (customers, peer), found in cells.items():
        cpu = middle(customers, peer, "web_cpu_ms") + middle(customers, peer, "database_cpu_ms")
        rows.append(
            {
                "customers": customers,
                "peer": peer,
                "cpu_ms": round(cpu, 2),
                "web_ms": round(middle(customers, peer, "web_cpu_ms"), 2),
                "database_ms": round(middle(customers, peer, "database_cpu_ms"), 2),
                "flows_per_second": round(middle(customers, peer, "flows_per_second"), 1),
                "x_of_usual": times(customers, peer, USUAL, "flows_per_second"),
                "x_of_drf": times(customers, peer, DRF, "flows_per_second"),
                "x_of_oscar": times(customers, peer, OSCAR, "flows_per_second"),
                "add_p50": round(middle(customers, peer, "add_p50"), 2),
                "add_p99": round(middle(customers, peer, "add_p99"), 2),
                "add_x_e1": times(customers, peer, LIMIT, "add_p50"),
                "checkout_p50": round(middle(customers, peer, "checkout_p50"), 2),
                "checkout_p99": round(middle(customers, peer, "checkout_p99"), 2),
                "checkout_x_by_hand": times(customers, peer, BY_HAND, "checkout_p50"),
                "checkout_x_e1": times(customers, peer, LIMIT, "checkout_p50"),
                "failures": sum(sample.failures for sample in found),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table, without ratios to absent peers."""
    columns = [column for column, value in rows[0].items() if value is not None]
    lines = [" | ".join(columns), " | ".join("---" for _column in columns)]
    lines += [" | ".join(str(row[column]) for column in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)
