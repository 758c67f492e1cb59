from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format
from shop_notify.models import Notification
from shop_orders import guest_links, lifecycle, payments
from shop_orders.models import OrderLine
from shop_orders.payment_providers import PaymentState
from storefront import deliveries, links, purchases

from .conftest import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_guest_s_link_opens_the_order_anywhere(visitor, mug):
    order = visitor.buy("MUG")
    url = links.order_url(order.number, guest_links.token_for(order.number))
    text = Visitor(Client()).get(url.removeprefix("http://127.0.0.1:8000"))
    assert f"Order {order.number}" in text
    assert "Market mug" in text


@pytest.mark.parametrize("token", ["", "nonsense", "1:2:3", "\0"])
def test_a_broken_token_finds_nothing(visitor, mug, token):
    order = visitor.buy("MUG")
    stranger = Client()
    for page in ("", "thanks/", "pay/"):
        assert stranger.get(f"/orders/{order.number}/{page}", {"token": token}).status_code == 404
    assert stranger.post(f"/orders/{order.number}/cancel/", {"token": token}).status_code == 404
    order.refresh_from_db()
    assert order.status == "confirmed"


def test_an_expired_token_finds_nothing(visitor, mug, settings):
    order = visitor.buy("MUG")
    token = guest_links.token_for(order.number)
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "GUEST_LINK_MAX_AGE": timedelta(seconds=-1)}
    assert Client().get(f"/orders/{order.number}/", {"token": token}).status_code == 404


def test_the_token_of_one_order_opens_no_other(visitor, mug):
    one, other = visitor.buy("MUG"), visitor.buy("MUG")
    response = Client().get(f"/orders/{other.number}/", {"token": guest_links.token_for(one.number)})
    assert response.status_code == 404


def test_a_customer_s_order_is_seen_by_nobody_else(customer, another, mug):
    order = customer.buy("MUG")
    assert customer.client.get(f"/orders/{order.number}/").status_code == 200
    assert another.client.get(f"/orders/{order.number}/").status_code == 404
    token = guest_links.token_for(order.number)
    assert Client().get(f"/orders/{order.number}/", {"token": token}).status_code == 404


