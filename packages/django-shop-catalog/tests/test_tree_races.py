"""Concurrent writers of the category tree: through actions, the model, the admin and the API."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, connections
from django.test import Client
from mptt.exceptions import InvalidMove
from shop_catalog import categories
from shop_catalog.exceptions import ShopCatalogError
from shop_catalog.imports import import_categories
from shop_catalog.models import Category, gate

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS = 8
OPERATIONS = 2000 if os.environ.get("SHOP_TEST_FULL") else 160
"""The number of operations of all writers together; SHOP_TEST_FULL=1 runs the full number."""


def plant(size=60):
    import_categories([f"Root {number % 6} > Branch {number % 20} > Leaf {number}" for number in range(size)])


def random_pair(rng):
    pks = list(Category.objects.values_list("pk", flat=True))
    return Category.objects.get(pk=rng.choice(pks)), Category.objects.get(pk=rng.choice(pks))


def write_by_action(rng, number, _client):
    one, other = random_pair(rng)
    if rng.random() < 0.6:
        categories.create(f"New {number}", parent=other)
    else:
        categories.move(one, parent=other)


def write_by_model(rng, number, _client):
    one, other = random_pair(rng)
    if rng.random() < 0.6:
        Category(name=f"Saved {number}", slug=f"saved-{number}", parent=other).save()
    elif rng.random() < 0.5:
        one.parent = other
        one.save()
    else:
        one.move_to(other, rng.choice(["left", "right", "first-child", "last-child"]))


def write_by_admin(rng, _number, client):
    one, other = random_pair(rng)
    payload = {"cmd": "move_node", "position": "last-child", "cut_item": one.pk, "pasted_on": other.pk}
    assert client.post("/admin/shop_catalog/category/", payload).status_code == 200


def write_by_api(rng, number, client):
    one, other = random_pair(rng)
    url = "/api/v1/products/categories/"
    if rng.random() < 0.6:
        response = client.post(
            url, {"name": f"Posted {number}", "parent": other.slug}, content_type="application/json"
        )
    else:
        response = client.patch(f"{url}{one.slug}/", {"parent": other.slug}, content_type="application/json")
    assert response.status_code in {200, 201, 404, 422}, response.content


WRITERS_BY_ENTRY_POINT = [write_by_action, write_by_model, write_by_admin, write_by_api]
REFUSALS = (ShopCatalogError, InvalidMove, Category.DoesNotExist)


def race(operations, writers):
    """Run the operations on eight threads. Returns unexpected errors; refused operations are not included."""
    user = get_user_model().objects.create_superuser("racer", "racer@example.org", "secret")
    start = threading.Barrier(WRITERS)

    def write(writer):
        rng = random.Random(writer)
        client = Client()
        client.force_login(user)
        errors = []
        start.wait()
        for number in range(operations // WRITERS):
            try:
                writers[(writer + number) % len(writers)](rng, writer * 100_000 + number, client)
            except REFUSALS:
                pass
            except Exception as error:  # noqa: BLE001 - any error fails the test, by name
                errors.append(error)
        connections.close_all()
        return errors

    with ThreadPoolExecutor(WRITERS) as pool:
        return [error for errors in pool.map(write, range(WRITERS)) for error in errors]


@pytest.mark.slow
def test_eight_concurrent_writers_leave_a_valid_tree():
    plant()
    before = Category.objects.count()
    errors = race(OPERATIONS, WRITERS_BY_ENTRY_POINT)
    assert errors == []
    assert categories.check() == []
    assert Category.objects.count() > before
    tree = categories.current_tree()
    assert len(tree.nodes) == Category.objects.count()


@pytest.mark.slow
@pytest.mark.pg
def test_without_the_lock_the_same_race_corrupts_the_tree(monkeypatch):
    """The negative control: if the tree stayed valid without the lock, the test above would prove nothing."""
    monkeypatch.setattr(gate, "lock_tree", lambda alias: None)
    plant()
    errors = race(OPERATIONS, [write_by_action, write_by_model])
    assert categories.check() != [] or any(isinstance(error, OperationalError) for error in errors)
    assert categories.check() != []
    categories.repair()
    assert categories.check() == []


@pytest.mark.slow
@pytest.mark.pg
def test_reading_before_the_lock_corrupts_the_tree(monkeypatch):
    """The second negative control: locking is useless if the instance was read before the lock."""
    monkeypatch.setattr(Category, "_read_again", lambda self, alias, fields: set())
    monkeypatch.setattr(Category, "refresh_from_db", lambda self, **options: None)
    plant()
    race(OPERATIONS, [_move_read_before])
    assert categories.check() != []


def _move_read_before(rng, _number, _client):
    one, other = random_pair(rng)
    one.parent = other
    one.save()


@pytest.mark.slow
def test_concurrent_readers_always_see_a_complete_tree():
    plant()
    stop = threading.Event()
    seen = []

    def read():
        client = Client()
        while not stop.wait(0.001):  # without a pause, the loop would leave no CPU time for the writers
            response = client.get("/api/v1/products/categories/tree/")
            seen.append(response.status_code)
            _count(response.json())
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        errors = race(OPERATIONS // 4, [write_by_action])
    finally:
        stop.set()
        reader.join()
    assert errors == []
    assert set(seen) == {200}
    assert _count(Client().get("/api/v1/products/categories/tree/").json()) == Category.objects.count()


def _count(nodes):
    return sum(1 + _count(node["children"]) for node in nodes)


def test_tree_lock_is_held_until_the_outer_transaction_ends():
    """A second writer waits for the first one's commit, not for the end of its ``write_gate`` block."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at BEGIN")
    from django.db import transaction

    order = []
    entered = threading.Event()

    def second():
        entered.wait()
        categories.create("Second")
        order.append("second")
        connections.close_all()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic():
        categories.create("First")
        entered.set()
        thread.join(timeout=0.5)
        assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert categories.check() == []
