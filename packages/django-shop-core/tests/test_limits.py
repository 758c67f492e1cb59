"""A limit lets exactly n requests of a caller through in each window, and everything while the cache fails."""

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from shop_core import limits
from shop_core.exceptions import TooManyRequests


class BrokenCache(LocMemCache):
    def add(self, *arguments, **options):
        raise ConnectionError("the cache is unavailable")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    cache.clear()
    now = [60_000_039.5]
    monkeypatch.setattr(limits.time, "time", lambda: now[0])
    monkeypatch.setitem(limits._next_log, "due", 0.0)
    return now


def passed(times=10, kind="writes", rate="3/m", caller="a"):
    count = 0
    for _time in range(times):
        try:
            limits.check(kind, rate, caller)
            count += 1
        except TooManyRequests:
            continue
    return count


def test_exactly_n_pass_in_a_window_and_again_in_the_next(clock):
    assert passed() == 3
    with pytest.raises(TooManyRequests) as refused:
        limits.check("writes", "3/m", "a")
    assert refused.value.extra == {"retry_after": 21}
    clock[0] += refused.value.extra["retry_after"]
    assert passed() == 3


def test_callers_and_kinds_are_counted_apart():
    assert [passed(), passed(caller="b"), passed(kind="reads", rate="5/m"), passed()] == [3, 3, 5, 0]


def test_a_changed_rate_applies_at_once():
    assert [passed(2), passed(rate="5/m"), passed(rate="")] == [2, 3, 10]


def test_unknown_callers_and_empty_rates_are_not_limited():
    assert [passed(caller=""), passed(rate="")] == [10, 10]


def test_while_the_cache_fails_requests_pass_and_one_error_is_logged(settings, caplog):
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    assert passed(50) == 50
    (alarm,) = caplog.records
    assert (alarm.levelname, alarm.name) == ("ERROR", "shop_core.limits")
    assert "not limited" in alarm.getMessage()


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ({}, True),
        ({"writes": "60/m", "reads": ""}, True),
        ({"writes": "1/s"}, True),
        ({"writes": "60"}, False),
        ({"writes": "0/m"}, False),
        ({"writes": "-1/m"}, False),
        ({"writes": "60/minute"}, False),
        ({"writes": "٦/m"}, False),
        ({"writes": 60}, False),
        ({"wirtes": "60/m"}, False),
        ([("writes", "60/m")], False),
        (None, False),
    ],
)
def test_the_shape_of_rates(value, is_right):
    assert limits.are_rates(value, ("writes", "reads")) is is_right
