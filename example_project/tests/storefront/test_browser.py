"""The shop in headless Chromium. Needs node, Chromium and ``npm ci`` in ``tests/storefront/browser``."""

from __future__ import annotations

import pytest
from shop_catalog import products, reviews

TEST_PAYMENT = {
    "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
    "OPTIONS": {"secrets": ["c2VjcmV0LXNlY3JldC1zZWNyZXQ="]},
}
SCENARIOS = [
    "a guest buys",
    "a guest buys without scripts",
    "a customer buys, reviews and cancels",
    "payment on the provider's page",
    "two tabs and a double click give one order",
    "the back button",
    "search suggestions and variants",
    "every page is accessible in both themes",
]

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_the_browser(scenario, live_server, settings, mug, shirt, user, node):
    settings.SHOP_ORDERS = {
        **settings.SHOP_ORDERS,
        "PAYMENT_PROVIDERS": {
            "on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"},
            "test": TEST_PAYMENT,
        },
    }
    products.change(mug, is_featured=True)
    reviews.moderate(reviews.submit(mug, user=user, rating=5, title="Solid"), status="published")
    if scenario.endswith("reviews and cancels"):
        mug.reviews.all().delete()
    assert node("shop.mjs", live_server.url, scenario).endswith("0 faults\n")
