"""A webhook call with many events, and its repetition by a provider that did not wait."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from shop_orders import payments
from shop_orders.models import ProviderEvent
from shop_orders.payment_providers import PaymentEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(client, place, memory_provider, monkeypatch):
    """Send a call with events, and return its status and the number of statements."""
    payment = payments.start(place(provider="memory").pk)

    def send(count, **values):
        kind = {"kind": "failed", "reference": payment.provider_reference, **values}
        events = [PaymentEvent(event_id=f"evt-{number}", **kind) for number in range(count)]
        monkeypatch.setattr(memory_provider, "read_webhook", lambda self, request: events)
        with CaptureQueriesContext(connection) as statements:
            status = client.post(reverse("shop_orders:webhook", args=["memory"])).status_code
        return status, len(statements)

    return send


def test_statements_of_a_call_grow_with_its_events_only(call):
    status, few = call(20)
    ProviderEvent.objects.all().delete()
    _status, many = call(40)
    assert (status, ProviderEvent.objects.count()) == (200, 40)
    assert many <= 2 * few


def test_repeated_call_takes_few_statements_and_changes_nothing(call):
    call(30)
    before = list(ProviderEvent.objects.order_by("id").values())
    status, statements = call(30)
    assert (status, list(ProviderEvent.objects.order_by("id").values())) == (200, before)
    assert statements < 10
    assert call(31)[0] == 200
    assert ProviderEvent.objects.count() == 31


def test_claims_and_undecided_events_of_a_repeated_call_are_applied(call):
    call(2, kind="captured", is_confirmed=False)
    assert {row.outcome for row in ProviderEvent.objects.all()} == {"waiting"}
    call(2, kind="failed")
    assert {(row.kind, row.is_confirmed) for row in ProviderEvent.objects.all()} == {("failed", True)}


def test_call_with_an_event_that_cannot_be_stored_is_refused(call, monkeypatch, memory_provider, client):
    events = [PaymentEvent(event_id=name, kind="failed", reference="r") for name in ("a", "b\0", "\ud800", 7, None)]
    monkeypatch.setattr(memory_provider, "read_webhook", lambda self, request: events)
    assert client.post(reverse("shop_orders:webhook", args=["memory"])).status_code == 400
    assert ProviderEvent.objects.filter(provider_event_id="a").exists()
