"""The same life with any user model: here with the project's, and again in processes with others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from shop_orders import customers
from shop_orders.models import Customer, Order

pytestmark = pytest.mark.django_db

USER_MODELS = ["people.MailUser", "people.KeyUser", "people.PlainUser"]


@pytest.fixture
def somebody(db):
    return get_user_model().objects.create_user("somebody@example.org")


@pytest.mark.parametrize("way", ["session", "token"])
def test_user_orders_and_sees_the_order(somebody, book, way):
    client = Client(headers={"Authorization": f"Bearer user-{somebody.pk}"} if way == "token" else {})
    if way == "session":
        client.force_login(somebody)
    client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    body = {"contact": {"phone": "0712345678"}}
    placed = client.post("/api/orders/orders/", body, "application/json")
    assert placed.status_code == 201, placed.content
    order = Order.objects.get()
    assert order.customer.user == somebody
    assert order.events.first().actor == somebody
    assert [row["number"] for row in client.get("/api/orders/orders/").json()["items"]] == [order.number]


def test_customer_takes_what_the_user_model_has(somebody):
    customer = customers.for_user(somebody)
    field = getattr(get_user_model(), "EMAIL_FIELD", None)
    assert customer.email == (getattr(somebody, field) if field and hasattr(somebody, field) else "")
    assert customers.for_user(somebody) == customer


def test_deleted_user_leaves_the_customer(somebody):
    customer = customers.for_user(somebody)
    somebody.delete()
    assert Customer.objects.get(pk=customer.pk).user is None


@pytest.mark.slow
@pytest.mark.skipif(settings.AUTH_USER_MODEL != "auth.User", reason="runs in the processes of the others")
@pytest.mark.parametrize("model", USER_MODELS)
def test_with_another_user_model(model):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", Path(__file__).name],
        env={**os.environ, "TEST_USER_MODEL": model},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
