"""The number of statements of each page. It does not depend on the number of products, nor on the machine."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop_catalog import inventory, products, reviews

pytestmark = pytest.mark.django_db

PAGES = {
    "/": 2,  # the versions of categories and catalogue
    "/categories/": 4,
    "/category/kitchen/": 5,
    "/category/kitchen/?sort=price": 5,
    "/category/kitchen/?attr=colour:red&in_stock=1&min_price=10": 6,
    "/search/": 3,
    "/product/market-mug/": 6,
    "/product/acacia-shirt/": 5,
    "/product/market-mug/reviews/": 3,
    "/cart/": 1,
    "/orders/": 1,
    "/visitor/": 0,
}


@pytest.fixture
def many(kitchen, mug, shirt, user):
    review = reviews.submit(mug, user=user, rating=5, title="Good", body="It holds coffee.")
    reviews.moderate(review, status="published")
    for number in range(30):
        products.create(
            sku=f"CUP-{number}",
            name=f"Cup {number}",
            price=Decimal(number + 1),
            categories=[kitchen],
            attributes={"colour": "red" if number % 2 else "blue"},
        )
    inventory.receive({f"CUP-{number}": 1 for number in range(30)}, reference="second")


@pytest.mark.parametrize("path", PAGES)
def test_statements_of_a_guest_without_a_cart(path, many, client):
    client.get(path)  # fills the caches of this process
    with CaptureQueriesContext(
        connection,
    ) as statements:
        client.get(path)
    assert len(statements) == PAGES[path], "\n".join(statement["sql"] for statement in statements)


def test_statements_of_a_cart_do_not_grow_with_its_lines(many, visitor):
    counts = []
    for number in range(3):
        visitor.add(f"CUP-{number}")
        with CaptureQueriesContext(connection) as statements:
            visitor.client.get("/cart/")
        counts.append(len(statements))
    assert counts == [4, 4, 4]
