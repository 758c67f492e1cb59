"""Bad input beside the API's bodies: the admin's addresses and lists, amounts of staff, large carts, many orders."""

from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse
from shop_orders import carts, checkout, customers, lifecycle, payments
from shop_orders.exceptions import InvalidAmount, TooManyLines
from shop_orders.models import CartItem, IdempotencyKey, Order, Payment, Refund
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

HOME = {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}


@pytest.fixture
def shopkeeper(client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    return client


def filters(model_admin, request):
    """The parameters of a list: Django's own, and those of its filters."""
    yield from ("q", "o", "p", "e", "all")
    for wanted in model_admin.get_list_filter(request):
        if isinstance(wanted, str):
            yield from (wanted, f"{wanted}__exact", f"{wanted}__gte", f"{wanted}__in", f"{wanted}__isnull")
        else:
            yield f"{wanted[0]}__exact" if isinstance(wanted, tuple) else wanted.parameter_name
    if model_admin.date_hierarchy:
        yield from (f"{model_admin.date_hierarchy}__{part}" for part in ("year", "month", "day", "gte"))


def test_odd_filters_of_every_list_are_no_error(shopkeeper, place, rf):
    place()
    request = rf.get("/")
    request.user = get_user_model().objects.get(username="test-admin")
    models = [model for model in admin.site._registry if model._meta.app_label == "shop_orders"]
    assert len(models) > 8
    wrong = []
    for model in models:
        url = reverse(f"admin:shop_orders_{model._meta.model_name}_changelist")
        for name in filters(admin.site._registry[model], request):
            for value in ("a\0b", "9" * 400):
                if value.isdigit() and not name.endswith(("__year", "__month", "__day", "__gte")):
                    continue
                status = shopkeeper.get(url, {name: value}).status_code
                if status not in (200, 302):
                    wrong.append((model.__name__, name, value[:5], status))
    assert wrong == []


def test_filter_with_nul_is_dropped(shopkeeper, place):
    response = shopkeeper.get(reverse("admin:shop_orders_order_changelist"), {"payment_provider": "\0"})
    assert (response.status_code, response["Location"].endswith("?e=1")) == (302, True)
    assert shopkeeper.get(response["Location"]).status_code == 200


def address_form(*addresses, kept=()):
    """The values of the customer's admin page with some addresses, the first ones stored already."""
    values = {"addresses-TOTAL_FORMS": len(addresses), "addresses-INITIAL_FORMS": len(kept)}
    for number, address in enumerate(addresses):
        values |= {f"addresses-{number}-{name}": value for name, value in address.items()}
    for number, row in enumerate(kept):
        values[f"addresses-{number}-id"] = row.pk
    return values


def save(client, customer, values):
    return client.post(reverse("admin:shop_orders_customer_change", args=[customer.pk]), values)


def defaults(customer):
    return list(customer.addresses.filter(is_default=True).values_list("city", flat=True))


def test_two_default_addresses_are_a_form_error(shopkeeper, customer):
    marked = {**HOME, "is_default": "on"}
    response = save(shopkeeper, customer, address_form(marked, {**marked, "city": "Mombasa"}))
    assert "Only one address can be the default." in response.content.decode()
    assert customer.addresses.count() == 0


@pytest.mark.parametrize("order", ["first", "second"])
def test_default_moves_to_another_address_in_one_save(shopkeeper, customer, order):
    rows = customers.set_addresses(customer, [{**HOME, "is_default": order == "first"}, {**HOME, "city": "Mombasa"}])
    old, new = ({**HOME}, {**HOME, "city": "Mombasa"})
    marked = [{**old, "is_default": "on"}, new] if order == "second" else [old, {**new, "is_default": "on"}]
    assert save(shopkeeper, customer, address_form(*marked, kept=rows)).status_code == 302
    assert defaults(customer) == (["Nairobi"] if order == "second" else ["Mombasa"])


def test_default_stays_when_another_address_is_added(shopkeeper, customer):
    rows = customers.set_addresses(customer, [HOME])
    values = address_form({**HOME, "is_default": "on"}, {**HOME, "city": "Mombasa"}, kept=rows)
    assert save(shopkeeper, customer, values).status_code == 302
    assert (defaults(customer), customer.addresses.count()) == (["Nairobi"], 2)


def test_marked_address_that_is_deleted_does_not_count(shopkeeper, customer):
    rows = customers.set_addresses(customer, [HOME])
    gone = {**HOME, "is_default": "on", "DELETE": "on"}
    values = address_form(gone, {**HOME, "city": "Mombasa", "is_default": "on"}, kept=rows)
    assert save(shopkeeper, customer, values).status_code == 302
    assert defaults(customer) == ["Mombasa"]


@pytest.mark.parametrize("amount", ["10.005", "0.001", "NaN", "Infinity", "1e12"])
def test_amounts_of_staff_are_never_rounded(place, memory_provider, amount):
    order = place(provider="bank")
    with pytest.raises(InvalidAmount):
        payments.record_payment(order.pk, amount=Decimal(amount))
    payments.record_payment(order.pk)
    with pytest.raises(InvalidAmount):
        payments.refund(order.pk, amount=Decimal(amount))
    order.refresh_from_db()
    assert (order.paid_amount, Refund.objects.count(), Payment.objects.count()) == (25, 0, 1)


@pytest.mark.parametrize("path", ["payments/", "refund/"])
def test_amount_with_too_many_decimals_is_refused_by_the_api(place, user, client, memory_provider, path):
    get_user_model().objects.update(is_superuser=True)
    order = place(provider="bank")
    if path == "refund/":
        payments.record_payment(order.pk)
    client.force_login(user)
    url = f"/api/orders/staff/orders/{order.number}/{path}"
    response = client.post(url, {"amount": "5.005"}, "application/json")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_amount")
    assert "at most 2 decimals" in response.json()["detail"]
    assert client.post(url, {"amount": "5.0000"}, "application/json").status_code == 200


def test_voucher_beyond_the_total_makes_a_free_order(place, user, client, shop_settings, book):
    voucher = {"BACKEND": "testproject.hooks.discount", "OPTIONS": {"share": "3"}}
    tax = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}}
    shop_settings(PRICING=[voucher, tax])
    client.force_login(user)
    client.post("/api/orders/cart/add_item/", {"product": book.isbn, "quantity": 2}, "application/json")
    cart = client.get("/api/orders/cart/").json()
    assert (cart["total"], cart["tax_total"]) == ("0.00", "0.00")
    placed = client.post("/api/orders/orders/", {"expected_total": "0.00"}, "application/json")
    assert (placed.status_code, placed.json()["total"], placed.json()["amount_due"]) == (201, "0.00", "0.00")
    assert all(Decimal(charge["amount"]) <= 0 for charge in placed.json()["charges"])