def test_staff_have_their_own_pages(customer, make_user, mug):
    order = customer.buy("MUG")
    client = Client()
    client.force_login(
        make_user("staff@example.org", is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get(f"/orders/{order.number}/").status_code == 404


def test_the_time_line_shows_events_and_messages(customer, mug):
    order = customer.buy("MUG")
    Notification.objects.filter(reference=order.number, channel="email").update(state="sent")
    lifecycle.start_processing(order.pk)
    lifecycle.ship(
        order.pk, carrier="Test Courier", tracking_number="TC-1", tracking_url="https://courier.example.org/TC-1"
    )
    text = customer.get(f"/orders/{order.number}/")
    assert "You placed your order" in text
    assert "E-mail: sent" in text
    assert "SMS: on its way" in text
    assert "Your order is on its way" in text
    assert 'href="https://courier.example.org/TC-1"' in text
    assert "Cancel this order" not in text


def test_customers_see_their_refunds(customer, mug):
    order = customer.buy("MUG")
    payments.record_payment(order.pk)
    (made,) = payments.refund(order.pk, amount=Decimal(5), reason="Canary is a nuisance", notify=False)
    payments.queue_refund(order.pk, amount=Decimal(3), notify=False)
    page = customer.get(f"/orders/{order.number}/").partition("<h3>Refunds</h3>")[2].partition("</ul>")[0]
    day = date_format(timezone.localtime(made.created_at), "DATE_FORMAT")
    listed = [re.sub(r"\s+", " ", text) for text in re.findall("<li>(.*?)</li>", page)]
    assert [text.partition(" of ")[2] for text in listed] == [f"{day}: sent back to you", f"{day}: on its way to you"]
    assert [re.search(r"\d+", text)[0] for text in listed] == ["5", "3"]
    assert "Canary" not in page


def test_a_private_note_stays_private(customer, mug):
    order = customer.buy("MUG")
    lifecycle.add_note(order.pk, text="Called twice.")
    lifecycle.add_note(order.pk, text="We are waiting for a colour.", is_public=True)
    text = customer.get(f"/orders/{order.number}/")
    assert "Called twice." not in text
    assert "We are waiting for a colour." in text


def test_the_buyer_cancels_and_the_stock_comes_back(visitor, mug):
    order = visitor.buy("MUG", 4)
    token = guest_links.token_for(order.number)
    text = visitor.post(f"/orders/{order.number}/cancel/", token=token, reason="Too many mugs.")
    assert "This order is cancelled." in text
    assert "Too many mugs." in text
    mug.refresh_from_db()
    assert mug.available_quantity == 10


def token_of(page):
    return re.search(r'name="form_token" value="([^"]+)"', page)[1]


def test_a_cancellation_that_is_sent_twice_says_so(customer, mug):
    order = customer.buy("MUG")
    url = f"/orders/{order.number}/cancel/"
    token = token_of(customer.get(f"/orders/{order.number}/"))
    assert "Your order is cancelled." in customer.post(url, form_token=token)
    again = customer.post(url, form_token=token)
    assert "This was already done." in again
    assert "Your order is cancelled." not in again
    assert order.events.filter(new_status="cancelled").count() == 1


def test_a_cancellation_without_a_token_does_nothing(customer, mug):
    order = customer.buy("MUG")
    assert "This page is too old." in customer.post(f"/orders/{order.number}/cancel/", form_token="")
    order.refresh_from_db()
    assert order.status == "confirmed"


def test_what_has_shipped_cannot_be_cancelled(customer, mug):
    order = customer.buy("MUG")
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    text = customer.post(f"/orders/{order.number}/cancel/")
    assert "cannot become" in text
    order.refresh_from_db()
    assert order.status == "shipped"


@pytest.mark.parametrize("number", ["NOTHING", "%00", "x" * 300, "..%2f"])
def test_unknown_numbers_find_nothing(customer, number):
    assert customer.client.get(f"/orders/{number}/").status_code == 404


def test_an_order_page_is_kept_by_no_cache_and_no_search_engine(visitor, mug):
    order = visitor.buy("MUG")
    response = visitor.client.get(links.order_path(order.number, guest_links.token_for(order.number)))
    assert "no-store" in response.headers["Cache-Control"]
    assert 'name="robots" content="noindex"' in response.content.decode()


def test_deliveries_name_no_address(visitor, mug):
    order = visitor.buy("MUG")
    found = deliveries.of_order(order.number)
    assert [(row["event"], row["channel"], row["state"]) for row in found] == [
        ("order_placed", "email", "queued"),
        ("order_placed", "sms", "queued"),
    ]
    assert "guest@example.org" not in str(found)


def test_only_an_accepted_order_is_a_purchase(customer, user, mug):
    assert not purchases.has_bought(user, ["MUG"])
    order = customer.buy("MUG")
    assert purchases.has_bought(user, ["MUG"])
    assert not purchases.has_bought(user, ["SHIRT-L"])
    lifecycle.cancel(order.pk)
    assert not purchases.has_bought(user, ["MUG"])


def test_units_that_are_not_sent_are_no_purchase(customer, user, mug):
    order = customer.buy("MUG")
    OrderLine.objects.filter(order=order).update(cancelled_quantity=F("quantity"))
    assert not purchases.has_bought(user, ["MUG"])


def test_the_page_says_how_to_find_an_order_without_an_account(visitor, db):
    assert "Open the link in the confirmation" in visitor.get("/orders/")


def test_a_reason_with_a_nul_byte_is_kept_without_it(visitor, mug):
    order = visitor.buy("MUG")
    visitor.post(f"/orders/{order.number}/cancel/", token=guest_links.token_for(order.number), reason="Too\0 many.")
    order.refresh_from_db()
    assert (order.status, order.cancel_reason) == ("cancelled", "Too many.")


@pytest.fixture
def waiting_order(visitor, mug, settings):
    """An unpaid order whose payment rings on a phone."""
    options = {"consumer_key": "k", "consumer_secret": "s", "short_code": "174379", "passkey": "p"}
    options |= {"webhook_secret": "a-long-random-text", "api_base": "http://127.0.0.1:1"}
    mpesa = {"BACKEND": "shop_orders.payment_providers.Mpesa", "OPTIONS": options}
    providers = {**settings.SHOP_ORDERS["PAYMENT_PROVIDERS"], "mobile_money": mpesa}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": providers}
    order = visitor.buy("MUG", payment="mobile_money")
    order.payments.create(
        provider="mobile_money",
        amount=order.total,
        currency="KES",
        status="pending",
        provider_reference="ws_CO_1",
        instructions="Look at your phone.",
        expires_at=timezone.now() + timedelta(minutes=2),
    )
    return order


def test_order_page_waits_for_a_payment_on_the_phone_and_then_reloads_itself(visitor, waiting_order):
    order = waiting_order
    token = guest_links.token_for(order.number)
    page = visitor.get(f"/orders/{order.number}/?token={token}")
    assert "Look at your phone." in page
    assert f'hx-get="/orders/{order.number}/waiting/?token=' in page
    url = f"/orders/{order.number}/waiting/"
    response = Client().get(url, {"token": token})
    assert (response.status_code, response.content, "HX-Refresh" in response) == (204, b"", False)
    payments.apply_state(order.payments.get().pk, PaymentState(status="cancelled", reference="ws_CO_1"))
    response = Client().get(url, {"token": token})
    assert (response.status_code, response["HX-Refresh"]) == (204, "true")
    assert Client().get(url).status_code == 404
    page = visitor.get(f"/orders/{order.number}/?token={token}")
    assert "waiting/" not in page
    assert f"business number 174379, account number {order.number}" in page


def test_order_page_offers_no_second_payment_while_the_money_is_on_its_way(visitor, waiting_order):
    order = waiting_order
    payments.apply_state(order.payments.get().pk, PaymentState(status="processing", reference="ws_CO_1"))
    token = guest_links.token_for(order.number)
    page = visitor.get(f"/orders/{order.number}/?token={token}")
    assert "Your payment is on its way." in page
    assert "/pay/" not in page
    response = Client().get(f"/orders/{order.number}/pay/", {"token": token})
    assert response["Location"].partition("?")[0] == f"/orders/{order.number}/thanks/"


def test_waiting_page_asks_the_provider_once_in_a_while(visitor, waiting_order, monkeypatch):
    asked = []
    monkeypatch.setattr("shop_orders.payments.refresh", asked.append)
    token = {"token": guest_links.token_for(waiting_order.number)}
    for _time in range(5):
        assert visitor.client.get(f"/orders/{waiting_order.number}/waiting/", token).status_code == 204
        assert visitor.client.get(f"/orders/{waiting_order.number}/thanks/", token).status_code == 200
    assert len(asked) == 1


def test_payment_page_asks_for_the_phone_that_pays(visitor, waiting_order):
    token = guest_links.token_for(waiting_order.number)
    page = visitor.get(f"/orders/{waiting_order.number}/pay/?token={token}")
    assert 'name="phone" value="+254712345678"' in page
