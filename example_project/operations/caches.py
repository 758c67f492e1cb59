"""A Redis cache that tolerates outages and refusals: reads miss, writes are dropped, and no page fails.

A Redis that cannot be written to is not read either. What it holds may be out of date: a session that has ended since,
or a price before its change. So each process looks once a second whether Redis accepts writes, and after an outage it
first deletes the keys whose changes were dropped, even if it gets no request then.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import redis
from django.core.cache.backends import redis as backend
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""How long Redis is not used after a failure, so that an unreachable host costs one time-out instead of hundreds."""
SHORTEST_PAUSE = 0.05
CHECK_SECONDS = 1.0
"""How long a process trusts that Redis accepts writes."""
REPORT_SECONDS = 60.0
"""A Redis that refuses is reported once in this time."""
MOST_DROPPED = 100_000
"""How many keys with dropped changes a process remembers; the oldest are forgotten."""
CHUNK = 1000
PROBE = "shop:accepts-writes"


class State:
    """What a process knows about one Redis. All threads share it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.away_until = self.checked_until = self.reported_until = 0.0
        self.dropped: dict[str, None] = {}
        self.cleaner: threading.Thread | None = None

    def drop(self, keys: Iterable[str]) -> None:
        """Remember keys whose values in Redis are out of date."""
        with self.lock:
            self.dropped.update(dict.fromkeys(keys))
            while len(self.dropped) > MOST_DROPPED:
                del self.dropped[next(iter(self.dropped))]

    def failed(self, error: redis.RedisError) -> None:
        self.checked_until = 0.0
        if isinstance(error, redis.ResponseError):
            if time.monotonic() >= self.reported_until:
                self.reported_until = time.monotonic() + REPORT_SECONDS
                logger.error("Redis refuses to work (%s); working without a cache.", str(error).partition(" ")[0])
            return
        self.away_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("Redis is unavailable (%s); working without a cache.", type(error).__name__)

    def forget_threads(self) -> None:
        """For a forked process, which has no other threads: none that holds the lock, and none that deletes keys."""
        self.lock, self.cleaner = threading.Lock(), None


_STATES: dict[tuple[str, ...], State] = {}


def _forget_threads() -> None:
    for state in _STATES.values():
        state.forget_threads()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_threads)


def tolerant(
    method: Callable[..., Any], absent: Callable[..., Any], changed: Callable[..., Iterable[str]] = lambda *_: ()
) -> Callable[..., Any]:
    """A method that calls the client's, or ``absent`` with the same arguments while Redis is unavailable or refuses.

    ``changed`` names the keys whose values the call replaces or deletes.
    """

    @wraps(method)
    def call(client: Client, *arguments: Any) -> Any:
        is_usable = client.is_usable()
        if is_usable:
            try:
                return method(client, *arguments)
            except redis.RedisError as error:
                client.state.failed(error)
        if keys := list(changed(*arguments)):
            client.state.drop(keys)
            client.start_cleaning()
            if is_usable:
                client.is_usable()  # deletes the old values now: a Redis that is out of memory still accepts that
        return absent(*arguments)

    return call


class Client(backend.RedisCacheClient):
    """Django's client. After a restart of Redis it tries a second connection before it gives up."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, retry=Retry(NoBackoff(), 1), **options)
        self.state = _STATES.setdefault(tuple(servers), State())

    def is_usable(self) -> bool:
        """Whether Redis accepts writes and holds nothing that is out of date.

        Asks at most once in CHECK_SECONDS, by deleting the keys whose changes were dropped.
        """
        state = self.state
        if time.monotonic() < state.away_until:
            return False
        if time.monotonic() < state.checked_until and not state.dropped:
            return True
        with state.lock:
            if time.monotonic() < state.away_until:
                return False
            try:
                self._delete_dropped()
            except redis.RedisError as error:
                state.failed(error)
                state.away_until = time.monotonic() + PAUSE_SECONDS
                return False
            state.checked_until = time.monotonic() + CHECK_SECONDS
        return True

    def start_cleaning(self) -> None:
        """Delete the dropped keys as soon as Redis accepts writes, even if this process gets no request by then:
        another one could read them."""
        state = self.state
        with state.lock:
            if state.cleaner is None:
                state.cleaner = threading.Thread(target=self._clean, name="dropped-keys", daemon=True)
                state.cleaner.start()

    def _clean(self) -> None:
        state = self.state
        while True:
            time.sleep(max(PAUSE_SECONDS, SHORTEST_PAUSE))
            with state.lock:
                state.cleaner = None  # if this thread ends with an error, the next dropped key starts another one
                try:
                    if state.dropped:
                        self._delete_dropped()
                except redis.RedisError:  # requests report it
                    state.cleaner = threading.current_thread()
                else:
                    return

    def _delete_dropped(self) -> None:
        connection = self.get_client(None, write=True)
        keys = list(self.state.dropped)
        for start in range(0, max(len(keys), 1), CHUNK):
            connection.delete(*(keys[start : start + CHUNK] or [PROBE]))
        for key in keys:
            del self.state.dropped[key]

    add = tolerant(backend.RedisCacheClient.add, lambda _key, _value, _timeout: True)
    get = tolerant(backend.RedisCacheClient.get, lambda _key, default: default)
    set = tolerant(backend.RedisCacheClient.set, lambda _key, _value, _timeout: None, lambda key, *_: [key])
    touch = tolerant(backend.RedisCacheClient.touch, lambda _key, _timeout: False)
    delete = tolerant(backend.RedisCacheClient.delete, lambda _key: False, lambda key: [key])
    get_many = tolerant(backend.RedisCacheClient.get_many, lambda _keys: {})
    has_key = tolerant(backend.RedisCacheClient.has_key, lambda _key: False)
    incr = tolerant(backend.RedisCacheClient.incr, lambda _key, delta: delta)
    set_many = tolerant(backend.RedisCacheClient.set_many, lambda _data, _timeout: None, lambda data, _timeout: data)
    delete_many = tolerant(backend.RedisCacheClient.delete_many, lambda _keys: None, lambda keys: keys)
    clear = tolerant(backend.RedisCacheClient.clear, lambda: False)


class RedisCache(backend.RedisCache):
    """Django's Redis cache with the tolerant client. Rate limits pass everything while Redis is away or refuses."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client
