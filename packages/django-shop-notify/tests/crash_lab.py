"""A program that forks workers, kills them, starts them again, and prints a report as JSON.

``crash_lab.py FOLDER EXPERIMENTS``: a JSON list of ``{"fault", "messages", "kills", "workers"}``; a fault is one of
the named points, or ``random``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import django
from django.conf import settings

POLL_SECONDS = float(os.environ.get("LAB_POLL", "0.1"))


def patched(ledger):
    """The site, with two aliases that write to the ledger."""
    options = {"path": ledger, "seconds": 0.01}
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {
            "one": {"BACKEND": "testproject.ledger.LedgerNotifier", "OPTIONS": options},
            "two": {"BACKEND": "testproject.ledger.LedgerNotifier", "OPTIONS": options},
            "refusing": {"BACKEND": "testproject.ledger.RefusingNotifier"},
        },
    }


class Fault:
    """Kills its own process at every n-th call (``every``), until the budget of kills is used up."""

    def __init__(self, budget_file, every):
        self.budget_file = budget_file
        self.every = every
        self.passes = 0

    def __call__(self, *args):
        self.passes += 1
        if self.passes % self.every == 0 and self._take():
            os.kill(os.getpid(), signal.SIGKILL)

    def _take(self):
        file = os.open(self.budget_file, os.O_RDWR)
        try:
            os.lockf(file, os.F_LOCK, 0)
            left = int(os.read(file, 20) or b"0")
            if left <= 0:
                return False
            os.lseek(file, 0, os.SEEK_SET)
            os.ftruncate(file, 0)
            os.write(file, str(left - 1).encode())
            return True
        finally:
            os.close(file)


def install(name, fault):
    from shop_notify.delivery import claiming, queries, settling
    from testproject.ledger import LedgerNotifier

    claim, settle_all, keep = claiming.claim, settling.settle_all, queries.insert_attempts
    if name == "FP4":

        def claim_and_die(*args, **kwargs):
            claimed = claim(*args, **kwargs)
            if claimed is not None:
                fault()
            return claimed

        claiming.claim = claim_and_die
    elif name == "FP5":
        LedgerNotifier.before = lambda self, message: fault()
    elif name == "FP6":
        LedgerNotifier.after = lambda self, message: fault()
    elif name == "FP7":

        def settle_and_die(results):
            settle_all(results)
            fault()

        settling.settle_all = settle_and_die
    elif name == "FP8":

        def die_in_the_transaction(attempts):
            fault()
            keep(attempts)

        queries.insert_attempts = die_in_the_transaction


def work(name, budget_file, every):
    """The code of a worker, from its start to its end."""
    from django.db import OperationalError
    from shop_notify import delivery

    random.seed()
    install(name, Fault(budget_file, every))
    while True:
        try:
            delivery.deliver_due()
        except OperationalError as error:
            print("worker:", error, file=sys.stderr)
        time.sleep(POLL_SECONDS)


def start(name, budget_file, every):
    pid = os.fork()
    if pid == 0:
        try:
            work(name, budget_file, every)
        finally:
            os._exit(1)
    return pid


def write(count, alias_of):
    from shop_notify.models import Notification

    rows = [
        Notification(
            event_id=f"lab-{number}",
            event="newsletter",
            alias=alias_of(number),
            channel="memory",
            address=f"{number}@example.org",
            context={"headline": "x"},
        )
        for number in range(count)
    ]
    Notification.objects.bulk_create(rows, batch_size=500)


def announce(fault, count):
    """Send signals one by one: the writer dies after each commit (FP2), or its queue raises (FP3)."""
    from testproject.library import signals

    queue = "die_at_wake_up" if fault == "FP2" else "raise_at_wake_up"
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "QUEUE": f"testproject.ledger.{queue}"}
    settings.SHOP_NOTIFY["ROUTES"] = [
        {
            "signal": "testproject.library.signals.newsletter_published",
            "event": "newsletter",
            "to": ["m"],
            "via": ["one"],
        }
    ]
    for number in range(count):
        payload = {"headline": "x", "recipients": {"m": {"email": f"{number}@example.org"}}}
        pid = os.fork()
        if pid == 0:
            signals.newsletter_published.send_robust(sender=None, payload=payload, event_id=f"lab-{number}")
            os._exit(0)
        os.waitpid(pid, 0)


def alias_of(fault):
    if fault == "FP8":
        return lambda number: "refusing"
    return lambda number: ("one", "two")[number % 2]


def run(folder, *, fault, messages, kills, workers):
    from django.db import connection, connections
    from shop_notify.models import Attempt, Notification
    from testproject.ledger import accepted

    name, ledger, budget = fault, Path(folder) / f"ledger-{fault}", Path(folder) / f"budget-{fault}"
    patched(str(ledger))
    Notification.objects.all().delete()
    connections.close_all()
    if name in {"FP2", "FP3"}:
        announce(name, messages)
    else:
        write(messages, alias_of(name))
    budget.write_text(str(kills))
    every = 1 if fault == "FP4" else 3
    connections.close_all()
    pids = [start(name, budget, every) for _ in range(workers)]
    killed, began, last_kill = 0, time.monotonic(), 0.0
    while time.monotonic() - began < 600:
        time.sleep(0.02)
        if name == "random" and killed < kills and random.random() < 0.5:
            os.kill(random.choice(pids), signal.SIGKILL)
        for index, pid in enumerate(pids):
            if os.waitpid(pid, os.WNOHANG)[0]:
                killed, last_kill = killed + 1, time.monotonic()
                pids[index] = start(name, budget, every)
        if not Notification.objects.open().exists():
            break
        connection.close()
    recovery = time.monotonic() - (last_kill or began)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    counts = accepted(ledger)
    states = list(Notification.objects.values_list("state", flat=True))
    return {
        "fault": fault,
        "database": connection.vendor,
        "messages": messages,
        "kills": killed,
        "lost": messages - len(counts) if name != "FP8" else 0,
        "extra": sum(count - 1 for count in counts.values()),
        "most": max(counts.values(), default=0),
        "states": {state: states.count(state) for state in sorted(set(states))},
        "attempt_rows": Attempt.objects.count(),
        "recovery_seconds": round(recovery, 2),
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    django.setup()
    for experiment in json.loads(sys.argv[2]):
        print(json.dumps(run(sys.argv[1], **experiment)), flush=True)
