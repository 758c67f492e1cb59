"""A Redis cache that tolerates outages and refusals: reads miss, writes are dropped, and no page fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
from django.core.cache.backends import redis as backend
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""How long Redis is not used after a failure, so that an unreachable host costs one time-out instead of hundreds."""

REPORT_SECONDS = 60.0
"""A Redis that refuses is reported once in this time."""


def tolerant(method: Callable[..., Any], absent: Callable[..., Any]) -> Callable[..., Any]:
    """A method that calls the client's, or ``absent`` with the same arguments while Redis is unavailable or refuses.

    A Redis that responds but refuses, such as one that is out of memory (OOM), read-only or without replicas, is asked
    again at the next call: it may still read.
    """

    @wraps(method)
    def call(client: Client, *arguments: Any) -> Any:
        if time.monotonic() < client.away_until:
            return absent(*arguments)
        try:
            return method(client, *arguments)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            client.away_until = time.monotonic() + PAUSE_SECONDS
            logger.warning("Redis is unavailable (%s); working without a cache.", type(error).__name__)
            return absent(*arguments)
        except redis.ResponseError as error:
            if time.monotonic() >= client.reported_until:
                client.reported_until = time.monotonic() + REPORT_SECONDS
                logger.error("Redis refuses to work (%s); working without a cache.", str(error).partition(" ")[0])  # noqa: TRY400 - the trace adds nothing
            return absent(*arguments)

    return call


class Client(backend.RedisCacheClient):
    """Django's client. After a restart of Redis it tries a second connection before it gives up."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, retry=Retry(NoBackoff(), 1), **options)
        self.away_until = self.reported_until = 0.0

    add = tolerant(backend.RedisCacheClient.add, lambda _key, _value, _timeout: True)
    get = tolerant(backend.RedisCacheClient.get, lambda _key, default: default)
    set = tolerant(backend.RedisCacheClient.set, lambda _key, _value, _timeout: None)
    touch = tolerant(backend.RedisCacheClient.touch, lambda _key, _timeout: False)
    delete = tolerant(backend.RedisCacheClient.delete, lambda _key: False)
    get_many = tolerant(backend.RedisCacheClient.get_many, lambda _keys: {})
    has_key = tolerant(backend.RedisCacheClient.has_key, lambda _key: False)
    incr = tolerant(backend.RedisCacheClient.incr, lambda _key, delta: delta)
    set_many = tolerant(backend.RedisCacheClient.set_many, lambda _data, _timeout: None)
    delete_many = tolerant(backend.RedisCacheClient.delete_many, lambda _keys: None)
    clear = tolerant(backend.RedisCacheClient.clear, lambda: False)


class RedisCache(backend.RedisCache):
    """Django's Redis cache with the tolerant client. Rate limits do not work while Redis is unavailable."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client
