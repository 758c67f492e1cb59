"""Figures for the outbox, on PostgreSQL: ``DATABASE_URL=... python bench.py [MESSAGES] [OLD_ROWS]``.

Drain rates with a provider that does nothing, beside the floor: a bare loop on SKIP LOCKED in the same database.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

import django


def floor(count, batch):
    """Rows a second of raw SQL: claim a batch with SKIP LOCKED, mark it, commit."""
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS floor_outbox (id bigserial PRIMARY KEY, state text, body text)")
        cursor.execute("TRUNCATE floor_outbox")
        cursor.execute(
            "INSERT INTO floor_outbox (state, body) SELECT 'queued', 'x' FROM generate_series(1, %s)", [count]
        )
        cursor.execute("CREATE INDEX IF NOT EXISTS floor_due ON floor_outbox (id) WHERE state = 'queued'")
    began, done = time.monotonic(), 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE floor_outbox SET state = 'sent' WHERE id IN (SELECT id FROM floor_outbox "
                "WHERE state = 'queued' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
                [batch],
            )
            rows = cursor.fetchall()
        if not rows:
            return done / (time.monotonic() - began)
        done += len(rows)


def fill(count, aliases=("one", "two")):
    from shop_notify.models import Notification

    Notification.objects.filter(state__in=["queued", "sending"]).delete()
    Notification.objects.bulk_create(
        (
            Notification(
                event_id=f"bench-{time.monotonic_ns()}-{number}",
                event="newsletter",
                alias=aliases[number % len(aliases)],
                channel="memory",
                address=f"{number}@example.org",
                context={"headline": "x"},
            )
            for number in range(count)
        ),
        batch_size=1000,
    )


def drain(count, workers):
    """Rows a second of this many forked workers."""
    from django.db import connections
    from shop_notify import delivery

    fill(count)
    connections.close_all()
    began = time.monotonic()
    pids = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            while delivery.deliver_due(for_seconds=600):
                pass
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    return count / (time.monotonic() - began)


def latency(samples):
    """Milliseconds from a signal to the provider, delivered in the same process after commit."""
    from shop_notify.notifiers import MemoryNotifier
    from testproject.library import signals

    taken = []
    for number in range(samples):
        payload = {"headline": "x", "recipients": {"member": {"email": f"{number}@example.org"}}}
        began = time.monotonic()
        signals.newsletter_published.send_robust(sender=None, payload=payload, event_id=f"latency-{number}")
        taken.append((time.monotonic() - began) * 1000)
        MemoryNotifier.outbox.clear()
    return {"p50": round(statistics.median(taken), 1), "p99": round(statistics.quantiles(taken, n=100)[98], 1)}


def old_rows(count):
    """That many rows of the past in the table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO shop_notify_notification (public_id, event_id, event, alias, channel, address, audience, "
            'recipient_key, recipient_name, language, "group", reference, context, state, priority, attempts, due_at, '
            "last_error, provider_id, cost_currency, subject, text, html, fallback, created_at, updated_at) "
            "SELECT gen_random_uuid(), 'old-' || n, 'order_placed', 'one', 'memory', n || '@example.org', '', '', "
            "'', '', '', 'R-' || n, '{}', 'sent', 5, 1, now(), '', '', '', '', '', '', '{}', "
            "now() - interval '1 day', now() "
            "FROM generate_series(1, %s) AS n",
            [count],
        )
        cursor.execute("ANALYZE shop_notify_notification")


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import get_runner, setup_test_environment

    setup_test_environment()
    assert get_runner(settings)
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    memory = {"BACKEND": "memory"}
    news = {**settings.SHOP_NOTIFY["ROUTES"][2], "via": ["one"]}
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"one": memory, "two": memory},
        "ROUTES": [news],
        "QUEUE": "shop_notify.queues.inline",
    }
    try:
        figures = {"floor, 1 a transaction": floor(count, 1), "floor, 20 a transaction": floor(count * 5, 20)}
        for workers in (1, 2, 4):
            figures[f"drain, {workers} workers"] = drain(count, workers)
        figures["floor again, 1 a transaction"] = floor(count, 1)
        figures = {name: round(value) for name, value in figures.items()}
        figures["signal to provider, ms"] = latency(300)
        if len(sys.argv) > 2:
            old_rows(int(sys.argv[2]))
            figures[f"drain, 1 worker, {sys.argv[2]} old rows"] = round(drain(count, 1))
            figures["signal to provider with them, ms"] = latency(300)
        print(json.dumps(figures, indent=1))
    finally:
        connection.creation.destroy_test_db("", verbosity=0)


if __name__ == "__main__":
    main()
