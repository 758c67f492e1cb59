"""The order's page in the admin and its steps: each sends the messages of its preview."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
import shop_orders
from backoffice import order_page
from django.test import Client
from shop_catalog.models import Product
from shop_notify.models import Notification
from shop_orders import carts, checkout, customers, form_tokens, lifecycle, payments
from shop_orders.models import IncomingPayment, Order, OrderEvent, Refund
from shop_orders.payment_providers import PaymentState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("atomic_requests")]

ALL = (
    "shop_orders.view_order",
    "shop_orders.change_order",
    "shop_orders.process_order",
    "shop_orders.cancel_order",
    "shop_orders.refund_order",
    "shop_notify.view_notification",
    "shop_notify.resend_notification",
)


@pytest.fixture
def order(catalogue, make_user):
    """A confirmed order of two mugs and a book, whose customer has e-mail and phone and got a message."""
    user = make_user()
    customer = customers.update(customers.for_user(user), phone="0712 345 678")
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, "MUG", 2)
    carts.add_item(cart, "BOOK", 1)
    address = {"name": "Test Customer", "line1": "Acacia Court", "city": "Nairobi", "country": "KE"}
    return checkout.place_order(cart, shipping_address=address, delivery="home", provider="on_delivery", by=user)


def bring(order, *actions):
    for action in actions:
        action(order.pk, notify=False)
    order.refresh_from_db()
    return order


def page(order):
    return f"/admin/shop_orders/order/{order.pk}/change/"


def step(order, name):
    return f"/admin/shop_orders/order/{order.pk}/step/{name}/"


def sent(**values):
    """The values of a form from a page that was just opened."""
    return {"form_token": form_tokens.new_token(), **values}


def shown(response):
    """The messages in the page's preview."""
    preview = response.context["preview"]
    return {(row.alias, row.address, row.subject, row.text) for row, _parts in preview.messages}


def written(order, known):
    from shop_notify.messages import preview_notification

    rows = [preview_notification(row) for row in Notification.objects.exclude(pk__in=known)]
    return {(row.alias, row.address, row.subject, row.text) for row in rows}


def authorise(order_id, notify):
    payment = payments.start(order_id)
    payments.apply_state(payment.pk, PaymentState(status="authorised"), notify=notify)


