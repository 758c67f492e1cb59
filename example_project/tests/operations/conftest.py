from decimal import Decimal
from io import BytesIO

import pytest
from operations import caches
from PIL import Image
from shop_catalog import images, inventory, products
from shop_orders import carts, checkout


@pytest.fixture(autouse=True)
def _forget_dropped_keys():
    """End the threads that wait for a Redis whose test is over."""
    known = caches._STATES
    yield
    for state in known.values():
        state.dropped.clear()


@pytest.fixture
def product(db, settings, tmp_path):
    """A basket with a picture and a stock of 20."""
    settings.MEDIA_ROOT = tmp_path / "media"
    basket = products.create("BASKET-1", name="Sisal basket", price=Decimal(1200))
    inventory.receive({"BASKET-1": 20})
    picture = BytesIO()
    Image.new("RGB", (40, 30), "olive").save(picture, "PNG")
    picture.seek(0)
    images.add(basket, file=picture, alt="A basket")
    return basket


@pytest.fixture
def place(product):
    """A function that places a guest's order of one basket."""

    def order(email="test.customer@example.org", phone="+254712345678", quantity=1):
        cart, _token = carts.add_to_cart(product.sku, quantity)
        return checkout.place_order(
            cart,
            contact=checkout.Contact(name="Test Customer", email=email, phone=phone),
            shipping_address={"name": "Test Customer", "line1": "Moi Avenue 1", "city": "Nairobi", "country": "KE"},
            delivery="home",
        )

    return order
