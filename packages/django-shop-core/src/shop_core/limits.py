"""Limits of requests in fixed windows of time. The counts are in the site's default cache, for all processes."""

from __future__ import annotations

import hashlib
import logging
import re
import time

from django.core.cache import cache

from shop_core.exceptions import TooManyRequests

logger = logging.getLogger(__name__)

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LOG_INTERVAL_SECONDS = SPARE_SECONDS = 60
_next_log = {"due": 0.0}


def check(kind: str, rate: str, caller: str) -> None:
    """Count a request of a caller, or TooManyRequests: ``"60/m"`` allows 60 a minute of a kind, as ``cart``.

    An empty rate or caller is not limited. Requests pass while the cache fails, which each process logs once a minute.
    """
    if not rate or not caller:
        return
    number, _slash, period = rate.partition("/")
    allowed, seconds = int(number), PERIODS[period]
    window, elapsed = divmod(time.time(), seconds)
    name = hashlib.sha256(f"{kind}:{caller}:{seconds}:{window:.0f}".encode()).hexdigest()
    try:
        cache.add(f"shop-limit:{name}", 0, seconds + SPARE_SECONDS)
        used = cache.incr(f"shop-limit:{name}")
    except Exception:  # each cache backend has errors of its own
        if time.monotonic() >= _next_log["due"]:
            _next_log["due"] = time.monotonic() + LOG_INTERVAL_SECONDS
            logger.exception("The cache failed: requests are not limited until it works again.")
        return
    if used > allowed:
        raise TooManyRequests(retry_after=int(seconds - elapsed) + 1)


def are_rates(throttles: object, kinds: tuple[str, ...]) -> bool:
    """Whether this ``THROTTLES`` is a dict whose keys are among ``kinds``, each with a rate or "" for no limit."""
    return isinstance(throttles, dict) and all(
        kind in kinds and isinstance(rate, str) and (not rate or re.fullmatch("[1-9][0-9]{0,8}/[smhd]", rate))
        for kind, rate in throttles.items()
    )
