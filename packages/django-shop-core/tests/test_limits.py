"""A limit lets exactly n requests of a caller through in each window, and everything while the cache fails."""

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from shop_core import limits
from shop_core.conf import BaseSettings
from shop_core.exceptions import TooManyRequests


class AppSettings(BaseSettings):
    setting = "THINGS"


class BrokenCache(LocMemCache):
    def add(self, *arguments, **options):
        raise ConnectionError("the cache is unavailable")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    cache.clear()
    now = [60_000_039.5]
    monkeypatch.setattr(limits.time, "time", lambda: now[0])
    monkeypatch.setitem(limits._alarm, "due", 0.0)
    return now


@pytest.fixture
def throttle(settings):
    def set_to(**rates):
        settings.THINGS = {**settings.THINGS, "THROTTLES": rates}

    set_to(writes="3/m")
    return set_to


def passed(times=10, kind="writes", caller="a"):
    count = 0
    for _time in range(times):
        try:
            limits.check(AppSettings(), kind, caller)
            count += 1
        except TooManyRequests:
            continue
    return count


def test_exactly_n_pass_in_a_window_and_again_in_the_next(throttle, clock):
    assert passed() == 3
    with pytest.raises(TooManyRequests) as refused:
        limits.check(AppSettings(), "writes", "a")
    assert refused.value.extra == {"retry_after": 21}
    clock[0] += refused.value.extra["retry_after"]
    assert passed() == 3


def test_callers_and_kinds_are_counted_apart(throttle):
    throttle(writes="3/m", reads="5/m")
    assert [passed(), passed(caller="b"), passed(kind="reads"), passed()] == [3, 3, 5, 0]


def test_a_changed_rate_applies_at_once(throttle):
    assert passed(2) == 2
    throttle(writes="5/m")
    assert passed() == 3
    throttle()
    assert passed() == 10


def test_unknown_callers_and_kinds_without_a_rate_are_not_limited(throttle):
    throttle(writes="3/m", reads="")
    assert [passed(caller=""), passed(kind="reads"), passed(kind="other")] == [10, 10, 10]


def test_while_the_cache_fails_requests_pass_and_one_alarm_is_logged(throttle, settings, caplog):
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    assert passed(50) == 50
    (alarm,) = caplog.records
    assert (alarm.levelname, alarm.name) == ("ERROR", "shop_core.limits")
    assert "THROTTLES" in alarm.getMessage()


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
