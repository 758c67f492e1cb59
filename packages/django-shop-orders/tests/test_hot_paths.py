"""Statement counts of adding to a cart and of checkout, the rows they write, and their lock timeouts."""

import contextlib
import threading

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from shop_core.db import transactions
from shop_core.db.compiled import CompiledQuery, Parameter
from shop_orders import carts, checkout, customers
from shop_orders.carts import queries
from shop_orders.exceptions import Busy, CartClosed
from shop_orders.managers import Word
from shop_orders.models import Cart, CartItem, Charge, Customer, Order, OrderEvent, OrderLine
from shop_orders.queries import insert, update
from testproject.books.models import Book

ADDRESS = {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}


@pytest.fixture
def books(db):
    return Book.objects.bulk_create(
        Book(isbn=f"isbn-{number}", title="A book", sale_price=2, on_hand=500) for number in range(31)
    )


@pytest.fixture
def statements():
    """``statements(work)`` counts the SQL that ``work()`` sends, without transaction control."""

    def count(work):
        sent = []

        def record_statement(execute, sql, *rest):
            if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
                sent.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(record_statement):
            work()
        return len(sent)

    return count


def post(client, path, body):
    response = client.post(f"/api/orders/{path}/", body, "application/json")
    assert response.status_code in (200, 201), response.content
    return response


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
def test_add_takes_three_statements_after_authentication(shopper, statements):
    add(shopper, 0)
    log_in = 1
    assert [statements(lambda: add(shopper, number)) for number in (0, 1, 2)] == [log_in + 3] * 3  # noqa: B023
    Cart.objects.update(status=Cart.Status.ORDERED)
    assert statements(lambda: add(shopper, 0)) == log_in + 3


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_guests_first_add_takes_two_statements_and_later_ones_three(guest, statements):
    assert [statements(lambda: add(guest, number)) for number in (0, 1, 30)] == [3, 3, 3]  # noqa: B023
    assert statements(lambda: add(Client(), 0)) == 2


@pytest.mark.django_db(transaction=True)
def test_add_takes_the_same_statements_for_any_cart_size(shopper, statements):
    add(shopper, 0)
    counts = {statements(lambda: add(shopper, number)) for number in range(1, 30)}  # noqa: B023
    assert len(counts) == 1


@pytest.mark.pg
@pytest.mark.parametrize("lines", [1, 3, 30])
@pytest.mark.django_db(transaction=True)
def test_checkout_takes_eleven_statements(shopper, announced, statements, lines):
    for number in range(lines):
        add(shopper, number)
    log_in, source_statements = 1, 3
    sent_statements = statements(lambda: post(shopper, "orders", {"shipping_address": ADDRESS}))
    assert sent_statements == log_in + source_statements + 7
    assert Order.objects.get().lines.count() == lines


@pytest.mark.pg
@pytest.mark.parametrize("lines", [1, 3, 30])
@pytest.mark.django_db(transaction=True)
def test_guests_checkout_takes_eleven_statements(guest, announced, statements, lines):
    for number in range(lines - 1):
        add(guest, number)
    contact = {"contact": {"email": "guest@example.org"}, "shipping_address": ADDRESS}
    assert statements(lambda: post(guest, "orders", contact)) == 3 + 8
    assert Order.objects.get().lines.count() == lines


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_checkout_takes_ten_statements_if_nobody_receives_its_events(shopper, statements):
    add(shopper, 1)
    assert statements(lambda: post(shopper, "orders", {"shipping_address": ADDRESS})) == 1 + 3 + 6


@pytest.mark.django_db
def test_cart_is_closed_once(customer, books):
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with transaction.atomic():
        assert [queries.close(cart) for _turn in range(2)] == [True, False]
    assert Cart.objects.get().status == Cart.Status.ORDERED


@pytest.mark.django_db
def test_contents_return_the_stored_customer_cart_and_items(customer, books):
    mine, _token = carts.add_to_cart("isbn-1", 3, customer=customer)
    carts.add_item(mine, "isbn-2")
    found = carts.contents(user=customer.user)
    assert (found.customer, found.cart, list(found.items)) == (customer, mine, list(mine.items.all()))
    for name in ("public_id", "email", "created_at", "user_id"):
        assert getattr(found.customer, name) == getattr(customers.for_user(customer.user), name)
    assert [item.price_when_added for item in found.items] == [2, 2]
    without_items = carts.contents(user=customer.user, with_items=False)
    assert (without_items.customer, without_items.cart, without_items.items) == (customer, mine, ())


