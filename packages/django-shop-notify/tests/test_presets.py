"""The routes for a shop: at most one message per alias for events of the same moment, and one fallback."""

from __future__ import annotations

import pytest
from django.core import mail
from shop_notify import delivery, outbox, recipients, routes
from shop_notify.exceptions import PermanentFailure
from shop_notify.messages import SAMPLE_ORDER
from shop_notify.models import Notification
from shop_notify.notifiers import Notifier
from shop_notify.presets import SHOP_ROUTES

pytestmark = pytest.mark.django_db

STATUS = "shop_orders.signals.order_status_changed"
CUSTOMER = {"key": "customer:1", "name": "Test Customer", "email": "c@example.org", "phone": "+254711000001"}


class RefusingSms(Notifier):
    channel = "sms"
    address_field = "phone"

    def send(self, message):
        raise PermanentFailure("no such subscriber")


@pytest.fixture(autouse=True)
def _shop(settings):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"email": {"BACKEND": "email"}, "sms": {"BACKEND": f"{__name__}.RefusingSms"}},
        "ROUTES": SHOP_ROUTES,
        "ADMINS": [],
    }


def announce(signal, *, recipient=CUSTOMER, **changes):
    payload = {**SAMPLE_ORDER, "at_placement": False, "notify": True, "recipients": {"customer": recipient}, **changes}
    outbox.put(routes.plan(signal, payload=payload, event_id="e-1"))
    for _ in range(3):
        delivery.deliver_due()
        delivery.start_fallbacks()


@pytest.mark.parametrize("status", ["confirmed", "processing", "delivered"])
def test_sms_of_an_event_without_an_email_is_followed_by_one_when_refused(status):
    announce(STATUS, new_status=status)
    announce(STATUS, new_status=status)
    assert [message.to for message in mail.outbox] == [["Test Customer <c@example.org>"]]
    assert sorted(Notification.objects.values_list("event", "alias", "state")) == [
        (f"order_{status}", "email", "sent"),
        (f"order_{status}", "sms", "failed"),
    ]


@pytest.mark.parametrize(
    ("signal", "changes"),
    [
        ("shop_orders.signals.order_placed", {}),
        ("shop_orders.signals.shipment_sent", {}),
        (STATUS, {"new_status": "cancelled"}),
        ("shop_orders.signals.units_cancelled", {}),
        ("shop_orders.signals.order_refunded", {}),
    ],
)
def test_sms_of_an_event_with_an_email_is_followed_by_none(signal, changes):
    announce(signal, **changes)
    assert len(mail.outbox) == 1
    assert sorted(Notification.objects.values_list("alias", "state")) == [("email", "sent"), ("sms", "failed")]


def test_customer_without_an_email_address_gets_no_fallback():
    announce(STATUS, new_status="confirmed", recipient={**CUSTOMER, "email": ""})
    assert mail.outbox == []
    assert Notification.objects.get().state == "failed"


def test_customer_who_has_muted_the_mail_gets_no_fallback():
    recipients.write_preferences("customer:1", {"order_updates": {"email": False}})
    announce(STATUS, new_status="confirmed")
    assert mail.outbox == []
    assert Notification.objects.get(alias="email").state == "skipped"


def test_mail_that_falls_back_can_be_muted_by_its_link(settings):
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "BASE_URL": "https://shop.example.org"}
    announce(STATUS, new_status="confirmed")
    link = mail.outbox[0].extra_headers["List-Unsubscribe"].strip("<>")
    recipients.unsubscribe(link.rstrip("/").rpartition("/")[2])
    assert recipients.read_preferences("customer:1") == {"order_updates": {"sms": True, "email": False}}


def test_every_route_of_one_moment_uses_an_alias_once():
    events = {
        "placed": routes.plan("shop_orders.signals.order_placed", payload=_payload(), event_id="1"),
        "placed and confirmed": routes.plan(
            STATUS, payload=_payload(new_status="confirmed", at_placement=True), event_id="1"
        ),
        "shipped": routes.plan(STATUS, payload=_payload(new_status="shipped"), event_id="1"),
    }
    used = {name: sorted(row.alias for row in rows) for name, rows in events.items()}
    assert used == {"placed": ["email", "sms"], "placed and confirmed": [], "shipped": []}


def _payload(**changes):
    return {**SAMPLE_ORDER, "at_placement": False, "recipients": {"customer": CUSTOMER}, **changes}
