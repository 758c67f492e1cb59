"""Nobody holds more unpaid orders or units than the settings allow, however the contact is written."""

from decimal import Decimal

import pytest
from django.test import RequestFactory
from shop_orders import carts, checkout, customers, lifecycle, payments, visitors
from shop_orders.exceptions import TooManyUnpaidOrders
from shop_orders.models import Order
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

BOTH = {"email": "guest@example.org", "phone": "0712 345 678"}


@pytest.fixture(autouse=True)
def plenty(book, memory_provider):
    Book.objects.update(on_hand=1000)


@pytest.fixture
def order(book):
    """Order as a guest, or as a customer with ``of=``."""

    def place(*, quantity=1, of=None, visitor="", provider="memory", **contact):
        cart, _token = carts.find_or_open(customer=of)
        carts.add_item(cart, book.isbn, quantity)
        known = checkout.Contact(**contact) if contact else None
        return checkout.place_order(cart, contact=known, visitor=visitor, provider=provider)

    return place


def assert_refused(place, **options):
    before = Order.objects.count(), Book.objects.get().on_hand
    with pytest.raises(TooManyUnpaidOrders) as caught:
        place(**options)
    assert (Order.objects.count(), Book.objects.get().on_hand) == before
    assert caught.value.code == "too_many_unpaid_orders"
    return caught.value


@pytest.mark.parametrize(
    "contact",
    [
        {"email": "GUEST@example.org"},
        {"email": "guest@EXAMPLE.ORG"},
        {"email": " guest@example.org "},
        {"email": '"guest"@example.org'},
        {"email": '"gu\\est"@example.org'},
        {"email": "guest@\uff45xample.org"},
        {"email": "another@example.org", "phone": "+254 712 345 678"},
        {"phone": "0712345678"},
    ],
)
def test_spelling_of_a_contact_does_not_evade_the_limit(order, shop_settings, contact):
    shop_settings(MAX_UNPAID_ORDERS=1)
    order(**BOTH)
    assert_refused(order, **contact)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("guest@bücher.example", "guest@xn--bcher-kva.example"),
        ("guest@BÜCHER.example", "guest@bu\u0308cher.example"),
        ("guest@straße.example", "guest@strasse.example"),
    ],
)
def test_unicode_forms_of_a_domain_are_one_contact(order, shop_settings, first, second):
    shop_settings(MAX_UNPAID_ORDERS=1)
    order(email=first)
    assert_refused(order, email=second)


@pytest.mark.parametrize("provider", ["memory", "bank", "on_delivery"])
def test_orders_count_until_they_are_paid_or_staff_process_them(order, shop_settings, provider):
    shop_settings(MAX_UNPAID_ORDERS=1)
    first = order(provider=provider, **BOTH)
    assert_refused(order, provider="on_delivery", **BOTH)
    if provider == "on_delivery":
        lifecycle.start_processing(first.pk)
    elif provider == "bank":
        payments.record_payment(first.pk)
    else:
        lifecycle.cancel(first.pk)
    order(provider="on_delivery", **BOTH)
    assert Order.objects.count() == 2


def test_accepted_unpaid_order_still_counts(order, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=1)
    first = order(provider="bank", **BOTH)
    lifecycle.confirm(first.pk)
    assert_refused(order, **BOTH)
    lifecycle.start_processing(first.pk)
    order(**BOTH)


def test_free_orders_hold_stock_too(order, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=2)
    Book.objects.update(sale_price=0)
    assert {order(**BOTH).payment_status, order(**BOTH).payment_status} == {"paid"}
    assert_refused(order, **BOTH)


def test_units_are_limited_over_all_unpaid_orders(order, shop_settings):
    shop_settings(MAX_UNPAID_UNITS=5)
    assert "At most 5 units" in str(assert_refused(order, quantity=6, **BOTH))
    order(quantity=3, **BOTH)
    error = assert_refused(order, quantity=3, **BOTH)
    assert error.extra == {"max_unpaid_orders": 5, "max_unpaid_units": 5}
    order(quantity=2, **BOTH)
    assert_refused(order, quantity=1, **BOTH)


def test_units_that_are_not_sent_do_not_count(order, shop_settings):
    shop_settings(MAX_UNPAID_UNITS=5)
    lifecycle.cancel_units(order(quantity=5, **BOTH).pk, {"978-1": 4})
    order(quantity=4, **BOTH)
    assert_refused(order, quantity=1, **BOTH)


def test_one_order_cannot_take_the_whole_stock_by_default(order):
    assert_refused(order, quantity=201, provider="on_delivery", **BOTH)
    assert order(quantity=200, provider="on_delivery", **BOTH).status == "confirmed"


def test_visitor_is_limited_over_all_contacts_and_accounts(order, shop_settings, customer):
    shop_settings(MAX_UNPAID_ORDERS=2, MAX_UNPAID_UNITS=10)
    order(email="a@example.org", visitor="0a1b")
    order(of=customer, visitor="0a1b")
    assert_refused(order, email="c@example.org", visitor="0a1b")
    order(email="c@example.org", visitor="2c3d", quantity=9)
    assert_refused(order, email="d@example.org", visitor="2c3d", quantity=2)
    order(email="d@example.org", visitor="4e5f")
    order(email="e@example.org")


