from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from shop_orders import customers
from testproject.books.models import Book


def pytest_collection_modifyitems(items):
    if connection.vendor == "postgresql":
        return
    for item in items:
        if item.get_closest_marker("pg"):
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL"))


@pytest.fixture
def book(db):
    return Book.objects.create(isbn="978-1", title="Trees of Kenya", sale_price=Decimal("12.50"), on_hand=10)


@pytest.fixture
def other_book(db):
    return Book.objects.create(isbn="978-2", title="Birds of Kenya", sale_price=Decimal("7.20"), on_hand=5)


@pytest.fixture
def user(db):
    return get_user_model().objects.create_user("test-customer", "customer@example.org", "pw", first_name="Test")


@pytest.fixture
def other_user(db):
    return get_user_model().objects.create_user("other-customer", "other@example.org", "pw")


@pytest.fixture
def customer(user):
    return customers.for_user(user)