STEPS = {
    "process": ((), {}, 1),
    "ship": (
        (lifecycle.start_processing,),
        {"carrier": "City Couriers", "tracking_number": "CC1", "line_1": 2, "line_2": 1},
        2,
    ),
    "deliver": ((lifecycle.start_processing, lifecycle.ship), {}, 1),
    "cancel": ((), {"reason": "Sold out"}, 3),
    "pay": ((), {}, 1),
    "capture": ((authorise,), {}, 1),
    "refund": ((payments.record_payment,), {"amount": "500", "reason": "A crack"}, 2),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_sends_what_it_showed(name, order, staff):
    before, values, count = STEPS[name]
    bring(order, *before)
    client, values = staff(*ALL), sent(**values, notify="on")
    events, known = OrderEvent.objects.count(), list(Notification.objects.values_list("pk", flat=True))

    seen = shown(client.post(step(order, name), {**values, "look": "1"}))

    assert len(seen) == count
    assert OrderEvent.objects.count() == events
    assert Notification.objects.count() == len(known)
    response = client.post(step(order, name), {**values, "take": "1"})
    assert (response.status_code, response["Location"]) == (302, page(order))
    assert written(order, known) == seen


def test_the_payment_method_is_in_the_list_on_the_page_and_on_the_slip(order, staff):
    client = staff(*ALL)
    for path in (page(order), "/admin/shop_orders/order/", f"/admin/shop_orders/order/{order.pk}/slip/"):
        assert "Pay on delivery" in client.get(path).content.decode()


def test_a_step_that_is_sent_twice_is_taken_once(order, staff):
    bring(order, payments.record_payment)
    client = staff(*ALL)
    text = client.get(step(order, "refund")).content.decode()
    values = dict(re.findall(r'name="(\w+)" value="([^"]*)"', text)) | {"amount": "500", "take": "1"}
    del values["look"]  # the other button
    for said in ("Done: Refund", "This was already done: Refund"):
        assert said in client.post(step(order, "refund"), values, follow=True).content.decode()
    assert [refund.amount for refund in Refund.objects.all()] == [500]


@pytest.mark.parametrize("name", STEPS)
def test_looking_at_a_step_changes_nothing(name, order, staff):
    bring(order, *STEPS[name][0])
    stock = list(Product.objects.order_by("pk").values_list("stock_quantity", "reserved_quantity"))
    state = Order.objects.filter(pk=order.pk).values().get()

    response = staff(*ALL).get(step(order, name))

    assert response.status_code == 200
    assert shown(response)
    assert Order.objects.filter(pk=order.pk).values().get() == state
    assert list(Product.objects.order_by("pk").values_list("stock_quantity", "reserved_quantity")) == stock


def test_refund_of_shipped_goods_previews_its_messages_at_once(order, staff):
    bring(order, lifecycle.start_processing, lifecycle.ship, payments.record_payment)
    assert shown(staff(*ALL).get(step(order, "refund")))


@pytest.mark.parametrize("name", STEPS)
def test_nobody_is_notified_without_the_notify_option(name, order, staff):
    before, values, _count = STEPS[name]
    bring(order, *before)
    client, known = staff(*ALL), Notification.objects.count()

    values = sent(**values)
    response = client.post(step(order, name), {**values, "look": "1"})
    assert "No message will be sent." in response.content.decode()
    client.post(step(order, name), {**values, "take": "1"})

    assert Notification.objects.count() == known


def test_a_step_that_is_no_longer_possible_says_why_before_and_after(order, staff):
    client = staff(*ALL)

    assert "cannot become" in client.get(step(order, "deliver")).context["preview"].problem
    response = client.post(step(order, "deliver"), sent(take="1"))

    assert response.status_code == 200
    assert "cannot become" in response.content.decode()
    assert Order.objects.get().status == "confirmed"


def test_a_wrong_form_shows_its_faults_and_no_messages(order, staff):
    bring(order, payments.record_payment)
    client = staff(*ALL)

    response = client.post(step(order, "refund"), sent(amount="-3", take="1"))

    assert response.context["preview"] is None
    assert "Please correct the errors below" in response.content.decode()
    order.refresh_from_db()
    assert order.refunded_amount == 0


def test_the_time_line_shows_the_messages_and_their_recipients(order, staff):
    text = staff(*ALL).get(page(order)).content.decode()

    assert "The order was placed" in text
    assert re.search(r"E-mail, Order placed</a>\s*<span class=\"to\">to customer@example.org", text)
    assert re.search(r"SMS, Order placed</a>\s*<span class=\"to\">to \+254712345678", text)
    assert "Market mug" in text
    assert "KSh\xa02,950.00" in text


def test_a_private_note_stays_with_the_staff(order, staff):
    client = staff(*ALL)
    client.post(step(order, "note"), sent(text="Fragile; <b>careful</b>", take="1"))

    text = client.get(page(order)).content.decode()

    assert "Fragile; &lt;b&gt;careful&lt;/b&gt;" in text
    assert "visible to staff only" in text


def test_every_event_has_a_title_for_staff():
    root = Path(shop_orders.__file__).parent
    sources = "".join(path.read_text() for path in root.rglob("*.py"))
    kinds = set(re.findall(r'\brecord\(\s*\w+,\s*"([a-z_]+)"', sources))
    assert len(kinds) > 15
    assert kinds - {"status_changed", "payment_status_changed"} <= set(order_page.KINDS)


def test_held_money_and_the_labels_of_providers_are_shown_on_the_page(order, staff):
    payments.record_payment(order.pk, amount=Decimal(5))
    row = IncomingPayment.objects.create(
        provider="mobile_money", receipt="TJ7UXS2BRP", amount=100, currency="KES", order=order, reason="other_amount"
    )

    def text():
        html = staff("everything").get(page(order)).content.decode()
        return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())

    assert "KSh 100.00 needs a decision The amount differs from the amount due." in text()
    assert "Pay on delivery captured, KSh 5.00" in text()
    assert "5.00 KES (Pay on delivery)" in text()
    IncomingPayment.objects.filter(pk=row.pk).update(status="dismissed")
    assert "needs a decision" not in text()


def test_tax_is_shown_with_its_rate_and_base(order, staff):
    (tax,) = order.tax_lines
    text = staff(*ALL).get(page(order)).content.decode()
    base = f"{tax.base:,.2f}"
    assert f"Tax, included 16\u00a0% <small>of KSh\u00a0{base}</small> <small>(included in the prices)</small>" in text
    assert f"KSh\u00a0{tax.amount:,.2f}" in text


