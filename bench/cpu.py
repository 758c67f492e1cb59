"""CPU time of processes, read from Linux' /proc: the figure that varies least on a noisy machine."""

from __future__ import annotations

import os
from pathlib import Path

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def tree_ms(pid: int) -> float:
    """CPU milliseconds of a process, of its running children and of those that have ended."""
    return sum(_own_ms(process) for process in [pid, *_descendants(pid)]) + _buried_ms(pid)


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(entry.name))
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def _own_ms(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) * TICK_MS if fields else 0.0


def _buried_ms(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[13]) + int(fields[14])) * TICK_MS if fields else 0.0


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, [] if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
