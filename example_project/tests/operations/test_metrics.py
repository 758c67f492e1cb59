from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.utils import timezone
from django_q.models import OrmQ
from prometheus_client.parser import text_string_to_metric_families
from shop_notify.models import Notification


@pytest.fixture
def scrape(client, settings, db):
    settings.METRICS_TOKEN = "a-token"

    def figures():
        response = client.get("/metrics", headers={"Authorization": "Bearer a-token"})
        assert response.status_code == 200
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(response.content.decode())
            for sample in family.samples
        }

    return figures


def test_without_a_token_in_the_settings_there_is_no_such_address(client, db):
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
def test_the_wrong_token_is_refused(client, settings, db, header):
    settings.METRICS_TOKEN = "a-token"
    response = client.get("/metrics", headers=header)
    assert response.status_code == 401
    assert b"shop_" not in response.content


def test_requests_are_counted_by_route_and_status(client, scrape):
    before = scrape().get(("shop_requests_total", "/healthz", "200", "GET"), 0)
    client.get("/healthz")
    after = scrape()
    assert after["shop_requests_total", "/healthz", "200", "GET"] == before + 1
    assert ("shop_request_seconds_count", "/healthz") in after


def test_an_unknown_address_makes_no_series_of_its_own(client, scrape):
    client.get("/no-such-page-4711/")
    assert not [key for key in scrape() if any("4711" in str(part) for part in key)]


def test_orders_stock_and_messages_are_reported(place, scrape):
    place()
    place(quantity=19)
    Notification.objects.create(event_id="1", event="e", alias="email", channel="email", address="a@example.org")
    found = scrape()
    assert found["shop_orders_placed_total",] == 2
    assert found["shop_products_out_of_stock",] == 1
    assert found["shop_notifications", "email", "queued"] >= 1
    assert found["shop_up",] == 1


def test_age_and_length_of_the_queue_are_reported(scrape):
    OrmQ.objects.create(key="shop", payload="", lock=timezone.now() - timedelta(seconds=90))
    found = scrape()
    assert found["shop_queue_length",] == 1
    assert 90 <= found["shop_queue_oldest_seconds",] < 100


def test_overdue_jobs_are_reported(scrape):
    assert scrape()["shop_job_overdue", "shop_orders.expire_orders"] == 1


def test_requests_are_still_reported_while_the_database_is_unavailable(scrape):
    def broken(*_arguments):
        raise OperationalError

    with connection.execute_wrapper(broken):
        found = scrape()
    assert found["shop_up",] == 0
    assert any(key[0] == "shop_requests_total" for key in found)
    assert not any(key[0] == "shop_orders" for key in found)