def filled(customer, lines):
    """A cart with lines that were never added one by one."""
    Book.objects.bulk_create(
        (Book(isbn=f"isbn-{number}", title="A book", sale_price=2, on_hand=9) for number in range(lines)),
        ignore_conflicts=True,
    )
    cart, _token = carts.find_or_open(customer=customer)
    CartItem.objects.bulk_create(
        CartItem(cart=cart, product_ref=f"isbn-{number}", quantity=1, name="A book", price_when_added=2)
        for number in range(lines)
    )
    return cart


def test_cart_of_5000_lines_gets_a_response(customer, user, client):
    cart = filled(customer, 5000)
    client.force_login(user)
    assert client.get("/api/orders/cart/").json()["item_count"] == 5000
    response = client.post("/api/orders/orders/", {"shipping_address": HOME}, "application/json")
    assert (response.status_code, response.json()["code"], response.json()["max_lines"]) == (
        422,
        "too_many_lines",
        500,
    )
    cart.refresh_from_db()
    assert (cart.is_open, Order.objects.count(), Book.objects.filter(on_hand=9).count()) == (True, 0, 5000)


def test_order_of_2000_lines_is_written_where_the_site_allows_it(customer, shop_settings):
    """Its INSERT and UPDATE have more parameters, and deeper conditions, than SQLite takes at once."""
    shop_settings(MAX_LINES=2000, MAX_UNPAID_UNITS=2000)
    order = checkout.place_order(filled(customer, 2000), shipping_address=HOME)
    assert (order.total, order.lines.count()) == (4000, 2000)
    assert Book.objects.filter(on_hand=8).count() == 2000
    stored = order.lines.model.objects.filter(order=order).order_by("position").values_list("pk", flat=True)
    assert [line.pk for line in order.lines.all()] == list(stored)


def test_further_product_is_refused_and_a_known_one_is_added(customer, book, user, client, shop_settings):
    shop_settings(MAX_LINES=3)
    cart = filled(customer, 3)
    for add in (carts.add_item, lambda _cart, ref: carts.add_to_cart(ref, customer=customer)):
        with pytest.raises(TooManyLines):
            add(cart, book.isbn)
    client.force_login(user)
    response = client.post("/api/orders/cart/add_item/", {"product": book.isbn}, "application/json")
    assert (response.status_code, response.json()["code"]) == (422, "too_many_lines")
    assert carts.add_item(cart, "isbn-1").quantity == 2
    carts.remove_item(cart, "isbn-2")
    assert carts.add_item(cart, book.isbn).quantity == 1


def test_merge_keeps_as_many_products_as_fit(customer, book, shop_settings):
    shop_settings(MAX_LINES=3)
    filled(customer, 3)
    _cart, token = carts.add_to_cart(book.isbn, 2)
    report = carts.merge(token, customer=customer)
    assert [(change.product, change.code, change.quantity) for change in report.changes] == [(book.isbn, "limited", 0)]
    assert report.cart.items.count() == 3


def test_customer_with_many_orders_is_anonymised(place, customer, shop_settings):
    """SQLite refuses a condition with more than a thousand parts."""
    first = place()
    lifecycle.cancel(first.pk)
    names = {field.name for field in Order._meta.fields} - {"id", "cart"}
    fields = {name: getattr(first, name) for name in names}
    first.refresh_from_db()
    fields |= {"status": "cancelled", "credited_amount": first.credited_amount}
    Order.objects.bulk_create(Order(**{**fields, "number": f"N-{number}"}) for number in range(1100))
    for number in ("N-7", "N-1099"):
        IdempotencyKey.objects.create(owner="user:1", route=f"staff_cancel {number}", key="k", digest="d")
    assert customers.anonymise(customer) == 1101
    assert (Order.objects.exclude(email="").count(), IdempotencyKey.objects.count()) == (0, 0)
