"""django-q2's Redis broker, for a shop that keeps selling while Redis is unavailable."""

from __future__ import annotations

import redis
from django_q.brokers import redis_broker
from django_q.conf import Conf
from redis.backoff import NoBackoff
from redis.retry import Retry


class Redis(redis_broker.Redis):
    """Fails at once: redis-py would retry for three seconds, and a lost wake-up only delays work by a minute."""

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:  # noqa: ARG004 - django-q2's signature
        connection: redis.Redis = redis.from_url(Conf.REDIS, retry=Retry(NoBackoff(), 1))
        return connection
