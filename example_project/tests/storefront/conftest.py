from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from shop_catalog import categories, inventory, products
from shop_catalog.models import Category, Product
from shop_orders import form_tokens
from shop_orders.models import Order

GUEST = {
    "email": "guest@example.org",
    "name": "Test Guest",
    "phone": "0712 345 678",
    "delivery": "home",
    "line1": "Riverside Drive 12",
    "city": "Nairobi",
    "country": "KE",
    "payment": "on_delivery",
}


@pytest.fixture
def kitchen(db: None) -> Category:
    return categories.create("Kitchen", description="What hands touch every day.")


@pytest.fixture
def mug(kitchen: Category) -> Product:
    product = products.create(
        sku="MUG", name="Market mug", price=Decimal(950), categories=[kitchen], attributes={"colour": "red"}
    )
    inventory.receive({"MUG": 10}, reference="first")
    return product


@pytest.fixture
def shirt(kitchen: Category) -> Product:
    group = products.create(sku="SHIRT", name="Acacia shirt", kind="group", categories=[kitchen])
    for size, price in (("S", 1800), ("L", 2000)):
        products.create(
            sku=f"SHIRT-{size}",
            name="Acacia shirt",
            kind="variant",
            parent=group,
            price=Decimal(price),
            options={"size": size},
        )
    inventory.receive({"SHIRT-L": 3}, reference="first")
    return group


class Visitor:
    """A visitor with a browser that has the last page."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.page: HttpResponse = HttpResponse()

    def get(self, path: str) -> str:
        self.page = self.client.get(path, follow=True)
        return self.text

    def post(self, path: str, **data: Any) -> str:
        self.page = self.client.post(path, {"form_token": form_tokens.new_token(), **data}, follow=True)
        return self.text

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", self.page.content.decode())

    @property
    def path(self) -> str:
        return self.page.request["PATH_INFO"]

    def add(self, sku: str, quantity: int = 1) -> str:
        return self.post("/cart/add/", product=sku, quantity=quantity)

    def enter_details(self, **changes: Any) -> str:
        return self.post("/checkout/", **{**GUEST, **changes})

    def placing(self) -> dict[str, str]:
        """The form data of the review page's button."""
        names = ("cart", "expected_total", "details")
        return {name: re.search(f'name="{name}" value="([^"]*)"', self.text)[1] for name in names}  # type: ignore[index]

    def place(self, sent: dict[str, str] | None = None) -> str:
        return self.post("/checkout/place/", **(sent or self.placing()))

    def buy(self, sku: str, quantity: int = 1, **details: Any) -> Order:
        self.add(sku, quantity)
        self.enter_details(**details)
        self.place()
        return Order.objects.latest("pk")


@pytest.fixture
def visitor(client: Client) -> Visitor:
    return Visitor(client)


@pytest.fixture
def customer(user: Any) -> Visitor:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return Visitor(client)


@pytest.fixture
def another(make_user: Callable[..., Any]) -> Visitor:
    client = Client()
    client.force_login(make_user("another@example.org"), backend="django.contrib.auth.backends.ModelBackend")
    return Visitor(client)
