"""Lines of carts and orders with options that a buyer typed: several lines of one product."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import Client
from shop_orders import carts, checkout, crediting, customers, lifecycle, payments
from shop_orders.admin.exports import orders_csv
from shop_orders.carts import Contents
from shop_orders.exceptions import (
    AmbiguousLine,
    InsufficientStock,
    InvalidInput,
    InvalidOptions,
    InvalidQuantity,
    NothingToShip,
    UnknownLine,
)
from shop_orders.models import CartItem, Order, OrderEvent
from shop_orders.models import options as line_options
from shop_orders.personal_data.exporting import export_personal_data
from shop_orders.personal_data.people import person_of_customer
from shop_orders.testing.source_races import at_once
from testproject.books.models import Book

REF = "978-1"
ANNA, BEN = {"Engraving": "Anna"}, {"Engraving": "Ben"}


@pytest.fixture
def engraved(shop_settings, settings):
    options = settings.SHOP_ORDERS["PRODUCT_SOURCE"]["OPTIONS"]
    names = {"line_options": "engravings", "groups": "shelves", "needs_delivery": "is_printed"}
    source = {"BACKEND": "testproject.engraving.EngravingSource", "OPTIONS": {**options, **names}}
    shop_settings(PRODUCT_SOURCE=source)
    return source


@pytest.fixture
def cart(engraved, book, customer):
    """Three lines of one product, 2 + 3 + 1 units, and one of another."""
    found, _token = carts.find_or_open(customer=customer)
    for options, units in ((ANNA, 2), (BEN, 3), ({}, 1)):
        carts.add_item(found, REF, units, options=options)
    Book.objects.create(isbn="978-2", title="Birds of Kenya", sale_price=Decimal("7.20"), on_hand=5)
    carts.add_item(found, "978-2")
    return found


@pytest.fixture
def order(cart, bank):
    """The order of that cart, paid and being packed."""
    placed = checkout.place_order(cart, provider="bank")
    payments.record_payment(placed.pk, amount=placed.total)
    lifecycle.start_processing(placed.pk)
    return Order.objects.select_related("customer").get(pk=placed.pk)


@pytest.fixture
def bank(shop_settings):
    shop_settings(
        PAYMENT_PROVIDERS={
            "bank": {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "KE12"}}
        }
    )


def lines_of(cart):
    return [(item.product_ref, item.options, item.quantity) for item in cart.items.all()]


def on_hand(ref=REF):
    return Book.objects.get(isbn=ref).on_hand


def test_equal_options_share_a_line_and_others_make_a_new_one(engraved, book, customer):
    cart, _token = carts.add_to_cart(REF, customer=customer, options={"Engraving": "Zoé", "Date": "1 May"})
    again = {"Date": " 1 May\t", "Engraving": "Zoe\u0301"}  # another order, blanks, and another normal form
    carts.add_item(cart, REF, 2, options=again)
    carts.add_item(cart, REF, options={"Engraving": "Zoé", "Date": ""})
    carts.add_item(cart, REF)
    carts.add_item(cart, REF, options={"Engraving": "  "})
    assert lines_of(cart) == [
        (REF, {"Date": "1 May", "Engraving": "Zoé"}, 3),
        (REF, {"Engraving": "Zoé"}, 1),
        (REF, {}, 2),
    ]
    assert len({item.line for item in cart.items.all()}) == 3


def test_database_refuses_two_equal_lines(cart):
    item = cart.items.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        CartItem.objects.create(
            cart=cart,
            product_ref=REF,
            options_digest=item.options_digest,
            quantity=1,
            name="x",
            price_when_added=1,
        )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({f"k{number}": "x" for number in range(11)}, "at most 10"),
        ({"Engraving": "😀" * 510}, "2048 bytes"),
        ({"Engraving": "a\x00b"}, "stored"),
        ({"Engraving": "a\ud800"}, "stored"),
        ({"Engraving": "a\x1bb"}, "invisible"),
        ({"Engraving": "a\u202eb"}, "invisible"),
        ({"Engraving": "a\u2028b"}, "invisible"),
        *(({"Engraving": f"a{invisible}b"}, "invisible") for invisible in "\xad\u180e\u200b\u2060\ufeff"),
        ({"Engraving": 7}, "is text"),
        ({"": "x"}, "1 to 50"),
        ({"x" * 51: "x"}, "1 to 50"),
        ({"a\nb": "x"}, "1 to 50"),
        ({"items": "x"}, "1 to 50"),
        ({"Engraving": "x", " Engraving": "y"}, "twice"),
        ({"Colour": "red"}, "Engraving, Date"),
        ({"Engraving": "damn"}, "kinder"),
    ],
)
def test_options_that_are_not_possible_are_refused(engraved, book, customer, options, reason):
    with pytest.raises(InvalidOptions, match=reason) as caught:
        carts.add_to_cart(REF, customer=customer, options=options)
    assert caught.value.extra["product"] == REF
    assert not CartItem.objects.exists()


def test_text_without_a_visible_character_is_empty(engraved, book, customer):
    marks = "\u200c\u200d\u200e\u200f\u061c\u3164\u115f"
    cart, _token = carts.add_to_cart(REF, customer=customer, options={"Engraving": f" {marks} "})
    carts.add_item(cart, REF)
    assert lines_of(cart) == [(REF, {}, 2)]
    kept = {
        "Engraving": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f468\u200d\U0001f469\u200d\U0001f467"
    }  # Persian, a family
    assert carts.add_item(cart, REF, options=kept).options == kept


def test_longest_options_and_line_feeds_are_kept(engraved, book, customer):
    text = "line 1\r\nline 2" + "😀" * 450
    cart, _token = carts.add_to_cart(REF, customer=customer, options={"Engraving": text})
    assert cart.items.get().options == {"Engraving": text.replace("\r\n", "\n")}


def test_product_without_options_says_so(book, customer):
    with pytest.raises(InvalidOptions, match="Add it without options") as caught:
        carts.add_to_cart(REF, customer=customer, options=ANNA)
    assert caught.value.extra == {"product": REF, "takes": []}


def test_limits_and_stock_count_all_lines_of_a_product(cart, shop_settings):
    assert on_hand() == 10
    with pytest.raises(InsufficientStock):
        carts.add_item(cart, REF, 5, options={"Engraving": "Cleo"})
    with pytest.raises(InsufficientStock):
        carts.set_line_quantity(cart, cart.items.first().line, 7)
    shop_settings(MAX_QUANTITY=7)
    with pytest.raises(InvalidQuantity):
        carts.add_item(cart, REF, 2, options=ANNA)
    assert carts.add_item(cart, REF, 1, options=ANNA).quantity == 3
    view, _token = carts.add_and_view(
        Contents(customer=cart.customer, cart=cart, items=tuple(cart.items.all())), "978-2"
    )
    assert view.item_count == 9
    Book.objects.filter(isbn=REF).update(on_hand=6)
    view = carts.view(cart, customer=cart.customer)
    assert [line.changes for line in view.lines] == [("short",)] * 3 + [()]
    assert view.shortages() == {REF: 6}
    assert not view.can_be_ordered
    with pytest.raises(InsufficientStock) as caught:
        checkout.place_order(cart, provider="on_delivery")
    assert caught.value.shortages == {REF: 6}


def test_line_is_chosen_by_its_id_or_by_a_product_that_only_it_has(cart):
    anna, ben, plain, _other = cart.items.all()
    with pytest.raises(AmbiguousLine) as caught:
        carts.set_quantity(cart, REF, 1)
    assert caught.value.extra["lines"][0] == {"line": anna.line, "quantity": 2, "options": ANNA}
    with pytest.raises(AmbiguousLine):
        carts.remove_item(cart, REF)
    with pytest.raises(UnknownLine):
        carts.set_line_quantity(cart, "no-such", 1)
    assert carts.set_line_quantity(cart, ben.line, 4).quantity == 4
    carts.remove_line(cart, anna.line)
    carts.remove_line(cart, anna.line)
    carts.set_line_quantity(cart, plain.line, 0)
    carts.set_quantity(cart, REF, 2)
    assert lines_of(cart) == [(REF, BEN, 2), ("978-2", {}, 1)]


def test_api_names_lines(engraved, book, user):
    client = Client(headers={"Authorization": f"Bearer user-{user.pk}"})

    def call(method, path, body):
        return getattr(client, method)(f"/api/orders/cart/{path}/", body, "application/json")

    first = call("post", "add_item", {"product": REF, "options": ANNA}).json()["lines"][0]
    call("post", "add_item", {"product": REF, "options": {"Engraving": "<b>=1+1</b>"}})
    refused = call("patch", "update_quantity", {"product": REF, "quantity": 3})
    assert (refused.status_code, refused.json()["code"]) == (409, "ambiguous_line")
    assert [row["options"] for row in refused.json()["lines"]] == [ANNA, {"Engraving": "<b>=1+1</b>"}]
    assert call("delete", "remove_item", {"product": REF}).status_code == 409
    changed = call("patch", "update_quantity", {"line": first["line"], "quantity": 3}).json()
    assert [line["quantity"] for line in changed["lines"]] == [3, 1]
    assert client.delete(f"/api/orders/cart/remove_item/?line={first['line']}").json()["item_count"] == 1
    assert call("delete", "remove_item", {"product": REF}).json()["lines"] == []
    for body in ({"quantity": 1}, {"line": "nope", "quantity": 1}):
        assert call("patch", "update_quantity", body).status_code == 422
    too_many = call("post", "add_item", {"product": REF, "options": {"Colour": "red"}})
    assert (too_many.status_code, too_many.json()["code"]) == (422, "invalid_options")
    assert too_many.json()["takes"] == ["Engraving", "Date"]


def test_order_keeps_the_lines_and_their_options(order, announced):
    assert [(row.line, row.product_ref, row.options, row.quantity) for row in order.lines.all()] == [
        ("#1", REF, ANNA, 2),
        ("#2", REF, BEN, 3),
        ("#3", REF, {}, 1),
        ("#4", "978-2", {}, 1),
    ]
    assert on_hand() == 4
    placed = OrderEvent.objects.get(order=order, kind="placed").payload
    assert [line["options"] for line in placed["order"]["lines"]] == [ANNA, BEN, {}, {}]


def test_hooks_and_validators_see_the_options(cart, shop_settings):
    draft = carts.view(cart, customer=cart.customer).draft
    assert [(line.key, line.options) for line in draft.lines] == [("#1", ANNA), ("#2", BEN), ("#3", {}), ("978-2", {})]
    assert draft.lines[0].groups == ("signed", "fragile")
    assert draft.needs_delivery


def test_cart_of_goods_that_need_no_delivery_says_so(engraved, customer):
    Book.objects.create(isbn="ebook-1", title="Trees as a file", sale_price=Decimal(5), on_hand=5)
    cart, _token = carts.add_to_cart("ebook-1", customer=customer)
    assert not carts.view(cart, customer=customer).needs_delivery


def test_charges_are_divided_by_line(cart, shop_settings):
    shop_settings(
        PRICING=[
            "testproject.hooks.engraving",
            {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}},
        ]
    )
    placed = checkout.place_order(cart, provider="on_delivery")
    rows = [(row.discount, row.net, row.tax) for row in placed.lines.all()]
    assert rows == [
        (Decimal("-1.0000"), Decimal("24.0000"), Decimal("3.8400")),  # its share of -3 for 978-1, by price
        (Decimal("-1.5000"), Decimal("36.0000"), Decimal("5.7600")),
        (Decimal("-0.5000"), Decimal("12.0000"), Decimal("1.9200")),
        (Decimal("0.0000"), Decimal("7.2000"), Decimal("1.1500")),
    ]
    (tax,) = placed.tax_lines
    assert tax.lines == {"#1": "3.84", "#2": "5.76", "#3": "1.92", "978-2": "1.15"}
    assert crediting.parts(placed, {"#2": 1}, shipping=False)[0].amount == Decimal("13.92")


def test_parcels_name_lines(order):
    with pytest.raises(AmbiguousLine):
        lifecycle.ship(order.pk, quantities={REF: 1})
    with pytest.raises(NothingToShip):
        lifecycle.ship(order.pk, quantities={"#2": 4})
    with pytest.raises(NothingToShip):
        lifecycle.ship(order.pk, quantities={"#9": 1})
    shipment = lifecycle.ship(order.pk, quantities={"#2": 2, "978-2": 1})
    assert [(row.order_line.line, row.quantity) for row in shipment.lines.all()] == [("#2", 2), ("#4", 1)]
    assert [row.shipped_quantity for row in order.lines.all()] == [0, 2, 0, 1]


def test_refunds_cancellations_and_returns_name_lines(order):
    lifecycle.ship(order.pk, quantities={"#1": 2})
    with pytest.raises(AmbiguousLine):
        payments.refund(order.pk, lines={REF: 1})
    payments.refund(order.pk, lines={"#1": 1}, restock={"#1": 1})
    payments.refund(order.pk, lines={"#2": 2})
    with pytest.raises(InvalidInput):
        payments.refund(order.pk, lines={"#1": 2})
    lifecycle.cancel_units(order.pk, {"#3": 1})
    with pytest.raises(AmbiguousLine):
        lifecycle.restock(order.pk, {REF: 1})
    lifecycle.restock(order.pk, {"#1": 1})
    rows = [(row.shipped_quantity, row.cancelled_quantity, row.restocked_quantity) for row in order.lines.all()]
    assert rows == [(2, 0, 2), (0, 2, 0), (0, 1, 0), (0, 0, 0)]
    assert crediting.credited_units(order) == {"#1": 1, "#2": 2, "#3": 1}
    assert on_hand() == 4 + 2 + 2 + 1


def test_cancelling_gives_all_lines_back(order):
    lifecycle.cancel(order.pk)
    assert (on_hand(), on_hand("978-2")) == (10, 5)
    lifecycle.reinstate(order.pk)
    assert on_hand() == 4


def test_staff_api_and_admin_name_lines(order, admin_client):
    admin = get_user_model().objects.get(is_superuser=True)
    client = Client(headers={"Authorization": f"Bearer user-{admin.pk}"})
    url = f"/api/orders/staff/orders/{order.number}/"
    refused = client.post(f"{url}ship/", {"lines": [{"product": REF, "quantity": 1}]}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "ambiguous_line")
    sent = client.post(f"{url}ship/", {"lines": [{"line": "#2", "quantity": 3}]}, "application/json").json()
    assert sent["shipments"][0]["lines"] == [
        {"line": "#2", "product": REF, "name": "Trees of Kenya", "options": BEN, "quantity": 3}
    ]
    page = admin_client.get(f"/admin/shop_orders/order/{order.pk}/change/").content.decode()
    assert "Engraving: Anna" in page
    form = admin_client.get(f"/admin/shop_orders/order/{order.pk}/step/refund/").content.decode()
    assert "Refund: Trees of Kenya (Engraving: Ben)" in form
    assert "Engraving: Anna" in admin_client.get(f"/admin/shop_orders/order/{order.pk}/slip/").content.decode()


def test_options_are_escaped_and_no_formulas(engraved, book, customer, admin_client):
    cart, _token = carts.add_to_cart(REF, customer=customer, options={"Engraving": "<script>=1+1</script>"})
    placed = checkout.place_order(cart, provider="on_delivery")
    for path in ("change", "slip"):
        page = admin_client.get(f"/admin/shop_orders/order/{placed.pk}/{path}/").content.decode()
        assert "<script>=1+1" not in page
        assert "&lt;script&gt;=1+1" in page
    rows = list(orders_csv(Order.objects.all()))
    assert "978-1: Engraving: <script>=1+1</script>" in rows[1]
    Book.objects.filter(isbn=REF).update(isbn="=1+1")
    placed.lines.update(sku="=1+1")
    assert ",'=1+1: Engraving" in list(orders_csv(Order.objects.all()))[1]


def test_merging_joins_equal_lines_and_limits_the_product(cart, shop_settings):
    guest, token = carts.add_to_cart(REF, 2, options=BEN)
    carts.add_item(guest, REF, 4, options={"Engraving": "Cleo"})
    shop_settings(MAX_QUANTITY=9)
    report = carts.merge(token, customer=cart.customer)
    assert lines_of(cart) == [
        (REF, ANNA, 2),
        (REF, BEN, 5),
        (REF, {}, 1),
        ("978-2", {}, 1),
        (REF, {"Engraving": "Cleo"}, 1),
    ]
    assert [(row.code, row.options, row.was, row.quantity) for row in report.changes] == [
        ("quantity_changed", BEN, 3, 5),
        ("limited", {"Engraving": "Cleo"}, 0, 1),
    ]
    assert not CartItem.objects.filter(cart=guest).exists()


def test_merged_lines_beyond_the_stock_are_short(cart):
    _guest, token = carts.add_to_cart(REF, 5, options=BEN)
    carts.merge(token, customer=cart.customer)
    view = carts.view(cart, customer=cart.customer)
    assert [line.changes for line in view.lines] == [("short",)] * 3 + [()]
    with pytest.raises(InsufficientStock):
        checkout.place_order(cart, provider="on_delivery")
    assert on_hand() == 10


def test_options_that_the_source_no_longer_takes_stop_the_order(cart, shop_settings, engraved):
    options = {name: value for name, value in engraved["OPTIONS"].items() if name != "line_options"}
    shop_settings(PRODUCT_SOURCE={**engraved, "OPTIONS": options})
    view = carts.view(cart, customer=cart.customer)
    assert [line.changes for line in view.lines] == [("options_refused",), ("options_refused",), (), ()]
    with pytest.raises(InvalidOptions):
        checkout.place_order(cart, provider="on_delivery")
    for line in view.lines[:2]:
        carts.remove_line(cart, line.line)
    assert carts.view(cart, customer=cart.customer).can_be_ordered


def test_source_may_say_the_most_units(cart, shop_settings, engraved):
    limited = {**engraved, "OPTIONS": {**engraved["OPTIONS"], "max_quantity": "at_most"}}
    carts.add_item(cart, REF, 3, options=ANNA)
    shop_settings(PRODUCT_SOURCE=limited)
    view = carts.view(cart, customer=cart.customer)
    assert [line.changes for line in view.lines] == [("too_many",)] * 3 + [()]
    with pytest.raises(InvalidQuantity, match="At most 8 of “Trees of Kenya”"):
        checkout.place_order(cart, provider="on_delivery")
    carts.set_line_quantity(cart, cart.items.first().line, 4)
    with pytest.raises(InvalidQuantity, match="At most 8"):
        carts.add_item(cart, REF, options=BEN)
    assert carts.view(cart, customer=cart.customer).can_be_ordered


def test_options_are_exported_and_erased(order, customer):
    anna = export_personal_data(person_of_customer(customer))["customers"][0]["orders"][0]["lines"][0]
    assert anna["options"] == ANNA
    lifecycle.ship(order.pk)
    lifecycle.deliver(order.pk)
    customers.anonymise(order.customer)
    assert all(row.options == {} for row in order.lines.all())
    assert all("Anna" not in str(row.payload) for row in OrderEvent.objects.filter(order=order))
    assert not CartItem.objects.filter(cart=order.cart).exclude(options={}).exists()
    payments.refund(order.pk, lines={"#2": 1})  # lines are still known by their numbers
    assert crediting.credited_units(order) == {"#2": 1}


def test_second_order_of_a_cart_is_the_first_one(cart):
    first = checkout.place_order(cart, provider="on_delivery")
    assert checkout.place_order(cart, provider="on_delivery") == first
    assert on_hand() == 4


def test_text_of_options_is_one_line():
    assert line_options.as_text({"Engraving": "For\nAnna", "Date": "1 May"}) == "Engraving: For Anna; Date: 1 May"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("For Anna; Date: 1 May", '"For Anna; Date: 1 May"'),
        ("For Anna;\nDate: 1 May", '"For Anna; Date: 1 May"'),
        ('For "Anna"; Date', '"For ""Anna""; Date"'),
        ("For Anna\uff1b Date: 1 May", '"For Anna\uff1b Date: 1 May"'),
        ("x | 978-2: Engraving: y", '"x | 978-2: Engraving: y"'),
        ("For Anna: 1 May", "For Anna: 1 May"),
    ],
)
def test_text_that_a_buyer_typed_does_not_look_like_another_option(typed, shown):
    assert line_options.as_text({"Engraving": typed, "Gift": "yes"}) == f"Engraving: {shown}; Gift: yes"


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_add_other_options_at_once_do_not_exceed_the_limit(engraved, book, customer, shop_settings):
    shop_settings(MAX_QUANTITY=3)
    cart, _token = carts.find_or_open(customer=customer)
    names = [f"name {number}" for number in range(6)]
    results = at_once([lambda name=name: carts.add_item(cart, REF, options={"Engraving": name}) for name in names])
    assert sum(isinstance(result, CartItem) for result in results) == 3
    assert sum(isinstance(result, InvalidQuantity) for result in results) == 3
    assert sorted(quantity for _ref, _options, quantity in lines_of(cart)) == [1, 1, 1]


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_add_the_same_options_at_once_make_one_line(engraved, book, customer):
    cart, _token = carts.find_or_open(customer=customer)
    at_once([lambda: carts.add_item(cart, REF, options=ANNA)] * 4)
    assert lines_of(cart) == [(REF, ANNA, 4)]
