from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import django
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone
from shop_orders import carts, checkout, customers
from shop_orders.exceptions import (
    AmountTooLarge,
    CartEmpty,
    GuestCheckoutOff,
    InsufficientStock,
    InvalidAddress,
    InvalidInput,
    InvalidPhone,
    OrderNumberRefused,
    ProductsGone,
    TooManyUnpaidOrders,
    TotalChanged,
    UnknownPaymentProvider,
)
from shop_orders.models import Cart, Customer, Order, OrderEvent
from shop_orders.validators import OrderTooSmall
from testproject import hooks
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

ADDRESS = {"line1": "1 Test Road", "city": "Nairobi", "country": "ke", "phone": "0712 345 678"}


@pytest.fixture
def cart(customer, book):
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, "978-1", 2)
    return cart


def nothing_changed(cart):
    cart.refresh_from_db()
    return (
        Order.objects.count() == 0
        and cart.is_open
        and Book.objects.get(isbn="978-1").on_hand == 10
        and OrderEvent.objects.count() == 0
    )


def test_order_keeps_a_snapshot_of_products_charges_and_contact(cart, book, shop_settings):
    shop_settings(
        PRICING=[
            {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "3.00"}},
            {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}},
        ]
    )
    order = checkout.place_order(
        cart, contact=checkout.Contact(name="Test Customer", phone="0712345678"), shipping_address=ADDRESS, note="Ring"
    )
    Book.objects.all().delete()
    order = Order.objects.get(pk=order.pk)
    line = order.lines.get()
    assert (line.product_ref, line.sku, line.name, line.quantity) == ("978-1", "978-1", "Trees of Kenya", 2)
    assert (line.unit_price, line.line_total) == (Decimal("12.50"), Decimal("25.00"))
    assert [(charge.kind, charge.amount) for charge in order.charges.all()] == [
        ("shipping", Decimal("3.00")),
        ("tax", Decimal("4.48")),
    ]
    assert (order.subtotal, order.charges_total, order.tax_total) == (25, Decimal("7.48"), Decimal("4.48"))
    assert (order.net_total, order.total) == (28, Decimal("32.48"))
    assert order.phone == "+254712345678"
    assert order.email == "customer@example.org"
    assert order.shipping_address["country"] == "KE"
    assert order.shipping_address["phone"] == "+254712345678"
    assert order.customer_note == "Ring"


def test_checkout_takes_stock_and_closes_the_cart(cart):
    order = checkout.place_order(cart)
    cart.refresh_from_db()
    assert Book.objects.get().on_hand == 8
    assert (cart.status, order.cart) == (Cart.Status.ORDERED, cart)


def test_second_checkout_returns_the_same_order(cart):
    first = checkout.place_order(cart)
    second = checkout.place_order(Cart.objects.get(pk=cart.pk))
    assert first == second
    assert Order.objects.count() == 1
    assert Book.objects.get().on_hand == 8


def test_database_allows_one_order_per_cart(cart, place):
    order = checkout.place_order(cart)
    order.pk, order.number = None, "other"
    with pytest.raises(IntegrityError), transaction.atomic():
        order.save(force_insert=True)


def test_changed_total_is_refused_with_the_current_total(cart):
    with pytest.raises(TotalChanged) as refusal:
        checkout.place_order(cart, expected_total=Decimal("24.99"))
    assert refusal.value.total == Decimal("25.00")
    assert nothing_changed(cart)


def test_expected_total_may_have_more_decimals(cart):
    assert checkout.place_order(cart, expected_total=Decimal("25.0000")).total == 25


def test_shortage_is_reported_and_nothing_changes(cart):
    Book.objects.update(on_hand=1)
    with pytest.raises(InsufficientStock) as refusal:
        checkout.place_order(cart)
    assert refusal.value.shortages == {"978-1": 1}
    Book.objects.update(on_hand=10)
    assert nothing_changed(cart)


def test_shortage_found_by_reserve_undoes_everything(cart, settings, shop_settings):
    options = settings.SHOP_ORDERS["PRODUCT_SOURCE"]["OPTIONS"]
    shop_settings(PRODUCT_SOURCE={"BACKEND": "testproject.hooks.RacingSource", "OPTIONS": options})
    with pytest.raises(InsufficientStock):
        checkout.place_order(cart)
    assert nothing_changed(cart)


