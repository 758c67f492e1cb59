"""A pricing hook whose charges are impossible or do not add up: the order is refused and the hook is named."""

import logging
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest
from django.utils.functional import lazy
from shop_orders import carts, checkout
from shop_orders.exceptions import AmountTooLarge, CheckoutRefused, PricingFailed
from shop_orders.models import Order
from shop_orders.pricing import Charge, Draft, DraftLine, InvalidCharge, price
from testproject.books.models import Book

RETURNED = "testproject.hooks.returned"
LINE = DraftLine(product_ref="a", sku="a", name="A", quantity=2, unit_price=Decimal(50))
INCLUDING = DraftLine(product_ref="a", sku="a", name="A", quantity=1, unit_price=Decimal(10), price_includes_tax=True)


def hook(*charges):
    return {"BACKEND": RETURNED, "OPTIONS": {"charges": charges}}


def charge(kind, amount, **fields):
    return partial(Charge, kind=kind, label="Extra", amount=amount, **fields)


@pytest.fixture
def refused(shop_settings, caplog):
    """Price a draft with hooks of which one is refused. Returns the error."""

    def run(*hooks, lines=(LINE,)):
        shop_settings(PRICING=[*hooks])
        with pytest.raises(PricingFailed) as caught:
            price(Draft(lines=lines, currency="KES"))
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert caught.value.hook in caplog.text
        assert caught.value.problem in caplog.text
        return caught.value

    return run


@pytest.mark.parametrize(
    "amount",
    [
        *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), 1.5, "1", None, True),
        *(Decimal(10) ** 10, Decimal("1E+400"), -(Decimal(10) ** 30), Decimal("9" * 29)),
    ],
)
@pytest.mark.parametrize("kind", ["tax", "shipping", "fee", "discount"])
def test_amount_that_no_column_holds_is_refused_with_the_hooks_name(refused, kind, amount):
    error = refused(hook(charge(kind, amount)))
    assert error.hook == RETURNED
    assert repr(amount) in error.problem
    assert RETURNED in str(error)


@pytest.mark.parametrize("kind", ["tax", "shipping", "fee"])
def test_negative_charge_is_refused(refused, kind):
    assert (
        refused(hook(charge(kind, Decimal("-0.01")))).problem == f"the amount -0.01 of a {kind} must not be negative"
    )


def test_positive_discount_is_refused(refused):
    assert "of a discount must not be above zero" in refused(hook(charge("discount", Decimal(1)))).problem


@pytest.mark.parametrize(
    ("charges", "named"),
    [
        ([object], "is not a Charge"),
        ([charge("gift", Decimal(1))], "kind='gift'"),
        ([charge("fee", Decimal(1), is_included=True)], "a fee has is_included=True"),
        ([charge("shipping", Decimal(1), rate=Decimal("0.16"))], "a shipping has rate"),
        ([charge("tax", Decimal(16), rate=Decimal("-0.16"))], "rate=Decimal('-0.16')"),
        ([charge("tax", Decimal(16), rate=16)], "rate=16"),
        ([charge("tax", Decimal(16), rate=Decimal("NaN"))], "rate=Decimal('NaN')"),
        ([charge("tax", Decimal(16), rate=Decimal("0.1600001"))], "rate=Decimal('0.1600001')"),
        ([charge("tax", Decimal(16), base=Decimal(-1))], "base=Decimal('-1')"),
        ([charge("tax", Decimal(16), rate=Decimal("0.16"), base=Decimal(90))], "which is 14.40"),
        ([charge("tax", Decimal(16), lines={"b": Decimal(16)})], "name 'b'"),
        ([charge("tax", Decimal(16), charges={0: Decimal(16)})], "name 0"),
        ([charge("tax", Decimal(16), lines={"a": Decimal(15)})], "15 of a tax do not add up to its amount 16"),
        ([charge("discount", Decimal(-5), lines={"a": Decimal(5)})], "5 of a discount do not add up to its amount -5"),
        ([charge("tax", Decimal(101), is_included=True)], "the tax 101.00 is more than the total 100"),
    ],
)
def test_charges_that_do_not_add_up_are_refused(refused, charges, named):
    assert named in refused(hook(*charges)).problem