@pytest.mark.django_db
def test_insert_writes_the_same_values_as_the_orm(place):
    written = Order.objects.get(pk=place().pk)
    inserted = OrderEvent(order=written, kind="note", message="Ünïcode", payload={"a": [1, None]})
    saved = OrderEvent(order=written, kind="note", message="Ünïcode", payload={"a": [1, None]})
    insert([inserted])
    saved.save()
    skipped = ("id", "event_id", "created_at", "next_attempt_at")
    first, second = (OrderEvent.objects.filter(pk=event.pk).values().get() for event in (inserted, saved))
    assert {n: v for n, v in first.items() if n not in skipped} == {
        n: v for n, v in second.items() if n not in skipped
    }
    assert (inserted.created_at, inserted.event_id) == (first["created_at"], first["event_id"])


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_psycopg_keeps_every_statement_of_a_checkout_of_three_lines(shopper):
    """It translates a statement again at each call if it has more parameters, or is longer."""
    from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH, MAX_CACHED_STATEMENT_PARAMS

    for number in range(3):
        add(shopper, number)
    sent = []

    def record_statement(execute, sql, params, *rest):
        sent.append((len(params or ()) <= MAX_CACHED_STATEMENT_PARAMS, len(sql) <= MAX_CACHED_STATEMENT_LENGTH, sql))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(record_statement):
        post(shopper, "orders", {"shipping_address": ADDRESS})
    assert any("INSERT INTO" in sql and "orderline" in sql for _few, _short, sql in sent)
    assert not [sql for is_few, is_short, sql in sent if not (is_few and is_short)]


@pytest.mark.django_db
def test_inserted_lines_have_the_values_of_their_instances(place):
    """Also in the columns that the database sets."""
    written = place().lines.all()[0]
    stored = OrderLine.objects.get(pk=written.pk)
    assert [getattr(written, field.attname) for field in OrderLine._meta.concrete_fields] == [
        getattr(stored, field.attname) for field in OrderLine._meta.concrete_fields
    ]


@pytest.mark.django_db
def test_insert_refuses_a_value_that_the_database_would_replace(place):
    line = place().lines.all()[0]
    with pytest.raises(ValueError, match="shipped_quantity"):
        insert([OrderLine(order=line.order, position=9, product_ref="x", shipped_quantity=1)])


@pytest.mark.django_db
def test_insert_without_rows_runs_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not insert([])


@pytest.mark.django_db
def test_conflicting_insert_returns_false(customer):
    again = Customer(public_id=customer.public_id)
    assert not insert([again], on_conflict="ON CONFLICT (public_id) DO NOTHING")
    assert again.pk is None
    assert Customer.objects.count() == 1


