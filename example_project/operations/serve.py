"""Granian for the container image: ``python -m operations.serve config.wsgi:application`` takes granian's options.

With ``--respawn-failed-workers`` granian 2 ends as a whole, with its healthy workers, when a worker dies twice within
5.5 seconds. Here the others go on serving, and the dead worker is started again after a second, as systemd would.
"""

from __future__ import annotations

import time
from typing import Any

from granian import cli, server

RESTART_SECONDS = 1


class Server(server.Server):  # type: ignore[misc, valid-type]
    """Granian's server, written for 2.8.7: ``_respawn_workers`` and ``respawned_wrks`` are private."""

    def _respawn_workers(self, workers: Any, *arguments: Any, **options: Any) -> None:
        time.sleep(RESTART_SECONDS)
        super()._respawn_workers(workers, *arguments, **options)
        self.respawned_wrks.clear()


if __name__ == "__main__":
    cli.Server = Server  # type: ignore[attr-defined]
    cli.entrypoint()  # type: ignore[no-untyped-call]
