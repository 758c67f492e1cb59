"""Stock and its ledger."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_catalog import inventory, products, signals
from shop_catalog.exceptions import InsufficientStock, InvalidProduct, MovementConflict, UnknownProduct
from shop_catalog.inventory import announcements
from shop_catalog.models import Product, StockMovement

pytestmark = pytest.mark.django_db


def product(sku, stock=0, **values):
    made = products.create(sku, name=f"Product {sku}", price=Decimal(1), **values)
    if stock:
        inventory.receive({sku: stock}, reason="start")
    return made


def levels(sku):
    return Product.objects.values_list("stock_quantity", "reserved_quantity").get(sku=sku)


def test_reserve_is_all_or_nothing():
    product("A", 5)
    product("B", 1)
    assert inventory.reserve({"A": 2, "B": 2}, reference="order-1") == {"B": 1}
    assert levels("A") == (5, 0)
    assert levels("B") == (1, 0)
    assert StockMovement.objects.filter(kind="reserve").count() == 0


def test_reserve_returns_zero_for_products_that_cannot_be_bought():
    product("A", 5)
    product("OFF", 5, is_active=False)
    products.create("G", name="Group", kind="group")
    wanted = {"A": 1, "OFF": 1, "G": 1, "NONE": 1}
    assert inventory.reserve(wanted, reference="order-1") == {"OFF": 0, "G": 0, "NONE": 0}
    assert levels("A") == (5, 0)


def test_repeated_reservation_changes_nothing():
    product("A", 5)
    assert inventory.reserve({"A": 2}, reference="order-1") == {}
    assert inventory.reserve({"A": 2}, reference="order-1") == {}
    assert levels("A") == (5, 2)


def test_same_reference_with_another_quantity_is_refused():
    product("A", 5)
    inventory.reserve({"A": 2}, reference="order-1")
    with pytest.raises(MovementConflict), transaction.atomic():
        inventory.reserve({"A": 3}, reference="order-1")
    assert levels("A") == (5, 2)


def test_refused_reservation_forces_the_caller_to_roll_back():
    """It may have written some movements, and no savepoint was set."""
    product("A", 5)
    product("B", 5)
    inventory.reserve({"A": 2}, reference="order-1")
    with transaction.atomic():
        with pytest.raises(MovementConflict):
            inventory.reserve({"A": 3, "B": 1}, reference="order-1")
        assert transaction.get_rollback()
        transaction.set_rollback(True)
    assert (levels("A"), levels("B")) == ((5, 2), (5, 0))
    assert inventory.differences() == []


def test_release_with_the_same_reference_works_once():
    product("A", 5)
    inventory.reserve({"A": 2}, reference="order-1")
    inventory.release({"A": 2}, reference="order-1")
    inventory.release({"A": 2}, reference="order-1")
    assert levels("A") == (5, 0)


def test_ship_with_the_same_reference_works_once():
    product("A", 5)
    inventory.reserve({"A": 2}, reference="order-1")
    inventory.ship({"A": 2}, reference="shipment-1")
    inventory.ship({"A": 2}, reference="shipment-1")
    assert levels("A") == (3, 0)


def test_shipping_more_than_is_reserved_is_refused():
    product("A", 5)
    inventory.reserve({"A": 1}, reference="order-1")
    with pytest.raises(InsufficientStock) as caught:
        inventory.ship({"A": 2}, reference="shipment-1")
    assert caught.value.extra == {"available": {"A": 4}}
    assert levels("A") == (5, 1)


def test_restock_with_the_same_reference_works_once():
    product("A", 5)
    inventory.restock({"A": 2}, reference="return-1")
    inventory.restock({"A": 2}, reference="return-1")
    assert levels("A") == (7, 0)


def test_release_and_restock_ignore_deleted_products():
    inventory.release({"GONE": 1}, reference="order-1")
    inventory.restock({"GONE": 1}, reference="return-1")
    assert StockMovement.objects.count() == 0


def test_adjust_below_the_reserved_quantity_is_refused():
    product("A", 5)
    inventory.reserve({"A": 3}, reference="order-1")
    with pytest.raises(InsufficientStock):
        inventory.adjust({"A": -3}, reason="broken")
    inventory.adjust({"A": -2}, reason="broken")
    assert levels("A") == (3, 3)


def test_count_sets_the_quantity_on_hand_and_keeps_reservations():
    product("A", 5)
    inventory.reserve({"A": 3}, reference="order-1")
    inventory.count({"A": 9}, reason="stocktaking")
    assert levels("A") == (9, 3)
    with pytest.raises(InsufficientStock):
        inventory.count({"A": 2}, reason="stocktaking")
    assert levels("A") == (9, 3)
    assert inventory.differences() == []


def test_receive_of_an_unknown_product_is_refused():
    with pytest.raises(UnknownProduct):
        inventory.receive({"NONE": 1})


@pytest.mark.parametrize("quantity", [0, -1, 2**31])
def test_invalid_quantities_are_refused(quantity):
    product("A", 5)
    for action in (inventory.receive, inventory.reserve, inventory.release, inventory.ship, inventory.restock):
        with pytest.raises(InvalidProduct):
            action({"A": quantity}, reference="r")
    assert levels("A") == (5, 0)


def test_stock_beyond_the_range_of_the_column_is_refused():
    product("A", 2**31 - 1)
    with pytest.raises(InsufficientStock):
        inventory.receive({"A": 1})
    assert levels("A") == (2**31 - 1, 0)


def test_number_of_statements_does_not_grow_with_the_number_of_products(django_assert_num_queries):
    for number in range(20):
        product(f"P{number}", 5)
    with django_assert_num_queries(3):
        inventory.reserve({"P0": 1}, reference="one")
    with django_assert_num_queries(3):
        inventory.reserve({f"P{number}": 1 for number in range(20)}, reference="twenty")


def test_check_stock_lists_products_that_differ_from_their_ledger(capsys):
    product("A", 5)
    product("B", 5)
    call_command("check_stock")
    assert "equals the ledger" in capsys.readouterr().out
    Product.objects.filter(sku="B").update(stock_quantity=7)
    with pytest.raises(CommandError):
        call_command("check_stock")
    assert capsys.readouterr().out == "B: on hand 7, movements 5; reserved 0, movements 0\n"


@pytest.fixture
def received():
    events = []

    def receive_signal(*, signal, product, payload, event_id, **_kwargs):
        name = "low" if signal is signals.stock_low else "back"
        events.append((name, product.sku, payload["available"], event_id))

    signals.stock_low.connect(receive_signal)
    signals.stock_back.connect(receive_signal)
    yield events
    signals.stock_low.disconnect(receive_signal)
    signals.stock_back.disconnect(receive_signal)


@pytest.fixture
def available():
    """``(sku, available, event id)`` of each ``stock_available``."""
    events = []

    def receive_signal(*, product, payload, event_id, **_kwargs):
        events.append((product.sku, payload["available"], event_id))

    signals.stock_available.connect(receive_signal)
    yield events
    signals.stock_available.disconnect(receive_signal)


@pytest.mark.django_db(transaction=True)
def test_each_threshold_crossing_is_announced_once(received):
    product("A", 10, low_stock_threshold=5)
    received.clear()
    inventory.reserve({"A": 5}, reference="order-1")
    assert received == []
    inventory.reserve({"A": 1}, reference="order-2")
    inventory.reserve({"A": 1}, reference="order-3")
    inventory.release({"A": 1}, reference="order-3")
    inventory.receive({"A": 3})
    inventory.receive({"A": 3})
    assert [event[:3] for event in received] == [("low", "A", 4), ("back", "A", 7)]
    assert StockMovement.objects.unannounced().count() == 0


@pytest.mark.django_db(transaction=True)
def test_rolled_back_crossing_is_not_announced(received):
    product("A", 10, low_stock_threshold=5)
    received.clear()
    with transaction.atomic():
        inventory.reserve({"A": 9}, reference="order-1")
        transaction.set_rollback(True)
    assert received == []


@pytest.mark.django_db(transaction=True)
def test_crossing_is_announced_again_after_a_receiver_failed(received, monkeypatch):
    product("A", 10, low_stock_threshold=5)
    received.clear()

    def fail(**_kwargs):
        raise RuntimeError("not now")

    signals.stock_low.connect(fail)
    try:
        inventory.reserve({"A": 9}, reference="order-1")
    finally:
        signals.stock_low.disconnect(fail)
    assert StockMovement.objects.unannounced().count() == 1
    assert inventory.announce_pending() == 0
    monkeypatch.setattr(announcements, "GRACE_PERIOD", announcements.GRACE_PERIOD * 0)
    assert inventory.announce_pending() == 1
    assert StockMovement.objects.unannounced().count() == 0
    assert [event[0] for event in received] == ["low", "low"]
    assert received[0][3] == received[1][3]
    assert inventory.announce_pending() == 0


@pytest.mark.django_db(transaction=True)
def test_stock_from_zero_is_announced_whatever_gave_it(available):
    """Each step but the last in a list takes the stock to zero; each step after one of these raises it."""
    product("A", 2)
    steps = [
        (inventory.reserve, {"A": 2}, {"reference": "order-1"}),
        (inventory.release, {"A": 2}, {"reference": "order-1"}),
        (inventory.reserve, {"A": 2}, {"reference": "order-2"}),
        (inventory.ship, {"A": 2}, {"reference": "shipment-2"}),
        (inventory.restock, {"A": 1}, {"reference": "refund-2"}),
        (inventory.adjust, {"A": -1}, {"reason": "broken"}),
        (inventory.adjust, {"A": 3}, {"reason": "found"}),
        (inventory.count, {"A": 0}, {"reason": "stocktaking"}),
        (inventory.count, {"A": 4}, {"reason": "stocktaking"}),
        (inventory.receive, {"A": 1}, {}),
    ]
    for action, quantities, options in steps:
        action(quantities, **options)
    assert [event[:2] for event in available] == [("A", 2), ("A", 2), ("A", 1), ("A", 3), ("A", 4)]
    assert len({event[2] for event in available}) == 5
    assert StockMovement.objects.unannounced().count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_repeated_call_announces_no_second_rise(available):
    product("A", 0)
    inventory.receive({"A": 2}, reference="delivery-1")
    inventory.receive({"A": 2}, reference="delivery-1")
    assert [event[:2] for event in available] == [("A", 2)]


@pytest.mark.django_db(transaction=True)
def test_many_products_are_announced_with_as_many_statements_as_one(available):
    skus = [f"P{number}" for number in range(30)]
    for sku in skus:
        product(sku, 0)
    used = []
    for part in (skus[:1], skus[1:]):
        with CaptureQueriesContext(connection) as queries:
            inventory.receive(dict.fromkeys(part, 1), reference=part[0])
        used.append(len(queries))
    assert used[0] == used[1]
    assert sorted(event[0] for event in available) == sorted(skus)


@pytest.mark.django_db(transaction=True)
def test_a_rise_of_a_process_that_died_after_its_commit_is_announced_once(available, monkeypatch):
    product("A", 0)
    with monkeypatch.context() as dying:
        dying.setattr(announcements.transaction, "on_commit", lambda *_args, **_kwargs: None)
        inventory.receive({"A": 2})
    assert available == []
    monkeypatch.setattr(announcements, "GRACE_PERIOD", announcements.GRACE_PERIOD * 0)
    assert [inventory.announce_pending(), inventory.announce_pending()] == [1, 0]
    assert [event[:2] for event in available] == [("A", 2)]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_for_one_product_keeps_only_that_event(available, monkeypatch):
    def fail_for_b(*, product, **_kwargs):
        if product.sku == "B":
            raise RuntimeError("not now")

    for sku in "ABC":
        product(sku, 0)
    signals.stock_available.connect(fail_for_b)
    try:
        inventory.receive({"A": 1, "B": 1, "C": 1})
    finally:
        signals.stock_available.disconnect(fail_for_b)
    assert [row.product.sku for row in StockMovement.objects.unannounced()] == ["B"]
    monkeypatch.setattr(announcements, "GRACE_PERIOD", announcements.GRACE_PERIOD * 0)
    assert inventory.announce_pending() == 1
    ids = [event[2] for event in available if event[0] == "B"]
    assert len(ids) == 2
    assert ids[0] == ids[1]
    assert [event[0] for event in available] == ["A", "B", "C", "B"]


@pytest.mark.django_db(transaction=True)
def test_a_rise_from_zero_to_the_threshold_has_two_events_with_two_ids(received, available):
    product("A", 0, low_stock_threshold=5)
    inventory.receive({"A": 6})
    assert [event[:3] for event in received] == [("back", "A", 6)]
    assert [event[:2] for event in available] == [("A", 6)]
    assert received[0][3] != available[0][2]


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_two_receipts_at_once_announce_one_rise(available):
    product("A", 0)
    run_threads(8, lambda number: inventory.receive({"A": 1}, reference=f"delivery-{number}"))
    assert len(available) == 1
    assert levels("A") == (8, 0)


FULL = bool(os.environ.get("SHOP_TEST_FULL"))
MOVES = st.tuples(
    st.sampled_from(["receive", "adjust", "count", "reserve", "release", "ship", "restock"]),
    st.integers(1, 6),
    st.integers(0, 8),
)


@settings(
    max_examples=500 if FULL else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(MOVES, max_size=60 if FULL else 30))
def test_any_sequence_of_movements_keeps_stock_equal_to_its_ledger(moves):
    """Stock is compared with a plain dictionary. Refused movements must change nothing."""
    with transaction.atomic():
        Product.objects.all().delete()
        product("A")
        stock = reserved = 0
        seen = {}
        for kind, quantity, reference in moves:
            key = (kind, reference)
            if kind in {"adjust", "count"}:
                change = (-quantity, 0) if kind == "adjust" else (quantity - stock, 0)
            else:
                change = {
                    "receive": (quantity, 0),
                    "reserve": (0, quantity),
                    "release": (0, -quantity),
                    "ship": (-quantity, -quantity),
                    "restock": (quantity, 0),
                }[kind]
            action = getattr(inventory, kind)
            options = {"reason": "x"} if kind in {"adjust", "count"} else {"reference": f"r{reference}"}
            sku_change = {"A": -quantity if kind == "adjust" else quantity}
            is_repeated = kind not in {"adjust", "count"} and key in seen
            try:
                with transaction.atomic():
                    short = action(sku_change, **options)
            except MovementConflict:
                assert is_repeated
                assert seen[key] != quantity
                continue
            except InsufficientStock:
                assert not 0 <= reserved + change[1] <= stock + change[0]
                continue
            if kind == "reserve" and short:
                assert short == {"A": stock - reserved}
                assert stock - reserved < quantity
                continue
            if is_repeated:
                assert seen[key] == quantity
                continue
            seen[key] = quantity
            stock, reserved = stock + change[0], reserved + change[1]
        assert levels("A") == (stock, reserved)
        assert inventory.differences() == []
        transaction.set_rollback(True)


@settings(
    max_examples=500 if FULL else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    moves=st.lists(st.tuples(st.sampled_from("AB"), st.integers(-4, 4)), max_size=40),
    threshold=st.sampled_from([None, 0, 1, 2, 3]),
)
def test_any_sequence_of_movements_gives_one_event_for_each_crossing(received, available, moves, threshold):
    """The stock is compared with a plain dictionary; so are the events that its changes should have."""
    expected = []
    with transaction.atomic():
        for sku in "AB":
            product(sku, 0, low_stock_threshold=threshold)
        stock = dict.fromkeys("AB", 0)
        for sku, change in moves:
            before, after = stock[sku], stock[sku] + change
            if after < 0 or not change:
                continue
            inventory.adjust({sku: change}, reason="x")
            stock[sku] = after
            expected += [(sku, "stock_available")] if before == 0 else []
            if threshold is not None:
                expected += [(sku, "stock_low")] if before >= threshold > after else []
                expected += [(sku, "stock_back")] if before < threshold <= after else []
        StockMovement.objects.update(created_at=timezone.now() - timedelta(hours=1))
        inventory.announce_pending()
        assert inventory.announce_pending() == 0
        transaction.set_rollback(True)
    sent = [(sku, f"stock_{name}", event_id) for name, sku, _available, event_id in received]
    sent += [(sku, "stock_available", event_id) for sku, _available, event_id in available]
    received.clear()
    available.clear()
    assert sorted(event[:2] for event in sent) == sorted(expected)
    assert len({event[2] for event in sent}) == len(sent)


def run_threads(count, work):
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_sixty_four_buyers_of_fifty_units_get_exactly_fifty():
    product("HOT", 50)
    responses = run_threads(64, lambda number: inventory.reserve({"HOT": 1}, reference=f"order-{number}"))
    assert sum(response == {} for response in responses) == 50
    assert sum(response == {"HOT": 0} for response in responses) == 14
    assert levels("HOT") == (50, 50)
    assert inventory.differences() == []


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_carts_in_shuffled_order_do_not_deadlock():
    skus = [f"P{number}" for number in range(6)]
    for sku in skus:
        product(sku, 200)

    def buy(number):
        rng = random.Random(number)
        for turn in range(12):
            lines = dict.fromkeys(rng.sample(skus, 3), 1)
            assert inventory.reserve(lines, reference=f"o-{number}-{turn}") == {}

    run_threads(8, buy)
    assert sum(levels(sku)[1] for sku in skus) == 8 * 12 * 3
    assert inventory.differences() == []


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_unguarded_read_then_write_oversells():
    """The negative control of the two tests above: the same buyers, without lock and condition."""
    product("HOT", 5)
    barrier = threading.Barrier(16)

    def buy(_number):
        row = Product.objects.get(sku="HOT")
        barrier.wait()
        if row.available_quantity >= 1:
            Product.objects.filter(pk=row.pk).update(reserved_quantity=row.reserved_quantity + 1)
            return True
        return False

    assert sum(run_threads(16, buy)) == 16
    assert levels("HOT") == (5, 1)


@pytest.mark.django_db(transaction=True)
def test_concurrent_releases_give_stock_back_once():
    product("A", 5)
    inventory.reserve({"A": 5}, reference="order-1")
    run_threads(16, lambda _number: inventory.release({"A": 5}, reference="order-1"))
    assert levels("A") == (5, 0)
    assert StockMovement.objects.filter(kind="release").count() == 1
