import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.urls import reverse
from shop_orders import admin, form_tokens, lifecycle, payments
from shop_orders.admin import exports
from shop_orders.models import Order, Payment
from shop_orders.payment_providers import PaymentState
from shop_orders.pricing import Charge
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

LEVY = Charge(kind="tax", label="Levy", amount=Decimal("0.50"))


@pytest.fixture
def shopkeeper(client):
    user = get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw")
    client.force_login(user)
    return client


def step(client, order, name, **fields):
    fields = {"form_token": form_tokens.new_token(), **fields}
    return client.post(reverse("admin:shop_orders_step", args=[order.pk, name]), fields, follow=True)


@pytest.mark.parametrize(
    "model",
    ["customer", "cart", "order", "orderevent", "payment", "providerevent", "shipment", "jobrun", "idempotencykey"],
)
def test_changelists_load(shopkeeper, place, model):
    order = place()
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    page = shopkeeper.get(reverse(f"admin:shop_orders_{model}_changelist"), {"q": "x"} if model == "order" else {})
    assert page.status_code == 200


def test_payments_can_be_filtered_by_refund_status(shopkeeper, place, memory_provider):
    memory_provider.refund_status = "pending"
    waiting, other = place(provider="memory"), place(provider="memory")
    for order in (waiting, other):
        payment = payments.start(order.pk)
        payments.apply_state(payment.pk, PaymentState(status="captured", captured=payment.amount))
    for _part in range(2):
        payments.refund(waiting.pk, amount=Decimal(1))
    url = reverse("admin:shop_orders_payment_changelist")
    page = shopkeeper.get(url, {"refunds__status__exact": "pending"})
    assert [row.order for row in page.context["cl"].result_list] == [waiting]
    assert "status of its refunds" in page.content.decode()
    page = shopkeeper.get(reverse("admin:shop_orders_payment_change", args=[waiting.payments.get().pk]))
    text = page.content.decode()
    assert "refund_" in text
    assert ("25.00 KES" in text, "1.00 KES" in text, ".0000" in text) == (True, True, False)


def test_order_page_is_read_only(shopkeeper, place, user):
    order = place(quantity=3)
    payments.record_payment(order.pk, by=user)
    lifecycle.add_note(order.pk, text="Called back", by=user)
    page = shopkeeper.get(reverse("admin:shop_orders_order_change", args=[order.pk])).content.decode()
    for text in (order.number, "Trees of Kenya", "37.50", "Called back", "Packing slip", "Start processing"):
        assert text in page
    assert 'name="status"' not in page
    assert 'name="total"' not in page


def test_buttons_of_an_order_do_not_cover_its_title(shopkeeper, place):
    """Django 5.2 floats them beside the title, into which a second row of them then runs."""
    page = shopkeeper.get(reverse("admin:shop_orders_order_change", args=[place().pk])).content.decode()
    assert "shop_orders/order_admin.css" in page
    assert "float: none;" in Path(finders.find("shop_orders/order_admin.css")).read_text()


def test_order_page_takes_an_order_through_every_step(shopkeeper, place):
    order = place(quantity=3)
    assert admin.possible_steps(order) == ["process", "cancel", "pay", "cancel_units", "note"]
    step(shopkeeper, order, "pay")
    step(shopkeeper, order, "process")
    step(shopkeeper, order, "ship", line_1=1, carrier="Test Carrier", tracking_number="T1", notify="on")
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("processing", "paid")
    step(shopkeeper, order, "ship", line_1=2)
    step(shopkeeper, order, "deliver")
    step(shopkeeper, order, "refund", amount="12.50", reason="Torn cover", line_1=1)
    step(shopkeeper, order, "note", text="All is well")
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("delivered", "part_refunded")
    assert Book.objects.get().on_hand == 8
    at_placement = order.events.filter(payload__at_placement=True)
    assert {str(event.actor) for event in order.events.exclude(pk__in=at_placement)} == {"test-admin"}
    notified = order.events.filter(signal="shipment_sent").order_by("id").values_list("payload__notify", flat=True)
    assert list(notified) == [True, False]


