"""Any user model works: these tests run with the project's, and again in subprocesses with others."""

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from shop_orders import customers
from shop_orders.models import Customer, Order

pytestmark = pytest.mark.django_db

FILES = {
    # A site as cookiecutter-django makes it has no user names, and ATOMIC_REQUESTS.
    "people.MailUser": ["test_user_models.py", "test_atomic_requests.py", "-k", "user or three_posts or admin_page"],
    "people.KeyUser": ["test_user_models.py"],
    "people.PlainUser": ["test_user_models.py"],
}
FULL = os.environ.get("SHOP_TEST_FULL") == "1"
PAIR = django.VERSION[0] + bool(os.environ.get("DATABASE_URL"))
CHOSEN = list(FILES) if FULL else [list(FILES)[PAIR % len(FILES)]]
"""One model for each pair of Django and database, so that the matrix has all; SHOP_TEST_FULL=1 runs all."""


@pytest.fixture
def plain_user(db):
    return get_user_model().objects.create_user("somebody@example.org")


@pytest.mark.parametrize("credentials", ["session", "token"])
def test_user_orders_and_sees_the_order(plain_user, book, credentials):
    client = Client(headers={"Authorization": f"Bearer user-{plain_user.pk}"} if credentials == "token" else {})
    if credentials == "session":
        client.force_login(plain_user)
    client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    body = {"contact": {"phone": "0712345678"}}
    placed = client.post("/api/orders/orders/", body, "application/json")
    assert placed.status_code == 201, placed.content
    order = Order.objects.get()
    assert order.customer.user == plain_user
    assert order.events.first().actor == plain_user
    assert [row["number"] for row in client.get("/api/orders/orders/").json()["items"]] == [order.number]


def test_customer_email_comes_from_the_email_field_of_the_user_model(plain_user):
    customer = customers.for_user(plain_user)
    field = getattr(get_user_model(), "EMAIL_FIELD", None)
    assert customer.email == (getattr(plain_user, field) if field and hasattr(plain_user, field) else "")
    assert customers.for_user(plain_user) == customer


def test_deleting_the_user_keeps_the_customer(plain_user):
    customer = customers.for_user(plain_user)
    plain_user.delete()
    assert Customer.objects.get(pk=customer.pk).user is None


@pytest.mark.slow
@pytest.mark.skipif(settings.AUTH_USER_MODEL != "auth.User", reason="this is already one of the subprocesses")
@pytest.mark.parametrize("model", CHOSEN)
def test_suite_passes_with_another_user_model(model):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES[model]],
        env={**os.environ, "TEST_USER_MODEL": model},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
