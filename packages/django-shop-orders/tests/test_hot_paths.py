"""How many statements an add and a checkout take, what they write, and how long they wait for locks."""

import contextlib
import threading

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from shop_core.db import rows, transactions
from shop_core.db.compiled import CompiledQuery, Parameter
from shop_orders import carts, checkout, customers
from shop_orders.carts import queries
from shop_orders.exceptions import Busy, CartClosed
from shop_orders.models import Cart, CartItem, Charge, Customer, Order, OrderEvent
from testproject.books.models import Book

ADDRESS = {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}


@pytest.fixture
def books(db):
    return Book.objects.bulk_create(
        Book(isbn=f"isbn-{number}", title="A book", sale_price=2, on_hand=500) for number in range(31)
    )


@pytest.fixture
def statements():
    """Count what a block sends, without the beginning and the end of transactions: ``statements(work)``."""

    def count(work):
        sent = []

        def note(execute, sql, *rest):
            if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
                sent.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            work()
        return len(sent)

    return count


def post(client, path, body):
    answer = client.post(f"/api/orders/{path}/", body, "application/json")
    assert answer.status_code in (200, 201), answer.content
    return answer


@pytest.fixture
def shopper(user, books):
    return Client(headers={"Authorization": f"Bearer user-{user.pk}"})


@pytest.fixture
def guest(books):
    """A guest with one line in the cart."""
    token = post(Client(), "cart/add_item", {"product": "isbn-30"}).headers["X-Cart-Token"]
    return Client(headers={"X-Cart-Token": token})


def add(client, number):
    post(client, "cart/add_item", {"product": f"isbn-{number}"})


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_add_takes_three_statements_beside_the_log_in(shopper, statements):
    add(shopper, 0)
    log_in = 1
    assert [statements(lambda: add(shopper, number)) for number in (0, 1, 2)] == [log_in + 3] * 3  # noqa: B023
    Cart.objects.update(status=Cart.Status.ORDERED)
    assert statements(lambda: add(shopper, 0)) == log_in + 3


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_guests_add_takes_three_statements_and_the_first_two(guest, statements):
    assert [statements(lambda: add(guest, number)) for number in (0, 1, 30)] == [3, 3, 3]  # noqa: B023
    assert statements(lambda: add(Client(), 0)) == 2


@pytest.mark.django_db(transaction=True)
def test_add_costs_the_same_for_every_size_of_cart(shopper, statements):
    add(shopper, 0)
    counts = {statements(lambda: add(shopper, number)) for number in range(1, 30)}  # noqa: B023
    assert len(counts) == 1


@pytest.mark.pg
@pytest.mark.parametrize("lines", [1, 3, 30])
@pytest.mark.django_db(transaction=True)
def test_checkout_takes_eleven_statements(shopper, statements, lines):
    for number in range(lines):
        add(shopper, number)
    log_in, of_the_source = 1, 3
    taken = statements(lambda: post(shopper, "orders", {"shipping_address": ADDRESS}))
    assert taken == log_in + of_the_source + 7
    assert Order.objects.get().lines.count() == lines


@pytest.mark.pg
@pytest.mark.parametrize("lines", [1, 3, 30])
@pytest.mark.django_db(transaction=True)
def test_guests_checkout_takes_as_many_and_one_for_the_customer(guest, statements, lines):
    for number in range(lines - 1):
        add(guest, number)
    contact = {"contact": {"email": "guest@example.org"}, "shipping_address": ADDRESS}
    assert statements(lambda: post(guest, "orders", contact)) == 3 + 8
    assert Order.objects.get().lines.count() == lines


@pytest.mark.django_db
def test_cart_is_closed_once(customer, books):
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with transaction.atomic():
        assert [queries.close(cart) for _turn in range(2)] == [True, False]
    assert Cart.objects.get().status == Cart.Status.ORDERED


@pytest.mark.django_db
def test_contents_are_the_rows(customer, books):
    mine, _token = carts.add_to_cart("isbn-1", 3, customer=customer)
    carts.add_item(mine, "isbn-2")
    found = carts.contents(user=customer.user)
    assert (found.customer, found.cart, list(found.items)) == (customer, mine, list(mine.items.all()))
    for name in ("public_id", "email", "created_at", "user_id"):
        assert getattr(found.customer, name) == getattr(customers.for_user(customer.user), name)
    assert [item.price_when_added for item in found.items] == [2, 2]
    bare = carts.contents(user=customer.user, with_items=False)
    assert (bare.customer, bare.cart, bare.items) == (customer, mine, ())


@pytest.mark.django_db
def test_hot_insert_writes_what_the_orm_would(place):
    written = Order.objects.get(pk=place().pk)
    hot = OrderEvent(order=written, kind="note", message="Ünïcode", payload={"a": [1, None]})
    cold = OrderEvent(order=written, kind="note", message="Ünïcode", payload={"a": [1, None]})
    rows.insert([hot])
    cold.save()
    skipped = ("id", "event_id", "created_at", "next_attempt_at")
    first, second = (OrderEvent.objects.filter(pk=event.pk).values().get() for event in (hot, cold))
    assert {n: v for n, v in first.items() if n not in skipped} == {
        n: v for n, v in second.items() if n not in skipped
    }
    assert (hot.created_at, hot.event_id) == (first["created_at"], first["event_id"])


