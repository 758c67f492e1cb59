"""A route that was added later gets the past events, and no message is sent twice."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from shop_catalog import products
from shop_notify.conf import app_settings
from shop_notify.models import Notification
from shop_orders import carts, checkout
from shop_orders.checkout import Contact
from shop_orders.models import OrderEvent

pytestmark = pytest.mark.django_db(transaction=True)

PLACED = {"signal": "shop_orders.signals.order_placed", "event": "order_placed", "to": ["customer"], "via": ["email"]}
PARTNER = {**PLACED, "event": "partner_told"}


@pytest.fixture
def routes(settings):
    def use(*routes):
        settings.SHOP_NOTIFY = {
            **settings.SHOP_NOTIFY,
            "ROUTES": list(routes),
            "NOTIFIERS": {"email": {"BACKEND": "email"}},
            "QUEUE": "shop_notify.queues.none",
        }

    return use


@pytest.fixture
def order(routes):
    routes(PLACED)
    products.create("TEA-1", name="Tea", price=Decimal("5.00"), stock_quantity=2)
    cart, _token = carts.add_to_cart("TEA-1")
    amina = Contact(name="Amina", email="amina@example.org")
    return checkout.place_order(cart, contact=amina, provider="on_delivery", delivery="pickup")


def replay(receiver, **options):
    since = (timezone.now() - timedelta(days=200)).isoformat()
    call_command("announce_events", receiver=receiver, since=since, **options)


def sent():
    return sorted(Notification.objects.values_list("event", "address"))


def test_a_route_added_later_gets_past_events_once(order, routes):
    assert sent() == [("order_placed", "amina@example.org")]
    routes(PLACED, PARTNER)
    for _time in range(2):
        replay("shop_notify:partner_told")
    assert sent() == [("order_placed", "amina@example.org"), ("partner_told", "amina@example.org")]
    replay("shop_notify")
    assert len(sent()) == 2


def test_one_route_is_replayed_without_the_others(order, routes):
    routes(PARTNER, {**PLACED, "event": "another"})
    replay("shop_notify:another")
    assert [event for event, _address in sent()] == ["another", "order_placed"]


def test_events_older_than_the_messages_that_are_kept_are_refused(order, routes):
    """Their messages may be pruned, so the outbox could not know that they were sent."""
    Notification.objects.all().delete()
    long_ago = timezone.now() - timedelta(days=app_settings.KEEP_DAYS + 1)
    OrderEvent.objects.update(created_at=long_ago)
    with pytest.raises(CommandError, match=r"^Failed: event-"):
        replay("shop_notify")
    assert sent() == []