def test_unlisted_product_is_refused_and_nothing_changes(cart):
    Book.objects.update(is_listed=False)
    with pytest.raises(ProductsGone):
        checkout.place_order(cart)
    assert nothing_changed(cart)


def test_empty_cart_is_refused(customer):
    cart, _token = carts.find_or_open(customer=customer)
    with pytest.raises(CartEmpty):
        checkout.place_order(cart)


def test_validator_refuses_inside_the_transaction(cart, shop_settings):
    shop_settings(
        VALIDATORS=[{"BACKEND": "shop_orders.validators.minimum_order_value", "OPTIONS": {"amount": "25.01"}}]
    )
    with pytest.raises(OrderTooSmall, match=r"25\.01 KES"):
        checkout.place_order(cart)
    assert nothing_changed(cart)


def test_unknown_provider_is_refused(cart):
    with pytest.raises(UnknownPaymentProvider):
        checkout.place_order(cart, provider="gold")
    assert nothing_changed(cart)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ({"line1": "1 Test Road"}, InvalidAddress),
        ({**ADDRESS, "country": "Kenya"}, InvalidAddress),
        ({**ADDRESS, "phone": "12"}, InvalidPhone),
    ],
)
def test_unusable_address_is_refused(cart, address, error):
    with pytest.raises(error):
        checkout.place_order(cart, shipping_address=address)
    assert nothing_changed(cart)


def test_customers_default_address_is_used(cart, customer):
    customers.set_addresses(customer, [{**ADDRESS, "label": "home"}])
    assert checkout.place_order(cart).shipping_address["city"] == "Nairobi"


def test_guest_becomes_a_customer_without_user(book):
    cart, _token = carts.find_or_open()
    carts.add_item(cart, "978-1", 1)
    order = checkout.place_order(cart, contact=checkout.Contact(name="Test Guest Person", phone="+254 712 345 678"))
    guest = order.customer
    assert (guest.user, guest.first_name, guest.last_name) == (None, "Test", "Guest Person")
    assert (order.email, order.phone) == ("", "+254712345678")


@pytest.mark.parametrize(
    "contact",
    [
        {},
        {"name": "Nobody"},
        {"email": "not-an-address"},
        {"email": "ann@localhost"},
        {"email": "adm\u017fn@example.org"},
        {"email": "ann@example.org\x00"},
        {"email": "a" * 65 + "@example.org"},
        {"email": "ann@example.org."},
        {"phone": "123"},
    ],
)
def test_guest_must_be_reachable(book, contact):
    cart, _token = carts.find_or_open()
    carts.add_item(cart, "978-1", 1)
    with pytest.raises(InvalidInput):
        checkout.place_order(cart, contact=checkout.Contact(**contact))
    assert nothing_changed(cart)
    assert Customer.objects.count() == 0


def test_guest_has_other_letters_before_the_at_if_mail_can_be_sent_to_them(book):
    cart, _token = carts.find_or_open()
    carts.add_item(cart, "978-1", 1)
    contact = checkout.Contact(email="jörg@example.org")
    with override_settings(**mail_backend("django.core.mail.backends.smtp.EmailBackend")):
        with pytest.raises(InvalidInput, match="plain letters"):
            checkout.place_order(cart, contact=contact)
        with pytest.raises(ValidationError, match="plain letters"):
            Customer(email="jörg@example.org").full_clean()
    assert nothing_changed(cart)

    order = checkout.place_order(cart, contact=contact)

    assert (order.email, order.email_key) == ("jörg@example.org", "jörg@example.org")
    assert modelform_factory(Customer, fields=["email"])({"email": "иван@example.org"}).is_valid()


