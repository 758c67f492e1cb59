"""The flow of the bench for django-oscar-api."""

from collections.abc import Sequence
from typing import Any

ADDRESS = {
    "first_name": "Test",
    "last_name": "Customer",
    "line1": "1 Test Road",
    "line4": "Nairobi",
    "postcode": "00100",
    "country": "/api/countries/KE/",
}


def flow(skus: Sequence[str]) -> list[tuple[str, Any]]:
    """The key of a product is the number in its SKU."""
    keys = [int(sku.removeprefix("SKU-")) for sku in skus]
    adds = [("/api/basket/add-product/", {"url": f"/api/products/{key}/", "quantity": 1}) for key in keys]
    return [*adds, ("/api/checkout/", checkout)]


def checkout(basket: dict[str, Any]) -> dict[str, Any]:
    """Order the basket of the last response."""
    return {"basket": basket["url"], "shipping_address": ADDRESS}
