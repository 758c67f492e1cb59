"""The texts of a reminder of a cart."""

import pytest
from shop_notify import messages
from shop_notify.models import Notification
from shop_notify.presets import CART_ROUTES

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("language", "word"),
    [("en", "agreed"), ("sw", "Ulikubali"), ("de", "eingewilligt"), ("de_AT", "eingewilligt")],
)
def test_a_reminder_lists_the_products_and_can_be_unsubscribed_from(settings, language, word):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "BASE_URL": "https://shop.example.org",
        "CONTEXT": {"cart_url": "https://shop.example.org/cart/"},
    }
    (route,) = CART_ROUTES
    row = Notification.objects.create(
        event=route["event"],
        event_id="e1",
        alias="email",
        channel="email",
        address="amina@example.org",
        recipient_key="cart:1",
        group=route["group"],
        language=language,
        context={"cart": {"lines": [{"quantity": 2, "name": "Tea"}]}},
    )
    message = messages.render(row)
    assert message.subject
    for text in (message.text, message.html):
        assert "Tea" in text
        assert word in text
        assert "https://shop.example.org/cart/" in text
        assert "unsubscribe" in text