def mail_backend(path):
    return {"MAILERS": {"default": {"BACKEND": path}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": path}


def test_guest_checkout_can_be_switched_off(book, shop_settings):
    shop_settings(GUEST_CHECKOUT=False)
    cart, _token = carts.find_or_open()
    carts.add_item(cart, "978-1", 1)
    with pytest.raises(GuestCheckoutOff):
        checkout.place_order(cart, contact=checkout.Contact(email="guest@example.org"))
    assert nothing_changed(cart)


def test_pay_on_delivery_confirms_at_placement_and_sends_both_signals(
    cart, announced, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        order = checkout.place_order(cart)
    assert order.status == "confirmed"
    assert order.expires_at is None
    assert [(name, payload["new_status"], payload["at_placement"]) for name, payload, _rest in announced] == [
        ("order_placed", "pending", True),
        ("order_status_changed", "confirmed", True),
    ]


def test_order_with_online_payment_is_pending_and_has_a_deadline(place, memory_provider):
    order = place(provider="memory")
    assert order.status == "pending"
    assert timedelta(minutes=29) < order.expires_at - timezone.now() <= timedelta(minutes=30)


def test_free_order_is_paid_and_confirmed(cart, shop_settings):
    Book.objects.update(sale_price=0)
    order = checkout.place_order(cart)
    assert (order.total, order.payment_status, order.status) == (0, "paid", "confirmed")


def test_unpaid_orders_are_limited(place, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=2)
    place(provider="memory", quantity=1)
    place(provider="memory", quantity=1)
    with pytest.raises(TooManyUnpaidOrders):
        place(provider="memory", quantity=1)
    assert Order.objects.count() == 2
    assert Book.objects.get().on_hand == 8


def test_unpaid_orders_of_a_guest_are_counted_by_contact(guest_order, memory_provider, shop_settings):
    shop_settings(MAX_UNPAID_ORDERS=1)
    guest_order(provider="memory")
    with pytest.raises(TooManyUnpaidOrders):
        guest_order(provider="memory")
    guest_order(provider="memory", email="another@example.org")
    assert Order.objects.count() == 2


def test_number_that_is_in_use_is_replaced_by_another(cart, place, shop_settings):
    first = checkout.place_order(cart)
    hooks.NUMBERS[:] = [first.number, first.number, "FRESH-00000"]
    shop_settings(ORDER_NUMBER="testproject.hooks.scripted_number")
    assert place().number == "FRESH-00000"


def test_checkout_fails_after_five_numbers_that_are_in_use(cart, place, shop_settings, caplog):
    first = checkout.place_order(cart)
    hooks.NUMBERS[:] = [first.number] * 5
    shop_settings(ORDER_NUMBER="testproject.hooks.scripted_number")
    with pytest.raises(OrderNumberRefused):
        place()
    assert "hooks.scripted_number) returned" in caplog.text
    assert "It is taken" in caplog.text
    assert Book.objects.get().on_hand == 8


@pytest.mark.parametrize(
    "number",
    ["", " ", "A B", "A\n", "A\0", "2026/1", "A\\1", "A?1", "A#1", "A%1", ".", "..", "A\u202e1", "x" * 41, None, 1000],
)
def test_number_that_cannot_be_part_of_a_url_is_refused(cart, shop_settings, caplog, number):
    hooks.NUMBERS[:] = [number]
    shop_settings(ORDER_NUMBER="testproject.hooks.scripted_number")
    with pytest.raises(OrderNumberRefused) as caught:
        checkout.place_order(cart)
    assert caught.value.code == "order_number_refused"
    assert "hooks.scripted_number) returned" in caplog.text
    assert (Order.objects.count(), Book.objects.get().on_hand) == (0, 10)
    cart.refresh_from_db()
    assert cart.is_open


@pytest.mark.parametrize("number", ["B-1000", "№7", "2026.1", "Ä" * 40, "a&b=c;d+e:@'\"<>"])
def test_number_that_can_be_part_of_a_url_is_used(cart, client, user, shop_settings, number):
    hooks.NUMBERS[:] = [number]
    shop_settings(ORDER_NUMBER="testproject.hooks.scripted_number")
    order = checkout.place_order(cart)
    client.force_login(user)
    path = f"/api/orders/orders/{quote(order.number)}/"
    assert client.get(path).json()["number"] == number


def test_total_too_large_for_its_column_is_refused(cart, shop_settings):
    Book.objects.update(sale_price=Decimal("99999999.99"), on_hand=999)
    carts.set_quantity(cart, "978-1", 999)
    with pytest.raises(AmountTooLarge):
        checkout.place_order(cart)
    assert Order.objects.count() == 0


def test_statement_count_does_not_depend_on_the_lines(customer):
    books = [
        Book.objects.create(isbn=f"isbn-{number}", title="A book", sale_price=Decimal("1.10"), on_hand=50)
        for number in range(40)
    ]
    counts = []
    for lines in (1, 3, 40):
        cart, _token = carts.find_or_open(customer=customer)
        for book in books[:lines]:
            carts.add_item(cart, book.isbn, 1)
        with CaptureQueriesContext(connection) as queries:
            order = checkout.place_order(cart)
        assert order.lines.count() == lines
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]
