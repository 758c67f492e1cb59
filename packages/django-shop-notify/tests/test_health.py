"""The figures of health views, which are read at each scrape of the metrics."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop_notify import health
from shop_notify.models import Notification


@pytest.mark.pg
@pytest.mark.django_db
def test_health_reads_by_indexes_only():
    Notification.objects.create(event="loan_made", alias="email", channel="email", address="a@example.org")
    with CaptureQueriesContext(connection) as queries:
        health.notifiers()
        health.oldest_due_at()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # otherwise PostgreSQL reads a small table sequentially
        for query in queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, plan
    assert len(queries) == 6