def test_a_message_is_sent_again_to_the_same_address(order, staff):
    client = staff(*ALL)
    row = Notification.objects.get(alias="sms", audience="customer")

    token = re.search(r'name="form_token" value="([^"]+)"', client.get(page(order)).content.decode())[1]
    url = f"/admin/shop_orders/order/{order.pk}/resend/{row.public_id}/"
    response = client.post(url, {"form_token": token}, follow=True)
    again = client.post(url, {"form_token": token}, follow=True).content.decode()
    assert "This form was already submitted. The message to" in again
    assert "Press the button once more." in client.post(url, follow=True).content.decode()

    assert Notification.objects.get(origin=row).address == row.address
    placed = next(entry for entry in order_page.entries(order, with_messages=True) if entry.event.kind == "placed")
    assert [message.is_repeat for message in placed.messages if message.row.alias == "sms"] == [False, True]
    assert "(again)" in response.content.decode()


def test_a_message_of_another_order_is_not_sent_from_here(order, staff):
    row = Notification.objects.create(event_id="1", event="x", alias="sms", channel="sms", address="+254712345678")
    known = Notification.objects.count()

    response = staff(*ALL).post(f"/admin/shop_orders/order/{order.pk}/resend/{row.public_id}/")

    assert response.status_code == 404
    assert Notification.objects.count() == known


def test_staff_who_may_only_view_see_no_steps_and_no_messages(order, staff):
    client = staff("shop_orders.view_order")
    row = Notification.objects.filter(alias="sms").first()

    text = client.get(page(order)).content.decode()

    assert "/step/" not in text
    assert "Send again" not in text
    assert "to customer@example.org" not in text
    assert client.get(step(order, "cancel")).status_code == 403
    assert client.post(step(order, "cancel")).status_code == 403
    assert client.post(f"/admin/shop_orders/order/{order.pk}/resend/{row.public_id}/").status_code == 403
    assert Order.objects.get().status == "confirmed"


def test_visitors_and_customers_see_no_order_page(order, client):
    assert client.get(page(order)).status_code == 302
    assert client.get(step(order, "ship")).status_code == 302
    customer = Client()
    customer.force_login(order.customer.user, backend="django.contrib.auth.backends.ModelBackend")
    assert customer.get(page(order)).status_code == 302


@pytest.mark.parametrize("path", ["999999/change/", "x/change/", "999999/step/ship/", "1/step/nonsense/"])
def test_an_order_or_step_that_is_not_there_is_no_crash(path, order, staff):
    assert staff(*ALL).get(f"/admin/shop_orders/order/{path}").status_code in {302, 404}


def test_there_is_nothing_to_save_on_the_order_page(order, staff):
    assert staff(*ALL).post(page(order), {"status": "delivered"}).status_code == 403
    assert Order.objects.get().status == "confirmed"


def test_the_pages_have_no_inline_script(order, staff):
    bring(order, lifecycle.start_processing)
    client = staff(*ALL)
    for path in (page(order), step(order, "ship"), "/admin/"):
        response = client.get(path)
        text = response.content.decode()
        assert re.findall(r"<script(?![^>]*src=)[^>]*>|\son\w+=|javascript:| style=", text) == []
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]


def test_the_query_count_of_the_order_page_does_not_depend_on_its_time_line(
    order, staff, django_assert_max_num_queries
):
    client = staff(*ALL)
    client.get(page(order))
    with django_assert_max_num_queries(40) as few:
        client.get(page(order))
    count = len(few)
    for number in range(20):
        lifecycle.add_note(order.pk, text=str(number), by=order.customer.user)
        row = Notification.objects.filter(alias="sms").first()
        client.post(f"/admin/shop_orders/order/{order.pk}/resend/{row.public_id}/", {"form_token": uuid.uuid4()})
    with django_assert_max_num_queries(count + 1):
        client.get(page(order))


def test_the_time_line_tells_the_newest_of_one_moment_first(order):
    OrderEvent.objects.filter(order=order).update(created_at=order.placed_at)
    kinds = [entry.event.kind for entry in order_page.entries(order, with_messages=False)]
    assert kinds == ["status_changed", "placed"]


def test_the_list_of_orders_shows_the_status_of_each(order, staff):
    text = staff(*ALL).get("/admin/shop_orders/order/").content.decode()
    assert '<span class="pill ">Confirmed</span>' in text
    assert '<span class="pill ">Unpaid</span>' in text
    assert f"KSh\N{NO-BREAK SPACE}{order.total:,.2f}" in text
