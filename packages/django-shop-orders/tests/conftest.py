import time
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone
from shop_orders import carts, checkout, customers, signals
from shop_orders.models import Order, Payment, ProviderEvent, Refund
from shop_orders.testing import MemoryPaymentProvider
from testproject.books.models import Book


def pytest_collection_modifyitems(items):
    if connection.vendor == "postgresql":
        return
    for item in items:
        if item.get_closest_marker("pg"):
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL"))


@pytest.fixture(autouse=True)
def _one_window(monkeypatch):
    """All requests of a test are counted in one window of time, whenever the test runs."""
    clock = SimpleNamespace(time=lambda: 1_800_000_030.0, monotonic=time.monotonic)
    monkeypatch.setattr("shop_core.limits.time", clock)


@pytest.fixture
def book(db):
    return Book.objects.create(isbn="978-1", title="Trees of Kenya", sale_price=Decimal("12.50"), on_hand=10)


@pytest.fixture
def other_book(db):
    return Book.objects.create(isbn="978-2", title="Birds of Kenya", sale_price=Decimal("7.20"), on_hand=5)


@pytest.fixture
def user(db):
    users = get_user_model().objects
    if settings.AUTH_USER_MODEL != "auth.User":
        return users.create_user("customer@example.org")
    return users.create_user("test-customer", "customer@example.org", "pw", first_name="Test")


@pytest.fixture
def other_user(db):
    return get_user_model().objects.create_user("other-customer", "other@example.org", "pw")


@pytest.fixture
def customer(user):
    return customers.for_user(user)


@pytest.fixture
def announced():
    """The signals of the app in the order received: ``(name, payload, kwargs)``."""
    received = []
    receivers = []
    for name in (
        "order_placed",
        "order_status_changed",
        "order_state_changed",
        "shipment_sent",
        "payment_status_changed",
        "order_refunded",
        "units_cancelled",
    ):

        def receive(sender, payload, name=name, **kwargs):
            received.append((name, payload, kwargs))

        getattr(signals, name).connect(receive)
        receivers.append((name, receive))
    yield received
    for name, receive in receivers:
        getattr(signals, name).disconnect(receive)


@pytest.fixture
def shop_settings(settings):
    """Change settings of SHOP_ORDERS for one test: ``shop_settings(CURRENCY="UGX")``."""

    def change(**values):
        settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, **values}

    return change


@pytest.fixture
def memory_provider(shop_settings):
    MemoryPaymentProvider.reset()
    shop_settings(
        PAYMENT_PROVIDERS={
            "memory": {"BACKEND": "shop_orders.testing.MemoryPaymentProvider"},
            "on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"},
            "bank": {
                "BACKEND": "shop_orders.payment_providers.BankTransfer",
                "OPTIONS": {"account": "KE12 3456"},
            },
        }
    )
    yield MemoryPaymentProvider
    MemoryPaymentProvider.reset()


@pytest.fixture
def make_due():
    """A function that makes everything due that a job has postponed."""

    def due():
        now = timezone.now()
        for model in (ProviderEvent, Refund):
            model.objects.update(next_attempt_at=now)
        Payment.objects.exclude(next_check_at=None).update(next_check_at=now)
        Order.objects.exclude(next_check_at=None).update(next_check_at=now)

    return due


@pytest.fixture
def place(book, customer):
    """Place an order of the customer: ``place(quantity=2, provider="memory")``."""

    def order(*, quantity=2, provider="", of=None, **options):
        cart, _token = carts.find_or_open(customer=of or customer)
        carts.add_item(cart, book.isbn, quantity)
        return checkout.place_order(cart, provider=provider, **options)

    return order


@pytest.fixture
def guest_order(book):
    """Place an order as a guest."""

    def order(*, quantity=1, email="guest@example.org", **options):
        cart, _token = carts.find_or_open()
        carts.add_item(cart, book.isbn, quantity)
        return checkout.place_order(cart, contact=checkout.Contact(email=email, name="Test Guest"), **options)

    return order