def test_strangers_with_a_customers_address_do_not_keep_the_customer_from_ordering(order, shop_settings, customer):
    shop_settings(MAX_UNPAID_ORDERS=1)
    order(email=customer.email)
    order(of=customer)
    assert_refused(order, email=customer.email.upper())
    assert_refused(order, of=customer)


def test_api_counts_by_the_address_of_the_connection(client, book, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=1)

    def post(email, address):
        token = client.post("/api/orders/cart/add_item/", {"product": book.isbn}, "application/json")["X-Cart-Token"]
        headers = {"X-Cart-Token": token}
        body = {"contact": {"email": email}}
        return client.post(
            "/api/orders/orders/", body, "application/json", headers=headers, REMOTE_ADDR=address
        ).json()

    first = post("a@example.org", "41.90.1.2")
    assert Order.objects.get(number=first["number"]).visitor == visitors.of(
        RequestFactory().get("/", REMOTE_ADDR="41.90.1.2")
    )
    assert post("b@example.org", "41.90.1.2")["code"] == "too_many_unpaid_orders"
    assert "number" in post("c@example.org", "41.90.1.3")


def test_visitor_is_a_hash_and_travels_with_the_event(order, customer, announced, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        placed = order(of=customer, visitor="0a1b")
    assert {payload["visitor"] for _name, payload, _kwargs in announced} == {"0a1b"}
    lifecycle.cancel(placed.pk)
    customers.anonymise(customer)
    placed.refresh_from_db()
    assert (placed.visitor, placed.email_key) == ("", "")
    assert {event.payload.get("visitor", "") for event in placed.events.all()} == {""}


CHAIN = "1.1.1.1, 2.2.2.2, 3.3.3.3"


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "address"),
    [
        (None, "41.90.1.2", "", "41.90.1.2"),
        (None, "41.90.1.2", CHAIN, "41.90.1.2"),
        (None, "127.0.0.1", CHAIN, ""),
        (None, "10.1.2.3", "", ""),
        (None, "::1", "", ""),
        (None, "fd00::1", "", ""),
        (None, "", "", ""),
        (0, "127.0.0.1", CHAIN, "127.0.0.1"),
        (0, "::ffff:41.90.1.2", "", "41.90.1.2"),
        (1, "10.0.0.1", CHAIN, "3.3.3.3"),
        (2, "10.0.0.1", CHAIN, "2.2.2.2"),
        (3, "10.0.0.1", CHAIN, "1.1.1.1"),
        (9, "10.0.0.1", CHAIN, "1.1.1.1"),
        (1, "10.0.0.1", "", "10.0.0.1"),
        (1, "", "3.3.3.3", "3.3.3.3"),
        (1, "", CHAIN, "3.3.3.3"),
        (2, "", CHAIN, "2.2.2.2"),
        (1, "unix:", CHAIN, "3.3.3.3"),
        (1, "10.0.0.1", "1.1.1.1, ", ""),
        (2, "10.0.0.1", "1.1.1.1, , 3.3.3.3", ""),
        (0, "", CHAIN, ""),
        (None, "", CHAIN, ""),
        (1, "10.0.0.1", "1.1.1.1, 3.3.3.3:5678", "3.3.3.3"),
        (1, "10.0.0.1", "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        (0, "2001:db8:1:2::9", "", "2001:db8:1:2::/64"),
        (1, "10.0.0.1", "unknown", ""),
        (1, "10.0.0.1", "\u0661.2.3.4", ""),
    ],
)
def test_address_is_the_one_that_the_outermost_stated_proxy_saw(shop_settings, proxies, remote, forwarded, address):
    shop_settings(TRUSTED_PROXIES=proxies)
    request = RequestFactory().get("/", REMOTE_ADDR=remote)
    if forwarded:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    assert visitors.visitor_address(request) == address
    assert bool(visitors.of(request)) == bool(address)


def test_hash_of_a_visitor_needs_the_secret_key(settings):
    request = RequestFactory().get("/", REMOTE_ADDR="41.90.1.2")
    first = visitors.of(request)
    settings.SECRET_KEY = "another"
    assert (len(first), first != visitors.of(request), "41.90" in first) == (32, True, False)


def test_visitor_hook_of_the_site_is_called(shop_settings):
    shop_settings(VISITOR="testproject.hooks.visitor")
    request = RequestFactory().get("/", headers={"X-Device": "7"})
    assert visitors.of(request) != visitors.of(RequestFactory().get("/"))
    assert visitors.of(RequestFactory().get("/")) == ""


def test_orders_of_which_nothing_is_due_do_not_count(order, shop_settings):
    """A partial refund does not make an order unpaid, unless the amount is owed again."""
    shop_settings(MAX_UNPAID_ORDERS=1)
    first = order(provider="bank", **BOTH)
    payments.record_payment(first.pk)
    payments.refund(first.pk, amount=Decimal(1))
    second = order(provider="bank", **BOTH)
    lifecycle.cancel(second.pk)
    payments.refund(first.pk, amount=Decimal(1), credit=False)
    assert_refused(order, provider="bank", **BOTH)