@pytest.mark.django_db
def test_hot_insert_gives_each_row_its_own_key(place):
    order = place()
    charges = [Charge(order=order, position=number, kind="fee", label=str(number), amount=0) for number in range(50)]
    assert rows.insert(charges)
    assert {charge.pk: charge.label for charge in charges} == dict(Charge.objects.values_list("pk", "label"))


@pytest.mark.django_db
def test_order_is_returned_as_it_is_stored(place, shop_settings):
    shop_settings(PRICING=[{"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "3"}}])
    order = place()
    stored = Order.objects.get(pk=order.pk)
    assert list(order.lines.all()) == list(stored.lines.all())
    assert list(order.charges.all()) == list(stored.charges.all())
    assert order.lines.all()[0].line_total == stored.lines.get().line_total


@pytest.mark.django_db
def test_statement_of_an_add_holds_the_limit_itself(customer, books):
    """The look before may be stale: what counts is what the row holds when it is written."""
    cart, _token = carts.add_to_cart("isbn-0", 3, customer=customer)

    def put(quantity, most):
        item = CartItem(product_ref="isbn-0", quantity=quantity, name="A book", price_when_added=2)
        return queries.add(cart, item, most=most), item.quantity

    assert put(2, 5) == (True, 5)
    assert put(1, 5) == (False, 1)
    assert cart.items.get().quantity == 5
    Cart.objects.update(status=Cart.Status.ORDERED)
    assert put(1, 99) == (False, 1)
    with pytest.raises(CartClosed):
        carts.add_item(cart, "isbn-0")


@contextlib.contextmanager
def held(rows):
    """Rows that another transaction has locked."""
    is_locked, is_done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(rows.select_for_update())
            is_locked.set()
            is_done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    is_locked.wait(10)
    try:
        yield
    finally:
        is_done.set()
        holder.join()


def lock_timeout():
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return cursor.fetchone()[0]


@pytest.mark.pg
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_add_waits_for_a_lock_only_so_long(customer, books, monkeypatch):
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "100ms")
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with held(Cart.objects.filter(pk=cart.pk)), pytest.raises(Busy):
        carts.add_item(cart, "isbn-0")
    assert carts.add_item(cart, "isbn-0").quantity == 2
    assert lock_timeout() == "0"


@pytest.mark.pg
@pytest.mark.slow
@pytest.mark.parametrize("waits_for", [Cart, Book])
@pytest.mark.django_db(transaction=True)
def test_checkout_waits_for_a_lock_only_so_long(customer, books, monkeypatch, waits_for):
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "100ms")
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with held(waits_for.objects.all()), pytest.raises(Busy):
        checkout.place_order(cart, shipping_address=ADDRESS)
    assert (Cart.objects.get().status, Order.objects.count()) == ("open", 0)
    assert checkout.place_order(cart, shipping_address=ADDRESS).cart == cart
    assert lock_timeout() == "0"


@pytest.mark.pg
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_checkout_leaves_the_time_to_wait_of_the_callers_transaction(customer, books):
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '7s'")
        checkout.place_order(cart, shipping_address=ADDRESS)
        assert lock_timeout() == "7s"


@pytest.fixture
def prepared(transactional_db):
    """The connection as it is recommended for PostgreSQL: the server prepares statements."""
    usual = connections["default"]
    usual.close()
    options = {**usual.settings_dict["OPTIONS"], "server_side_binding": True, "prepare_threshold": 0}
    connections["default"] = type(usual)({**usual.settings_dict, "OPTIONS": options}, "default")
    yield connections["default"]
    connections["default"].close()
    connections["default"] = usual


@pytest.fixture
def sold(transactional_db):
    """Enough that PostgreSQL would rather not read a table from end to end."""
    buyers = Customer.objects.bulk_create(Customer(first_name=f"Customer {number}") for number in range(100))
    bought = Cart.objects.bulk_create(Cart(customer=buyer, status=Cart.Status.ORDERED) for buyer in buyers * 30)
    CartItem.objects.bulk_create(
        CartItem(cart=cart, product_ref="isbn-0", quantity=1, price_when_added=2) for cart in bought
    )
    Book.objects.bulk_create(Book(isbn=f"old-{number}", title="A book", sale_price=2) for number in range(3000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def planned_anew():
    """The prepared statements that PostgreSQL still plans after the five times that it tries each of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE custom_plans > 5")
        return [statement for (statement,) in cursor.fetchall()]


@pytest.mark.pg
def test_no_statement_is_planned_at_each_execution(sold, prepared, shopper):
    for _order in range(9):
        for number in range(3):
            add(shopper, number)
        post(shopper, "orders", {"shipping_address": ADDRESS})
    assert planned_anew() == []


@pytest.mark.pg
def test_status_as_a_parameter_would_be_planned_at_each_execution(sold, prepared, monkeypatch):
    monkeypatch.setattr(queries, "Word", lambda _word: Parameter("status", Cart._meta.get_field("status")))
    query = CompiledQuery(Customer, queries._user_queryset)
    for _time in range(9):
        query.rows(True, user=1, status="open")
    assert len(planned_anew()) == 1