def test_authorised_payment_can_be_captured_on_the_order_page(shopkeeper, place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    assert "capture" not in admin.possible_steps(order)
    payments.apply_state(payment.pk, PaymentState(status="authorised"))
    assert admin.possible_steps(order) == ["confirm", "cancel", "capture", "cancel_units", "note"]
    memory_provider.decline = True
    assert "was declined" in step(shopkeeper, order, "capture").content.decode()
    memory_provider.decline = False
    step(shopkeeper, order, "capture")
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("confirmed", "paid")


def test_held_payment_can_be_resolved_on_the_order_page(shopkeeper, place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(20), currency="<i>"))
    assert "resolve" in admin.possible_steps(order)
    form = shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "resolve"])).content.decode()
    assert "memory reports 20 &lt;i&gt;; expected: 25.00 KES. Enter 0" in form
    held = order.payments.get().public_id
    step(shopkeeper, order, "resolve", payment=held, amount="20.00")
    order.refresh_from_db()
    assert (order.paid_amount, order.amount_due) == (20, 5)
    again = step(shopkeeper, order, "resolve", payment=held, amount="1")
    assert "is not waiting for a payment" in again.content.decode()


def test_payment_whose_state_cannot_be_fetched_is_listed_and_resolved(shopkeeper, place, memory_provider):
    order = place(provider="memory")
    payments.start(order.pk)
    listing = reverse("admin:shop_orders_payment_changelist") + "?needs_decision=yes"
    assert "0 payments" in shopkeeper.get(listing).content.decode()
    Payment.objects.update(error="memory does not respond. Look at the provider's page.")
    assert "1 payment" in shopkeeper.get(listing).content.decode()
    form = shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "resolve"])).content.decode()
    assert "memory does not respond" in form
    step(shopkeeper, order, "resolve", payment=order.payments.get().public_id, amount="25.00")
    order.refresh_from_db()
    assert (order.status, order.paid_amount) == ("confirmed", 25)


def test_refund_made_at_the_provider_can_be_recorded_on_the_order_page(shopkeeper, place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    assert "record_refund" not in admin.possible_steps(order)
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(25)))
    assert "record_refund" in admin.possible_steps(order)
    other = payments.start(place(provider="memory").pk)
    for key in (other.pk, "x"):
        step(shopkeeper, order, "record_refund", payment=key, amount="10")
    order.refresh_from_db()
    assert order.refunded_amount == 0
    step(shopkeeper, order, "record_refund", payment=payment.pk, amount="10", reference="re-1", reason="Dashboard")
    order.refresh_from_db()
    assert (order.refunded_amount, order.payments.get().refunds.get().provider_reference) == (10, "re-1")


def test_bank_transfer_can_be_recorded_in_two_parts_on_the_order_page(shopkeeper, place, memory_provider):
    order = place(provider="bank")
    step(shopkeeper, order, "pay", amount="10")
    order.refresh_from_db()
    assert (order.paid_amount, order.status) == (10, "pending")
    step(shopkeeper, order, "pay")
    order.refresh_from_db()
    assert (order.paid_amount, order.status) == (25, "confirmed")


@pytest.mark.parametrize("ticked", [{}, {"notify": "on"}])
def test_every_step_notifies_only_if_the_box_is_ticked(shopkeeper, place, ticked):
    order = place(provider="on_delivery")
    at_placement = set(order.events.values_list("pk", flat=True))
    for name in ("process", "ship", "deliver", "pay"):
        step(shopkeeper, order, name, line_1=2, **ticked)
    notified = order.events.exclude(pk__in=at_placement).exclude(signal="").values_list("payload__notify", flat=True)
    assert (len(notified), set(notified)) == (5, {bool(ticked)})


