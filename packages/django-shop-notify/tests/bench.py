"""Measure the outbox on PostgreSQL, and in the same run the floor of each figure: hand-written SQL.

    DATABASE_URL=postgres://... python bench.py [--messages 4000] [--orders 200] [--old-rows 1000000] [--only drain]

It works in a database of its own, needs psycopg 3, and for one of the queues ``redis-server``. It prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

TESTS = Path(__file__).resolve().parent
WORKERS = (1, 2, 4)
QUEUES = ("inline", "django_tasks", "django_q2, database", "django_q2, Redis", "postgresql", "none, poll 0.02")

NARROW = (
    "UPDATE floor_outbox SET state = 'sent' WHERE id IN (SELECT id FROM floor_outbox WHERE state = 'queued' "
    "ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id"
)
CLAIM = (
    "UPDATE shop_notify_notification SET state = 'sending', lease = gen_random_uuid(), attempts = attempts + 1, "
    "due_at = now() + interval '2 minutes', updated_at = now() WHERE id IN (SELECT id FROM shop_notify_notification "
    "WHERE state IN ('queued', 'sending') AND due_at <= now() ORDER BY priority, due_at, id LIMIT %s "
    "FOR UPDATE SKIP LOCKED) RETURNING id"
)
RESULT = (
    "UPDATE shop_notify_notification SET state = 'sent', lease = NULL, updated_at = now(), sent_at = now(), "
    "provider_id = 'p', subject = 'Offer', text = 'Offer: x' WHERE id = ANY(%s)"
)
ATTEMPTS = (
    "INSERT INTO shop_notify_attempt (notification_id, number, started_at, finished_at, outcome, provider_code, "
    "detail, response) SELECT id, 1, now(), now(), 'accepted', '', '', '{}' FROM unnest(%s::bigint[]) AS id"
)


def connect():
    """A bare connection to the bench's database."""
    import psycopg
    from django.db import connection

    at = connection.settings_dict
    return psycopg.connect(
        dbname=at["NAME"], user=at["USER"], password=at["PASSWORD"], host=at["HOST"], port=at["PORT"] or 5432
    )


def forked(workers, work):
    """Seconds until all of these processes are done, and the CPU seconds that they used."""
    from django.db import connections

    connections.close_all()
    began, pids, used = time.monotonic(), [], 0.0
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        _pid, _status, usage = os.wait4(pid, 0)
        used += usage.ru_utime + usage.ru_stime
    return time.monotonic() - began, used


def rates(count, workers, work):
    seconds, used = forked(workers, work)
    return {"per_second": round(count / seconds), "cpu_ms": round(used / count * 1000, 3)}


def narrow_floor(count, workers, batch):
    """A bare loop on SKIP LOCKED over a table of three columns. It only claims."""
    with connect() as bare:
        bare.execute("CREATE TABLE IF NOT EXISTS floor_outbox (id bigserial PRIMARY KEY, state text, body text)")
        bare.execute("CREATE INDEX IF NOT EXISTS floor_due ON floor_outbox (id) WHERE state = 'queued'")
        bare.execute("TRUNCATE floor_outbox")
        bare.execute(
            "INSERT INTO floor_outbox (state, body) SELECT 'queued', 'x' FROM generate_series(1, %s)", [count]
        )

    def work():
        with connect() as bare:
            while bare.execute(NARROW, [batch]).fetchall():
                bare.commit()

    return rates(count, workers, work)


def floor(count, workers, batch, *, together):
    """Hand-written statements on the outbox table: claim many rows, record each result or all in one commit."""
    fill(count)

    def work():
        with connect() as bare:
            while ids := [row[0] for row in bare.execute(CLAIM, [batch]).fetchall()]:
                bare.commit()
                for some in [ids] if together else [[one] for one in ids]:
                    bare.execute(RESULT, [some])
                    if together:
                        bare.execute(ATTEMPTS, [some])
                    bare.commit()

    return rates(count, workers, work)


def fill(count, *, event="newsletter", context=None, aliases=("one", "two"), channel="memory", **changes):
    from shop_notify.models import Notification

    Notification.objects.open().delete()
    rows = (
        Notification(
            event_id=f"bench-{time.monotonic_ns()}-{number}",
            event=event,
            alias=aliases[number % len(aliases)],
            channel=channel,
            address=f"{number}@example.org",
            context=context or {"headline": "x"},
            **changes,
        )
        for number in range(count)
    )
    Notification.objects.bulk_create(rows, batch_size=1000)


