"""``python operations/worker_alive.py``: exit code 0 while the queue worker of this container works.

For frequent health checks: it needs neither Django nor the database, only Linux' /proc. A worker works while its main
process has a sentinel with at least a pusher, a monitor and one worker process.
"""

from __future__ import annotations

import sys
from pathlib import Path

NEEDED = 4


def processes(proc: Path = Path("/proc")) -> dict[int, tuple[int, str]]:
    """``{pid: (parent, command line)}`` of running processes, without zombies."""
    found = {}
    for folder in proc.glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if status[0] != "Z":
            found[int(folder.name)] = (int(status[1]), command)
    return found


def descendants(pid: int, running: dict[int, tuple[int, str]]) -> set[int]:
    children = {child for child, (parent, _command) in running.items() if parent == pid}
    return children.union(*(descendants(child, running) for child in children))


def is_alive(running: dict[int, tuple[int, str]]) -> bool:
    mains = [
        pid
        for pid, (parent, command) in running.items()
        if "qcluster" in command and "qcluster" not in running.get(parent, (0, ""))[1]
    ]
    return bool(mains) and all(len(descendants(pid, running)) >= NEEDED for pid in mains)


if __name__ == "__main__":
    sys.exit(0 if is_alive(processes()) else 1)