def test_order_that_waits_for_an_online_payment_is_confirmed_only_after_a_warning(shopkeeper, place, memory_provider):
    order = place(provider="memory")
    url = reverse("admin:shop_orders_step", args=[order.pk, "confirm"])
    assert "25.00 KES are still to be paid by Payment." in shopkeeper.get(url).content.decode()
    assert "This field is required." in step(shopkeeper, order, "confirm", notify="on").content.decode()
    order.refresh_from_db()
    assert order.status == "pending"
    step(shopkeeper, order, "confirm", notify="on", accept_unpaid="on")
    order.refresh_from_db()
    assert order.status == "confirmed"


def test_bulk_confirmation_skips_unpaid_orders_and_says_so(shopkeeper, place, memory_provider):
    unpaid, bank = place(provider="memory"), place(provider="bank")
    chosen = {"action": "confirm", "_selected_action": [unpaid.pk, bank.pk]}
    text = shopkeeper.post(reverse("admin:shop_orders_order_changelist"), chosen, follow=True).content.decode()
    assert f"{unpaid.number}: 25.00 KES are still to be paid by Payment." in text
    assert "1 order changed." in text
    assert dict(Order.objects.values_list("pk", "status")) == {unpaid.pk: "pending", bank.pk: "confirmed"}


def test_payment_method_is_shown_in_the_list_on_the_page_and_on_the_slip(shopkeeper, place, memory_provider):
    card, door = place(provider="memory"), place(provider="on_delivery")
    listed = shopkeeper.get(reverse("admin:shop_orders_order_changelist")).content.decode()
    assert "Payment, not paid yet" in listed
    assert "Pay on delivery" in listed
    page = shopkeeper.get(reverse("admin:shop_orders_order_change", args=[card.pk])).content.decode()
    assert "Payment, not paid yet" in page
    slips = [
        " ".join(shopkeeper.get(reverse("admin:shop_orders_slip", args=[order.pk])).content.decode().split())
        for order in (card, door)
    ]
    assert ["Payment method: Payment" in slips[0], "To collect" in slips[0]] == [True, False]
    assert ["Payment method: Pay on delivery" in slips[1], "To collect: 25.00 KES" in slips[1]] == [True, True]
    payments.record_payment(door.pk)
    slip = shopkeeper.get(reverse("admin:shop_orders_slip", args=[door.pk])).content.decode()
    assert "To collect" not in slip


def test_refused_step_shows_a_message_and_changes_nothing(shopkeeper, place):
    order = place()
    page = step(shopkeeper, order, "deliver")
    assert "cannot become delivered" in page.content.decode()
    order.refresh_from_db()
    assert order.status == "confirmed"
    page = step(shopkeeper, order, "ship", line_1=99)
    assert page.status_code == 200
    assert order.shipments.count() == 0


def test_cancel_takes_a_reason(shopkeeper, place):
    order = place()
    assert "Reason" in shopkeeper.get(reverse("admin:shop_orders_step", args=[order.pk, "cancel"])).content.decode()
    step(shopkeeper, order, "cancel", reason="Sold out")
    order.refresh_from_db()
    assert (order.status, order.cancel_reason, Book.objects.get().on_hand) == ("cancelled", "Sold out", 10)


def test_unknown_step_is_not_found(shopkeeper, place):
    assert step(shopkeeper, place(), "steal").status_code == 404


def test_steps_need_their_permission(client, place):
    user = get_user_model().objects.create_user("test-staff", "staff@example.org", "pw", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "cancel_order"]))
    client.force_login(user)
    order = place()
    page = client.get(reverse("admin:shop_orders_order_change", args=[order.pk])).content.decode()
    assert "Cancel the order" in page
    assert "Start processing" not in page
    for name in ("process", "ship", "pay", "refund", "note"):
        assert step(client, order, name, text="x", amount="1").status_code == 403
    assert client.get(reverse("admin:shop_orders_slip", args=[order.pk])).status_code == 200


def test_anonymous_visitors_cannot_open_slip_or_step(client, place):
    order = place()
    for name, args in (("slip", [order.pk]), ("step", [order.pk, "cancel"])):
        assert client.get(reverse(f"admin:shop_orders_{name}", args=args)).status_code == 302