def drain(count, workers, *, idempotent, **what):
    """The package itself, with a notifier that does nothing."""
    from django.conf import settings
    from shop_notify import delivery

    backend = f"testproject.ledger.{'Idempotent' if idempotent else 'Idle'}Notifier"
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {alias: {"BACKEND": backend} for alias in ("one", "two")},
    }
    fill(count, **what)

    def work():
        while delivery.deliver_due(for_seconds=600):
            pass

    return rates(count, workers, work)


def drains(count):
    from shop_notify.messages import SAMPLE_ORDER

    figures = {}
    for workers in WORKERS:
        figures[f"{workers} workers"] = {
            "floor, three columns, 1 per commit": narrow_floor(count // 4, workers, 1),
            "floor, three columns, 20 per commit": narrow_floor(count * 4, workers, 20),
            "floor, 1 recorded per commit": floor(count // 4, workers, 20, together=False),
            "ours, 1 recorded per commit": drain(count // 4, workers, idempotent=False),
            "floor, 200 recorded per commit": floor(count, workers, 200, together=True),
            "ours, idempotent, 200 recorded per commit": drain(count, workers, idempotent=True),
        }
        show(figures)
    order = {"event": "order_placed", "context": SAMPLE_ORDER, "channel": "email"}
    fill(0)
    figures["1 worker, order e-mails with HTML, idempotent"] = drain(count // 4, 1, idempotent=True, **order)
    return figures


def latencies(queue, orders, *, backlog):
    """Milliseconds from an order's commit to the call of the provider, with the workers of the example project."""
    folder = Path(tempfile.mkdtemp(prefix="notify_bench_"))
    name, _, detail = queue.partition(", ")
    from django.db import connection

    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "testproject.settings",
        "SITE_DATABASE": connection.settings_dict["NAME"],
        "SITE_QUEUE": f"shop_notify.queues.{name}",
        "SITE_CLOCK": str(folder / "called"),
        "SITE_WORKERS": "2",
    }
    started = []

    def start(*command, **options):
        started.append(subprocess.Popen(command, cwd=TESTS, env=environment, stdout=subprocess.DEVNULL, **options))

    if detail == "Redis":
        if shutil.which("redis-server") is None:
            return "redis-server is not installed"
        environment["SITE_REDIS_PORT"] = str(_free_port())
        start("redis-server", "--port", environment["SITE_REDIS_PORT"], "--save", "", "--dir", str(folder))
    if name == "django_q2":
        start(sys.executable, "manage.py", "qcluster", stderr=subprocess.DEVNULL)
    elif name in {"postgresql", "none"}:
        poll = ["--poll", "0.02"] if name == "none" else []
        for _ in range(2):
            start(sys.executable, "manage.py", "deliver_notifications", "--loop", *poll)
    fill(backlog, aliases=("bulk",), priority=9)
    time.sleep(4 if started else 0)
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--announce", str(orders)],
            cwd=TESTS,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        committed = json.loads(done.stdout)
        called = _called(folder / "called", set(committed))
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(60)
        shutil.rmtree(folder)
    taken = [(called[to] - at) / 1e6 for to, at in committed.items() if to in called]
    return {"missing": len(committed) - len(taken), **_percentiles(taken)}


def latency_floor(orders):
    """The same for a bare worker that LISTENs, is woken by NOTIFY after the commit, and claims with SKIP LOCKED."""
    folder = Path(tempfile.mkdtemp(prefix="notify_bench_"))
    pids = []
    with connect() as bare:
        bare.execute("CREATE TABLE IF NOT EXISTS floor_outbox (id bigserial PRIMARY KEY, state text, body text)")
        bare.execute("TRUNCATE floor_outbox")
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            _listen(folder / "called")
        pids.append(pid)
    time.sleep(1)
    committed = {}
    with connect() as bare:
        for number in range(orders):
            bare.execute("INSERT INTO floor_outbox (state, body) VALUES ('queued', %s)", [str(number)])
            bare.commit()
            committed[str(number)] = time.monotonic_ns()
            bare.execute("NOTIFY floor_outbox")
            bare.commit()
            time.sleep(0.05)
    called = _called(folder / "called", set(committed))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    shutil.rmtree(folder)
    return _percentiles([(called[number] - at) / 1e6 for number, at in committed.items()])


def _listen(path):
    claim = NARROW.replace("RETURNING id", "RETURNING body")
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with connect() as bare:
        bare.autocommit = True
        bare.execute("LISTEN floor_outbox")
        while True:
            for (body,) in bare.execute(claim, [20]).fetchall():
                os.write(file, f"{body} {time.monotonic_ns()}\n".encode())
            for _ in bare.notifies(timeout=1, stop_after=1):
                pass


def _percentiles(taken):
    return {
        "orders": len(taken),
        "p50": round(statistics.median(taken), 1),
        "p99": round(statistics.quantiles(taken, n=100)[98], 1),
    }


def _called(path, wanted):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        called = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[0] in wanted}
        if len(called) == len(wanted):
            break
        time.sleep(0.1)
    return called


def _free_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def announce(orders):
    """One order each 50 ms, as a web process does it; prints when each was committed."""
    from django.db import transaction
    from shop_notify import queues
    from shop_notify.models import JobRun
    from testproject.library import signals

    queues.wake()
    committed = {}
    for number in range(orders):
        began, to = time.monotonic(), f"{time.monotonic_ns()}@example.org"
        with transaction.atomic():
            JobRun.objects.update_or_create(name="bench", defaults={"last_error": str(number)})
        committed[to] = time.monotonic_ns()
        payload = {"headline": "x", "recipients": {"member": {"email": to}}}
        signals.newsletter_published.send_robust(sender=None, payload=payload, event_id=to)
        time.sleep(max(0.0, 0.05 - (time.monotonic() - began)))
    print(json.dumps(committed))


def all_latencies(orders, backlog, queues=QUEUES):
    figures = {"floor, NOTIFY and SKIP LOCKED by hand": latency_floor(orders)}
    for queue in queues:
        if queue == "django_tasks" and django.VERSION < (6, 0):
            continue
        figures[queue] = {
            "idle": latencies(queue, orders, backlog=0),
            f"{backlog} others waiting": latencies(queue, orders, backlog=backlog),
        }
        show(figures)
    return figures


def old_rows(count):
    """Insert ``count`` finished rows into the table."""
    with connect() as bare:
        bare.execute(
            "INSERT INTO shop_notify_notification (public_id, event_id, event, alias, channel, address, audience, "
            'recipient_key, recipient_name, language, "group", reference, context, state, priority, attempts, due_at, '
            "last_error, provider_id, cost_currency, subject, text, html, fallback, created_at, updated_at) "
            "SELECT gen_random_uuid(), 'old-' || n, 'order_placed', 'one', 'memory', n || '@example.org', '', '', "
            "'', '', '', 'R-' || n, '{}', 'sent', 5, 1, now(), '', '', '', '', '', '', '{}', "
            "now() - interval '1 day', now() "
            "FROM generate_series(1, %s) AS n",
            [count],
        )
        bare.commit()
        bare.autocommit = True
        bare.execute("VACUUM ANALYZE shop_notify_notification")


def claim_buffers():
    """Pages that the search for due rows reads."""
    from django.utils import timezone
    from shop_notify.models import Notification

    due = Notification.objects.due(timezone.now()).filter(alias="one").in_order()[:20]
    plan = json.loads(due.explain(format="json", analyze=True, buffers=True))[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def show(figures):
    print(json.dumps(figures, indent=1), "load", os.getloadavg(), file=sys.stderr, flush=True)


def versions():
    import psycopg
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('synchronous_commit')")
        server, durable = cursor.fetchone()
    return {
        "python": sys.version.split()[0],
        "django": django.__version__,
        "psycopg": psycopg.__version__,
        "postgresql": server,
        "synchronous_commit": durable,
        "cores": os.cpu_count(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000, help="in each drain (default 4000)")
    parser.add_argument("--orders", type=int, default=200, help="for each latency (default 200)")
    parser.add_argument("--old-rows", type=int, default=0, help="repeat it with this many finished rows in the table")
    parser.add_argument("--only", choices=["drain", "latency"], help="measure only this")
    parser.add_argument(
        "--queues", nargs="+", choices=QUEUES, default=QUEUES, help="measure the latency of only these queues"
    )
    parser.add_argument("--announce", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    django.setup()
    if options.announce:
        announce(options.announce)
        return
    from django.db import connection

    if connection.vendor != "postgresql":
        parser.error("set DATABASE_URL to a PostgreSQL")
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        figures = {"versions": versions(), "load": os.getloadavg()}

        def measure():
            halves = {}
            if options.only != "latency":
                halves["messages a second"] = drains(options.messages)
            if options.only != "drain":
                halves["order to provider, ms"] = all_latencies(options.orders, options.messages, options.queues)
            fill(200)
            halves["pages read by a claim"] = claim_buffers()
            return halves

        figures |= measure()
        if options.old_rows:
            old_rows(options.old_rows)
            figures[f"with {options.old_rows} old rows"] = measure()
        figures["load at the end"] = os.getloadavg()
        print(json.dumps(figures, indent=1))
    finally:
        connection.creation.destroy_test_db("", verbosity=0)


if __name__ == "__main__":
    main()
