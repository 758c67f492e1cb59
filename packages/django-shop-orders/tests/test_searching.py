"""The search of rows in tables with millions of rows."""

from __future__ import annotations

import pytest
from shop_core.db import finding
from shop_orders.models import Customer, Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def customers(monkeypatch):
    """Five customers; a part of two letters is looked for in the newest three, and a lookup finds at most two."""
    monkeypatch.setattr(finding, "MOST_COUNTED", 3)
    monkeypatch.setattr(finding, "MOST_FOUND", 2)
    names = ("Li", "Otieno", "Otieno", "Ng", "Otieno")
    return [
        Customer.objects.create(last_name=name, email=f"{number}@example.org") for number, name in enumerate(names)
    ]


def found(**lookups):
    return sorted(finding.keys_found(Customer, lookups))


def test_each_lookup_finds_the_newest_rows(customers):
    assert found(last_name__icontains="tien") == [customers[2].pk, customers[4].pk]
    assert found(last_name__icontains="tien", email="0@example.org") == [customers[n].pk for n in (0, 2, 4)]


def test_a_part_that_is_in_no_index_is_looked_for_in_the_newest_rows(customers):
    assert found(last_name__icontains="ng") == [customers[3].pk]
    assert found(last_name__icontains="li") == []


def test_a_text_that_a_lookup_cannot_take_finds_nothing(customers):
    assert found(public_id="Otieno") == []


@pytest.mark.parametrize(("most", "counted", "says_so"), [(3, 3, True), (5, 5, False), (6, 5, False)])
def test_a_long_list_is_counted_to_a_limit_and_says_so(customers, admin_client, monkeypatch, most, counted, says_so):
    monkeypatch.setattr("shop_core.model_admins.MOST_COUNTED", most)
    response = admin_client.get("/admin/shop_orders/customer/")
    assert response.context_data["cl"].result_count == counted
    assert ("More than 3." in response.text) is says_so


@pytest.mark.parametrize(("most", "says_so"), [(3, True), (4, False)])
def test_a_search_that_lists_the_newest_only_says_so(customers, admin_client, monkeypatch, most, says_so):
    monkeypatch.setattr("shop_core.model_admins.MOST_FOUND", most)
    monkeypatch.setattr(finding, "MOST_FOUND", most)
    text = admin_client.get("/admin/shop_orders/customer/?q=tien").text
    assert ("3 or more were found." in text) is says_so


def test_a_long_list_is_not_sorted_by_a_column_of_the_url(customers, admin_client):
    changes = admin_client.get("/admin/shop_orders/customer/?o=1").context_data["cl"]
    assert [row.pk for row in changes.result_list] == sorted((row.pk for row in customers), reverse=True)


def test_an_order_is_found_by_its_phone_as_it_is_spoken(guest_order):
    order = guest_order()
    Order.objects.update(phone="+254712345678")
    for spelling in ("0712 345 678", "+254712345678", "712345"):
        assert list(Order.objects.search(spelling)) == [order], spelling