@pytest.mark.django_db
def test_words_are_written_into_the_statement(django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        list(Order.objects.filter(status=Word("pending")))
    assert "'pending'" in captured[0]["sql"]
    with pytest.raises(ValueError, match="not a plain word"):
        list(Order.objects.filter(status=Word("b' OR 1=1")))


@pytest.mark.django_db
def test_update_sets_columns_of_some_rows(place):
    order = place()
    made = [Charge(order=order, position=number, kind="fee", label=str(number), amount=0) for number in range(3)]
    insert(made)
    update(Charge, [made[0].pk, made[2].pk], label="9", amount=2)
    found = Charge.objects.order_by("position").values_list("label", "amount")
    assert list(found) == [("9", 2), ("1", 0), ("9", 2)]


@pytest.mark.django_db
def test_insert_returns_the_key_of_each_row(place):
    order = place()
    charges = [Charge(order=order, position=number, kind="fee", label=str(number), amount=0) for number in range(50)]
    assert insert(charges)
    assert {charge.pk: charge.label for charge in charges} == dict(Charge.objects.values_list("pk", "label"))


@pytest.mark.django_db
def test_returned_order_equals_the_stored_order(place, shop_settings):
    shop_settings(PRICING=[{"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "3"}}])
    order = place()
    stored = Order.objects.get(pk=order.pk)
    assert list(order.lines.all()) == list(stored.lines.all())
    assert list(order.charges.all()) == list(stored.charges.all())
    assert order.lines.all()[0].line_total == stored.lines.get().line_total


@pytest.mark.django_db
def test_add_statement_enforces_the_quantity_limit(customer, books):
    """The quantity read before may be stale, so the limit applies to the row as it is written."""
    cart, _token = carts.add_to_cart("isbn-0", 3, customer=customer)

    def add_up_to(quantity, most):
        item = CartItem(product_ref="isbn-0", quantity=quantity, name="A book", price_when_added=2)
        return queries.add(cart, item, most=most), item.quantity

    assert add_up_to(2, 5) == (True, 5)
    assert add_up_to(1, 5) == (False, 1)
    assert cart.items.get().quantity == 5
    Cart.objects.update(status=Cart.Status.ORDERED)
    assert add_up_to(1, 99) == (False, 1)
    with pytest.raises(CartClosed):
        carts.add_item(cart, "isbn-0")


@contextlib.contextmanager
def locked(rows):
    """Lock the rows in another transaction during the block."""
    is_locked, is_done = threading.Event(), threading.Event()

    def hold_lock():
        with transaction.atomic():
            list(rows.select_for_update())
            is_locked.set()
            is_done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold_lock)
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
def test_add_raises_busy_after_the_lock_timeout(customer, books, monkeypatch):
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "100ms")
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with locked(Cart.objects.filter(pk=cart.pk)), pytest.raises(Busy):
        carts.add_item(cart, "isbn-0")
    assert carts.add_item(cart, "isbn-0").quantity == 2
    assert lock_timeout() == "0"


@pytest.mark.pg
@pytest.mark.slow
@pytest.mark.parametrize("locked_model", [Cart, Book])
@pytest.mark.django_db(transaction=True)
def test_checkout_raises_busy_after_the_lock_timeout(customer, books, monkeypatch, locked_model):
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "100ms")
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with locked(locked_model.objects.all()), pytest.raises(Busy):
        checkout.place_order(cart, shipping_address=ADDRESS)
    assert (Cart.objects.get().status, Order.objects.count()) == ("open", 0)
    assert checkout.place_order(cart, shipping_address=ADDRESS).cart == cart
    assert lock_timeout() == "0"


@pytest.mark.pg
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_checkout_keeps_the_callers_lock_timeout(customer, books):
    cart, _token = carts.add_to_cart("isbn-0", customer=customer)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '7s'")
        checkout.place_order(cart, shipping_address=ADDRESS)
        assert lock_timeout() == "7s"


@pytest.fixture
def prepared(transactional_db):
    """A connection with server-side prepared statements, as recommended for PostgreSQL."""
    original = connections["default"]
    original.close()
    options = {**original.settings_dict["OPTIONS"], "server_side_binding": True, "prepare_threshold": 0}
    connections["default"] = type(original)({**original.settings_dict, "OPTIONS": options}, "default")
    yield connections["default"]
    connections["default"].close()
    connections["default"] = original


@pytest.fixture
def many_rows(transactional_db):
    """Enough rows that PostgreSQL prefers an index to a sequential scan."""
    buyers = Customer.objects.bulk_create(Customer(first_name=f"Customer {number}") for number in range(100))
    bought = Cart.objects.bulk_create(Cart(customer=buyer, status=Cart.Status.ORDERED) for buyer in buyers * 30)
    CartItem.objects.bulk_create(
        CartItem(cart=cart, product_ref="isbn-0", quantity=1, price_when_added=2) for cart in bought
    )
    Book.objects.bulk_create(Book(isbn=f"old-{number}", title="A book", sale_price=2) for number in range(3000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def replanned_statements():
    """Prepared statements with more than five custom plans: PostgreSQL plans them at every execution."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE custom_plans > 5")
        return [statement for (statement,) in cursor.fetchall()]


@pytest.mark.pg
def test_no_statement_is_planned_at_each_execution(many_rows, prepared, shopper, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=9)
    for _order in range(9):
        for number in range(3):
            add(shopper, number)
        post(shopper, "orders", {"shipping_address": ADDRESS})
    assert replanned_statements() == []


@pytest.mark.pg
def test_status_as_a_parameter_would_be_planned_at_each_execution(many_rows, prepared, monkeypatch):
    monkeypatch.setattr(queries, "Word", lambda _word: Parameter("status", Cart._meta.get_field("status")))
    query = CompiledQuery(Customer, queries._user_queryset)
    for _time in range(9):
        query.rows(True, user=1, status="open")
    assert len(replanned_statements()) == 1