@pytest.mark.parametrize(
    ("kind", "parts", "named"),
    [
        ("fee", (5, -1), "of the parts 5, -1 of a fee, none must be negative"),
        ("discount", (-5, 1), "of the parts -5, 1 of a discount, none must be above zero"),
    ],
)
def test_part_with_the_wrong_sign_is_refused_though_the_sum_is_right(refused, kind, parts, named):
    divided = charge(kind, Decimal(sum(parts)), lines=dict(zip("ab", map(Decimal, parts), strict=True)))
    assert named in refused(hook(divided), lines=(LINE, replace(LINE, product_ref="b"))).problem


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "taxes"}, "kind='taxes' is none of discount, fee, shipping, tax"),
        ({"amount": 1.5}, "amount=1.5 is not a finite Decimal"),
        ({"amount": "1"}, "amount='1' is not a finite Decimal"),
        ({"amount": Decimal("NaN")}, "amount=Decimal('NaN') is not a finite Decimal"),
        ({"rate": Decimal("0.1234567")}, "with at most 6 decimals"),
        ({"label": 7}, "label=7 is not text"),
        ({"tax_class": 7}, "tax_class=7 is not text"),
        ({"kind": "fee", "rate": Decimal(1)}, "a fee has rate=Decimal('1'), which only a tax has"),
    ],
)
def test_charge_refuses_a_value_when_it_is_made(fields, named):
    with pytest.raises(InvalidCharge) as caught:
        Charge(**{"kind": "tax", "label": "Levy", "amount": Decimal(1)} | fields)
    assert named in str(caught.value)


def unreadable():
    raise ValueError


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"label": lazy(unreadable, str)()}, "ValueError"),
        ({"label": None}, "label=None is not text"),
        ({"kind": "tax", "is_included": "no"}, "is_included='no' is not True or False"),
        ({"label": "Levy\0"}, "label='Levy\\x00'"),
        ({"label": "Levy\ud800"}, "label='Levy\\ud800'"),
        ({"kind": ["tax"]}, "kind=['tax']"),
        ({"lines": ["a"]}, "lines=['a'] is not a dict"),
        ({"lines": "a"}, "lines='a' is not a dict"),
        ({"lines": {"a": 1.5}}, "lines['a']=1.5 is not a finite Decimal"),
        ({"tax_class": {}}, "tax_class={}"),
        ({"amount": Decimal("9999999999.999")}, "amount=Decimal('10000000000.00')"),
        ({"amount": Decimal(0), "rate": Decimal(0), "base": Decimal("9999999999.999")}, "base=Decimal('1000000"),
    ],
)
def test_values_of_another_type_and_unstorable_ones_are_refused(refused, fields, named):
    values = {"kind": "tax", "label": "Levy", "amount": Decimal(1)} | fields
    assert named in refused(hook(partial(Charge, **values))).problem


def test_bases_that_are_too_large_together_are_refused(refused):
    half = charge("tax", Decimal(0), rate=Decimal(0), base=Decimal(6000000000))
    assert "base=Decimal('12000000000.00')" in refused(hook(half, half)).problem


@pytest.mark.parametrize("kind", ["tax", "fee", "discount"])
def test_parts_that_are_none_are_no_parts(shop_settings, kind):
    shop_settings(PRICING=[hook(charge(kind, Decimal(0 if kind == "discount" else 1), lines=None, charges=None))])
    assert price(Draft(lines=[LINE], currency="KES")).total == (100 if kind == "discount" else 101)


def test_too_large_cart_is_reported_and_no_hook_is_blamed(shop_settings, caplog):
    tax = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}}
    many = DraftLine(product_ref="a", sku="a", name="A", quantity=10**9, unit_price=Decimal("9.99"))
    for hooks, quantity in ([tax], 2 * 10**9), ([hook(charge("fee", Decimal(10**8))), tax], 10**9):
        shop_settings(PRICING=hooks)
        with pytest.raises(AmountTooLarge):
            price(Draft(lines=[replace(many, quantity=quantity)], currency="KES"))
    assert caplog.records == []


def test_tax_that_is_more_than_the_price_that_includes_it_is_refused(refused):
    vat = charge("tax", Decimal(11), is_included=True, lines={"a": Decimal(11)})
    error = refused(hook(charge("shipping", Decimal(100))), hook(vat), lines=[INCLUDING])
    assert error.problem == "the tax 11.00 is more than the price 10 that includes it"