def test_admin_action_changes_what_it_can_and_reports_the_rest(shopkeeper, place):
    first, second = place(), place()
    lifecycle.cancel(second.pk)
    page = shopkeeper.post(
        reverse("admin:shop_orders_order_changelist"),
        {"action": "start_processing", "_selected_action": [first.pk, second.pk]},
        follow=True,
    ).content.decode()
    assert "1 order changed." in page
    assert f"{second.number}: An order that is cancelled cannot become processing." in page
    first.refresh_from_db()
    assert first.status == "processing"


def test_packing_slip_has_address_and_open_quantities_but_no_prices(shopkeeper, place):
    order = place(
        quantity=3,
        shipping_address={"name": "Test Customer", "line1": "1 Test Road", "city": "Nairobi", "country": "KE"},
    )
    page = shopkeeper.get(reverse("admin:shop_orders_slip", args=[order.pk])).content.decode()
    for text in (order.number, "1 Test Road", "Nairobi", "Trees of Kenya"):
        assert text in page
    assert "12.50" not in page
    assert '<link rel="stylesheet" href="/static/shop_orders/packing_slip.css">' in page
    assert finders.find("shop_orders/packing_slip.css")
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk, quantities={"978-1": 3})
    page = shopkeeper.get(reverse("admin:shop_orders_slip", args=[order.pk])).content.decode()
    assert '<tr class="packed">' in page


def test_orders_with_a_refund_due_can_be_filtered(shopkeeper, place, memory_provider):
    place(quantity=1)
    owed = place(quantity=2, provider="bank")
    payments.record_payment(owed.pk)
    url = reverse("admin:shop_orders_order_changelist")
    assert list(Order.objects.refund_due()) == []
    lifecycle.cancel(owed.pk)
    assert list(Order.objects.refund_due()) == [owed]
    page = shopkeeper.get(url, {"refund_due": "yes"}).content.decode()
    assert "1 order" in page
    assert owed.number in page
    payments.refund(owed.pk)
    assert list(Order.objects.refund_due()) == []


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1+1",
        "\uff0b1+1",
        "\uff0d1+1",
        "\uff20SUM(A1)",
        '=HYPERLINK("http://x")',
    ],
)
def test_export_escapes_spreadsheet_formulas(place, text):
    place()
    Order.objects.update(contact_name=text)
    rows = list(csv.DictReader(io.StringIO("".join(exports.orders_csv(Order.objects.all())))))
    assert rows[0]["name"] == f"'{text}"


def test_export_names_the_units_that_are_not_sent(place, other_book):
    order = place(quantity=3)
    lifecycle.cancel_units(order.pk, {"978-1": 2})
    place(quantity=1)
    rows = list(csv.DictReader(io.StringIO("".join(exports.orders_csv(Order.objects.order_by("id"))))))
    assert [(row["products"], row["products_not_sent"]) for row in rows] == [
        ("3 x 978-1", "2 x 978-1"),
        ("1 x 978-1", ""),
    ]


def test_export_streams_all_orders(shopkeeper, place, shop_settings, django_assert_num_queries):
    tax = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}}
    shop_settings(PRICING=[tax, {"BACKEND": "testproject.hooks.returned", "OPTIONS": {"charges": [LEVY]}}])
    orders = [place(quantity=1), place(quantity=2)]
    response = shopkeeper.post(
        reverse("admin:shop_orders_order_changelist"),
        {"action": "export_csv", "_selected_action": [order.pk for order in orders]},
    )
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert {(row["number"], row["net_total"], row["total"], row["products"]) for row in rows} == {
        (orders[0].number, "12.50", "15.00", "1 x 978-1"),
        (orders[1].number, "25.00", "29.50", "2 x 978-1"),
    }
    assert sorted(row["tax_lines"] for row in rows) == [
        "Tax 16%: 2.00 of 12.50; Levy: 0.50",
        "Tax 16%: 4.00 of 25.00; Levy: 0.50",
    ]
    with django_assert_num_queries(3):
        list(exports.orders_csv(Order.objects.all()))


def test_export_keeps_negative_amounts_as_numbers():
    assert exports._cell("-12.50") == "-12.50"
