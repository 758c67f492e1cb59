"""Metrics for Prometheus: requests are counted by each process, the rest is read from the database on each scrape."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import redis
from django.db import DatabaseError
from django.db.models import Count, F
from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from shop_catalog.models import Product
from shop_notify.models import Notification
from shop_orders.models import Order, OrderEvent

from operations import probes, task_queue

__all__ = ["CONTENT_TYPE", "count_request", "render"]

logger = logging.getLogger(__name__)

OWN = CollectorRegistry()
REQUESTS = Counter("shop_requests", "Number of requests.", ["method", "route", "status"], registry=OWN)
SECONDS = Histogram(
    "shop_request_seconds",
    "Response time.",
    ["route"],
    registry=OWN,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.labels(method if method in METHODS else "other", route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)


def render() -> bytes:
    """All metrics.

    PROMETHEUS_MULTIPROC_DIR is the folder through which the processes of one server share their counts.
    """
    requests = OWN
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        requests = CollectorRegistry()
        MultiProcessCollector(requests)  # type: ignore[no-untyped-call]
    shop = CollectorRegistry()
    shop.register(ShopCollector())
    return generate_latest(requests) + generate_latest(shop)


class ShopCollector(Collector):
    """Metrics from the database. Every process returns the same values: take the maximum, not the sum."""

    def collect(self) -> Iterator[Metric]:
        try:
            families = [*_orders(), *_stock(), *_messages(), *_work()]
            is_up = True
        except (DatabaseError, OSError) as error:
            logger.warning("The shop's metrics could not be read: %s", type(error).__name__)
            families, is_up = [], False
        yield GaugeMetricFamily("shop_up", "Whether the shop's metrics could be read.", value=float(is_up))
        yield from families


def _orders() -> Iterator[Metric]:
    by_status = GaugeMetricFamily("shop_orders", "Orders by status.", labels=["status"])
    placed = 0
    for status, number in Order.objects.order_by().values_list("status").annotate(Count("pk")):
        by_status.add_metric([status], number)
        placed += number
    yield by_status
    yield CounterMetricFamily("shop_orders_placed", "Orders placed, in total.", value=placed)


def _stock() -> Iterator[Metric]:
    sold = Product.objects.published().sellable()
    sold_out = sold.filter(stock_quantity__lte=F("reserved_quantity")).count()
    yield GaugeMetricFamily("shop_products_out_of_stock", "Published products that are sold out.", value=sold_out)
    low = sold.low_on_stock().count()
    yield GaugeMetricFamily("shop_products_low_on_stock", "Published products below their threshold.", value=low)


def _messages() -> Iterator[Metric]:
    by_state = GaugeMetricFamily("shop_notifications", "Messages in the outbox.", labels=["notifier", "state"])
    for alias, state, number in Notification.objects.order_by().values_list("alias", "state").annotate(Count("pk")):
        by_state.add_metric([alias, state], number)
    yield by_state
    unsent = OrderEvent.objects.waiting().count()
    yield GaugeMetricFamily("shop_events_waiting", "Order events that not every receiver has processed.", value=unsent)
    age = probes.outbox_age_seconds()
    yield GaugeMetricFamily("shop_outbox_oldest_seconds", "Age of the oldest due message or event.", value=age)


def _work() -> Iterator[Metric]:
    waiting, age = _queue()
    yield GaugeMetricFamily("shop_queue_length", "Tasks in the queue; -1: unknown.", value=waiting)
    yield GaugeMetricFamily(
        "shop_queue_oldest_seconds", "Age of the oldest task in the queue; -1: unknown.", value=age
    )
    overdue = GaugeMetricFamily("shop_job_overdue", "Periodic jobs that did not run in time.", labels=["job"])
    for name, _consequence in probes.overdue_jobs():
        overdue.add_metric([name], 1)
    yield overdue


def _queue() -> tuple[float, float]:
    """Length and age of the queue. If the queue's server is unavailable, the other metrics are still returned."""
    try:
        return task_queue.length(), task_queue.oldest_seconds()
    except redis.RedisError:
        return -1, -1
