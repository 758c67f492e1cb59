import asyncio
import sqlite3
import threading
from contextlib import suppress

import psycopg.errors
import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection, transaction
from shop_core.db.transactions import (
    LOCK_TIMEOUT,
    CalledInTransaction,
    app_routing,
    in_transaction,
    is_temporary,
    outside_event_loop,
    outside_transaction,
    repeat_once,
)
from shop_core.exceptions import Busy
from testproject.things.models import Thing

TEMPORARY = ["08006", "25006", "40001", "40003", "40P01", "53300", "55P03", "57014", "57P01", "57P03"]
PERMANENT = ["40002", "55000", "55006", "58030", "42P01", "22003"]


def refused(state):
    error = OperationalError("refused")
    error.__cause__ = psycopg.errors.lookup(state)("refused") if state else psycopg.OperationalError("connection lost")
    return error


@pytest.mark.parametrize("state", [*TEMPORARY, None])
def test_temporary_errors_are_recognised(state):
    assert is_temporary(refused(state))


@pytest.mark.parametrize("state", PERMANENT)
def test_permanent_errors_are_recognised(state):
    assert not is_temporary(refused(state))


@pytest.mark.parametrize(
    ("text", "temporary"),
    [("database is locked", True), ("database table is busy", True), ("no such table: x", False), ("disk I/O", False)],
)
def test_temporary_errors_of_sqlite_are_recognised(text, temporary):
    error = OperationalError(text)
    error.__cause__ = sqlite3.OperationalError(text)
    assert is_temporary(error) is temporary


@pytest.mark.django_db(transaction=True)
def test_transaction_is_repeated_after_a_temporary_error():
    calls = []

    @in_transaction(Thing)
    def work(name):
        Thing.objects.create(name=name)
        calls.append(name)
        if len(calls) == 1:
            raise refused("40P01")
        return "done"

    assert work("a") == "done"
    assert calls == ["a", "a"]
    assert Thing.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_second_temporary_error_raises_busy_and_writes_nothing():
    @in_transaction(Thing)
    def work():
        Thing.objects.create(name="a")
        raise refused("55P03")

    with pytest.raises(Busy):
        work()
    assert not Thing.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_permanent_error_is_not_repeated():
    calls = []

    @in_transaction(Thing)
    def work():
        calls.append(1)
        raise refused("58030")

    with pytest.raises(OperationalError):
        work()
    assert calls == [1]


@pytest.mark.django_db(transaction=True)
def test_savepoint_in_a_callers_transaction_is_not_repeated():
    calls = []

    @in_transaction(Thing)
    def work():
        calls.append(1)
        Thing.objects.create(name="inner")
        raise refused("40P01")

    with transaction.atomic():
        Thing.objects.create(name="outer")
        with pytest.raises(OperationalError):
            work()
    assert calls == [1]
    assert list(Thing.objects.values_list("name", flat=True)) == ["outer"]


def test_package_can_use_its_own_subclass_of_busy(db):
    class ThingsBusy(Busy):
        pass

    def refuse():
        raise refused("40P01")

    with transaction.atomic(), pytest.raises(OperationalError):
        in_transaction(Thing, busy=ThingsBusy)(refuse)()
    with pytest.raises(ThingsBusy):
        repeat_once(refuse, busy=ThingsBusy)


@pytest.mark.django_db(transaction=True)
def test_router_chooses_the_database_at_each_call(settings):
    asked = []

    class Router:
        def db_for_write(self, model, **_hints):
            asked.append(model)
            return "default"

    settings.DATABASE_ROUTERS = [Router()]
    work = in_transaction(Thing)(lambda: 1)
    assert asked == []
    work()
    work()
    assert asked == [Thing, Thing]


def test_models_in_other_databases_are_found(settings):
    class Router:
        def db_for_write(self, model, **_hints):
            return "users" if model in {ContentType, Group} else "shop"

        def db_for_read(self, model, **_hints):
            return "replica" if model is Permission else self.db_for_write(model)

    assert app_routing("auth") == ("default", {}, {})
    settings.DATABASE_ROUTERS = [Router()]
    written = {"auth.Group": "users", "contenttypes.ContentType": "users"}
    assert app_routing("auth") == ("shop", written, {"auth.Permission": "replica"})


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_lock_timeout_is_set_only_for_the_transaction():
    @in_transaction(Thing)
    def shown():
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return cursor.fetchone()[0]

    assert shown() == LOCK_TIMEOUT
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "0"


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_two_deadlocked_transactions_both_succeed():
    Thing.objects.create(name="a")
    Thing.objects.create(name="b")
    first_lock = threading.Barrier(2, timeout=10)
    winner_ended = threading.Event()
    tries = []

    @in_transaction(Thing)
    def touch(first, second):
        tries.append(first)
        if tries.count(first) == 2:
            assert winner_ended.wait(10)  # else it may lock its row again before the winner gets it
        Thing.objects.select_for_update().get(name=first)
        if tries.count(first) == 1:
            first_lock.wait()
        Thing.objects.filter(name=second).update(count=Thing.objects.get(name=second).count + 1)

    def run(*names):
        try:
            touch(*names)
        finally:
            winner_ended.set()
            connection.close()

    threads = [threading.Thread(target=run, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(tries) == 3
    assert sorted(Thing.objects.values_list("count", flat=True)) == [1, 1]


@in_transaction(Thing, durable=True)
def write_durably():
    Thing.objects.create(name="a")
    return connection.in_atomic_block


@outside_transaction(Thing)
def send():
    """Call a service."""
    return connection.in_atomic_block


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", [write_durably, send])
def test_actions_that_use_the_network_refuse_a_transaction(action):
    with pytest.raises(CalledInTransaction) as refusal, transaction.atomic():
        action()
    assert action.__qualname__ in str(refusal.value)
    assert "ATOMIC_REQUESTS" in str(refusal.value)
    assert "non_atomic_requests('default')" in str(refusal.value)
    assert not Thing.objects.exists()
    assert action() is (action is write_durably)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", [write_durably, send])
def test_actions_that_use_the_network_refuse_a_connection_without_autocommit(action):
    transaction.set_autocommit(False)
    try:
        with pytest.raises(CalledInTransaction):
            action()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


@pytest.mark.django_db
@pytest.mark.parametrize("action", [write_durably, send])
def test_the_transaction_of_a_test_case_is_allowed(action):
    assert action() is True
    with pytest.raises(CalledInTransaction), transaction.atomic():
        action()


@pytest.mark.django_db(transaction=True)
def test_actions_that_use_the_network_run_after_a_commit():
    ran = []
    with transaction.atomic():
        transaction.on_commit(lambda: ran.append(write_durably()))
    assert ran == [True]


@pytest.mark.django_db(transaction=True)
def test_where_django_allows_queries_in_an_event_loop_they_stay_in_the_callers_transaction(monkeypatch):
    """As in a notebook. Otherwise a message would be sent about a row that was rolled back."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

    async def cell():
        with suppress(ZeroDivisionError), transaction.atomic():
            outside_event_loop(lambda: Thing.objects.create(name="mug"))
            raise ZeroDivisionError
        connection.close()  # an event loop has a connection of its own

    asyncio.run(cell())
    assert not Thing.objects.exists()
