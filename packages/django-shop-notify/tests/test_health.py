"""The figures of health views, read each time that the metrics are scraped."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop_notify import health
from shop_notify.models import Notification


@pytest.mark.pg
@pytest.mark.django_db
def test_health_reads_no_table_from_end_to_end():
    Notification.objects.create(event="loan_made", alias="email", channel="email", address="a@example.org")
    with CaptureQueriesContext(connection) as queries:
        health.notifiers()
        health.oldest_due_at()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # which a small table would be worth
        for query in queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, plan
    assert len(queries) == 3