def test_discount_after_a_tax_with_a_rate_is_refused(refused):
    tax = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}}
    error = refused(tax, hook(charge("discount", Decimal(-5))))
    assert (error.hook, error.problem) == (
        RETURNED,
        "the discount -5.00 comes after tax; list the hook before it in PRICING",
    )


def test_mistake_in_a_hook_is_named(refused):
    error = refused("testproject.hooks.broken")
    assert (error.hook, error.problem) == ("testproject.hooks.broken", "DivisionByZero")
    assert isinstance(error.__cause__, ArithmeticError)


def test_hook_that_returns_nothing_is_named(refused):
    assert refused({"BACKEND": RETURNED, "OPTIONS": {"charges": None}}).problem == "TypeError"


def test_more_decimals_than_the_currency_has_are_rounded(shop_settings):
    shop_settings(PRICING=[hook(charge("fee", Decimal("0.125")), charge("shipping", 3))])
    assert [c.amount for c in price(Draft(lines=[LINE], currency="KES")).charges] == [Decimal("0.13"), Decimal(3)]


@pytest.mark.django_db
def test_order_is_refused_and_the_cart_is_kept(customer, book, shop_settings):
    cart, _token = carts.add_to_cart("978-1", 2, customer=customer)
    shop_settings(PRICING=["testproject.hooks.broken"])
    with pytest.raises(PricingFailed):
        checkout.place_order(cart)
    cart.refresh_from_db()
    assert (Order.objects.count(), cart.is_open, cart.items.get().quantity) == (0, True, 2)
    view = carts.view(cart, customer=customer)
    assert (view.draft.subtotal, view.draft.total, view.draft.charges) == (25, 25, ())
    assert (view.can_be_ordered, view.pricing_error.hook) == (False, "testproject.hooks.broken")


@pytest.mark.django_db
def test_api_shows_the_cart_without_charges_and_refuses_the_order(client, user, book, shop_settings):
    shop_settings(PRICING=["testproject.hooks.broken"])
    headers = {"Authorization": f"Bearer user-{user.pk}"}
    item = {"product": "978-1", "quantity": 2}
    added = client.post("/api/orders/cart/add_item/", item, "application/json", headers=headers)
    assert added.status_code == 200
    cart = added.json()
    assert (cart["total"], cart["charges"], cart["tax_lines"], cart["can_be_ordered"]) == ("25.00", [], [], False)
    assert "testproject.hooks.broken: DivisionByZero" in cart["problem"]
    assert [cart["lines"][0][name] for name in ("discount", "tax_rate", "net", "tax")] == [None] * 4
    response = client.post("/api/orders/orders/", {}, "application/json", headers=headers)
    assert (response.status_code, response.json()["code"]) == (503, "pricing_failed")
    assert response.json()["detail"] == cart["problem"]
    assert response.json()["hook"] == "testproject.hooks.broken"
    assert Order.objects.count() == 0


@pytest.mark.django_db
def test_cart_that_is_too_large_is_shown_so_that_it_can_be_lowered(client, user, customer, book, shop_settings):
    Book.objects.update(sale_price=Decimal("99999999.99"), on_hand=999)
    carts.add_to_cart("978-1", 999, customer=customer)
    headers = {"Authorization": f"Bearer user-{user.pk}"}
    cart = client.get("/api/orders/cart/", headers=headers).json()
    assert (cart["total"], cart["can_be_ordered"]) == ("99899999990.01", False)
    assert cart["problem"] == "The total is larger than the shop can handle. Split it into several orders."
    response = client.post("/api/orders/orders/", {}, "application/json", headers=headers)
    assert (response.status_code, response.json()["code"], Order.objects.count()) == (422, "amount_too_large", 0)


@pytest.mark.django_db
def test_cart_is_shown_when_a_hook_refuses_the_order(customer, book, shop_settings):
    cart, _token = carts.add_to_cart("978-1", 2, customer=customer)
    shop_settings(PRICING=["testproject.hooks.only_kenya"])
    assert str(carts.view(cart, customer=customer).pricing_error) == "We deliver in Kenya only."
    with pytest.raises(CheckoutRefused):
        checkout.place_order(cart)
