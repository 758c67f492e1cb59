"""What a part of an order costs, and its tax lines: for credits of products, of shipping and of amounts."""

from decimal import Decimal

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_orders import checkout, queries
from shop_orders.models import Order
from shop_orders.pricing import Charge, Draft, DraftLine, price
from shop_orders.pricing.parts import amount_of_lines, amount_of_shipping, tax_lines_of

TAX = {
    "BACKEND": "shop_orders.pricing.flat_rate_tax",
    "OPTIONS": {"rate": "0.16", "rates": {"zero": "0", "reduced": "0.08"}},
}
LEVY = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.02", "label": "Levy"}}
SIZES = settings(max_examples=100, deadline=None)


def line(ref, unit_price, quantity=1, tax_class="", *, is_gross=False):
    return DraftLine(
        product_ref=ref,
        sku=ref,
        name=ref,
        unit_price=Decimal(unit_price),
        quantity=quantity,
        tax_class=tax_class,
        price_includes_tax=is_gross,
    )


def hook(kind, amount, **fields):
    extra = Charge(kind=kind, label=kind, amount=Decimal(amount), **fields)
    return {"BACKEND": "testproject.hooks.returned", "OPTIONS": {"charges": [extra]}}


def order_of(lines, *hooks, currency="KES"):
    """An order that is in no database."""
    with override_settings(SHOP_ORDERS={"CURRENCY": currency, "PRICING": [*hooks]}):
        draft = price(Draft(lines=lines, currency=currency))
    order = Order(pk=1, currency=currency, total=draft.total, tax_total=draft.tax_total, credited_amount=Decimal(0))
    queries.set_prefetched(order, lines=checkout._lines_of(order, draft), charges=checkout._charges_of(order, draft))
    return order


def shares(tax_lines):
    return [(row["label"], row["rate"], row["base"], row["amount"]) for row in tax_lines]


@pytest.fixture
def order():
    """100 at 16 % and 50 at 0 %, less 15, and shipping of 27: 90 + 14.40, 45, and 18 + 2.88 with 9. In all 179.28."""
    goods = [line("a", "25", 4), line("b", "10", 5, "zero")]
    return order_of(goods, hook("discount", "-15"), hook("shipping", "27"), TAX)


def test_the_order_is_as_the_other_tests_expect(order):
    assert (order.total, order.tax_total) == (Decimal("179.28"), Decimal("17.28"))
    assert [(tax.base, tax.amount) for tax in order.tax_lines] == [(108, Decimal("17.28")), (54, 0)]


def test_units_of_lines_have_their_price_after_discounts_and_its_tax(order):
    assert amount_of_lines(order, {"a": 1}) == Decimal("26.10")
    assert shares(tax_lines_of(order, Decimal("26.10"), units={"a": 1})) == [("Tax", "0.16", "22.50", "3.60")]
    assert amount_of_lines(order, {"a": 4, "b": 2}) == Decimal("122.40")
    assert shares(tax_lines_of(order, Decimal("122.40"), units={"a": 4, "b": 2})) == [
        ("Tax", "0.16", "90.00", "14.40"),
        ("Tax", "0", "18.00", "0.00"),
    ]


def test_units_that_were_credited_or_never_ordered_cost_nothing(order):
    assert amount_of_lines(order, {"a": 3}, before={"a": 3}) == amount_of_lines(order, {"a": 1})
    assert amount_of_lines(order, {"a": 1, "z": 5}, before={"a": 4}) == 0


def test_part_of_the_price_of_products_has_a_part_of_their_tax(order):
    assert shares(tax_lines_of(order, Decimal("13.05"), units={"a": 1})) == [("Tax", "0.16", "11.25", "1.80")]


def test_what_exceeds_the_products_is_spread_over_all_rates(order):
    found = tax_lines_of(order, Decimal(46), units={"b": 5})
    assert sum(Decimal(row["base"]) + Decimal(row["amount"]) for row in found) == 46
    assert shares(found) == [("Tax", "0.16", "0.80", "0.13"), ("Tax", "0", "45.07", "0.00")]


def test_shipping_has_the_tax_of_shipping(order):
    assert shares(tax_lines_of(order, Decimal("29.88"), is_shipping=True)) == [
        ("Tax", "0.16", "18.00", "2.88"),
        ("Tax", "0", "9.00", "0.00"),
    ]
    half = tax_lines_of(order, Decimal("14.94"), is_shipping=True)
    assert shares(half) == [("Tax", "0.16", "9.00", "1.44"), ("Tax", "0", "4.50", "0.00")]


def test_shipping_has_none_of_the_tax_of_fees():
    goods = [line("a", "50", tax_class="zero")]
    order = order_of(goods, hook("shipping", "10", tax_class="reduced"), hook("fee", "20", tax_class=""), TAX)
    assert shares(tax_lines_of(order, Decimal("10.80"), is_shipping=True)) == [("Tax", "0.08", "10.00", "0.80")]


def test_shipping_and_fees_at_several_rates_share_their_tax():
    goods = [line("a", "50"), line("b", "50", tax_class="zero")]
    order = order_of(goods, hook("shipping", "10"), hook("fee", "30"), TAX)
    assert amount_of_shipping(order) == Decimal("10.80")
    assert shares(tax_lines_of(order, Decimal("10.80"), is_shipping=True)) == [
        ("Tax", "0.16", "5.00", "0.80"),
        ("Tax", "0", "5.00", "0.00"),
    ]


@pytest.mark.django_db
def test_parts_of_a_stored_order_take_two_statements(place, django_assert_num_queries):
    stored = Order.objects.get(pk=place(quantity=3).pk)
    with django_assert_num_queries(2):
        amount_of_lines(stored, {"978-1": 1})
    with django_assert_num_queries(2):
        tax_lines_of(stored, Decimal("12.50"), units={"978-1": 1})


def test_amount_is_spread_over_the_rates(order):
    assert shares(tax_lines_of(order, Decimal("17.93"))) == [
        ("Tax", "0.16", "10.80", "1.73"),
        ("Tax", "0", "5.40", "0.00"),
    ]


def test_rest_of_the_total_takes_the_rest_of_each_tax(order):
    first = tax_lines_of(order, Decimal("100.01"))
    order.credited_amount = Decimal("100.01")
    last = tax_lines_of(order, Decimal("79.27"), credited=[first])
    for tax, one, two in zip(order.tax_lines, first, last, strict=True):
        assert Decimal(one["amount"]) + Decimal(two["amount"]) == tax.amount
        assert Decimal(one["base"]) + Decimal(two["base"]) == tax.base
    assert tax_lines_of(order, Decimal(500), credited=[first]) == last


def test_zero_amount_has_no_tax_lines(order):
    assert tax_lines_of(order, Decimal(0)) == tax_lines_of(order, Decimal(0), units={"a": 1}) == []
    assert tax_lines_of(order_of([line("a", "5")]), Decimal(3)) == []


def test_reinstated_credit_can_be_credited_again(order):
    given = tax_lines_of(order, Decimal("100.01"))
    taken_back = [{**row, "base": f"-{row['base']}", "amount": f"-{row['amount']}"} for row in given]
    assert tax_lines_of(order, Decimal("100.01"), credited=[given, taken_back]) == given


def test_two_taxes_on_one_product_are_credited_each():
    order = order_of([line("a", "50", 2), line("b", "100")], TAX, LEVY)
    assert amount_of_lines(order, {"a": 1}) == 59
    assert shares(tax_lines_of(order, Decimal(59), units={"a": 1})) == [
        ("Tax", "0.16", "50.00", "8.00"),
        ("Levy", "0.02", "50.00", "1.00"),
    ]


def test_tax_without_a_rate_is_credited_in_proportion():
    order = order_of([line("a", "50", 2)], hook("tax", "10"))
    assert amount_of_lines(order, {"a": 1}) == 55
    assert shares(tax_lines_of(order, Decimal(55), units={"a": 1})) == [("tax", None, None, "5.00")]
    assert shares(tax_lines_of(order, Decimal("27.50"))) == [("tax", None, None, "2.50")]


def test_tax_on_shipping_only_is_not_credited_with_products():
    order = order_of([line("a", "50", tax_class="zero")], hook("shipping", "10", tax_class=""), TAX)
    assert shares(tax_lines_of(order, Decimal(50), units={"a": 1})) == [("Tax", "0", "50.00", "0.00")]
    assert shares(tax_lines_of(order, Decimal("11.60"), is_shipping=True)) == [("Tax", "0.16", "10.00", "1.60")]


@st.composite
def credited_orders(draw):
    currency, places = draw(st.sampled_from([("KES", 2), ("UGX", 0), ("KWD", 3)]))
    amounts = st.decimals(min_value=1, max_value=999, places=places)
    is_gross = draw(st.booleans())
    goods = [
        line(
            ref,
            draw(amounts),
            draw(st.integers(1, 7)),
            draw(st.sampled_from(["", "reduced", "zero"])),
            is_gross=is_gross,
        )
        for ref in "abc"[: draw(st.integers(1, 3))]
    ]
    hooks = [hook("discount", -draw(amounts)), hook("shipping", draw(amounts)), TAX]
    untaxed_fee = hook("fee", draw(amounts))
    last = draw(st.sampled_from([[], [LEVY], [hook("tax", "3")], [untaxed_fee], [LEVY, untaxed_fee]]))
    order = order_of(goods, *hooks, *last, currency=currency)
    steps = draw(
        st.lists(st.tuples(st.sampled_from(["units", "shipping", "amount"]), amounts, st.integers(1, 4)), max_size=6)
    )
    return order, goods, steps


@SIZES
@given(credited_orders())
def test_credits_never_exceed_a_tax_and_complete_it_together(example):
    order, goods, steps = example
    credited, before = [], {}
    total_of = {tax.position: [Decimal(0), Decimal(0)] for tax in order.tax_lines}
    for kind, amount, count in [*steps, ("amount", order.total, 1)]:
        units = {goods[count % len(goods)].product_ref: count} if kind == "units" else None
        given_back = amount_of_lines(order, units, before=before) if units and count % 2 else amount
        given_back = min(given_back, order.total - order.credited_amount)
        found = tax_lines_of(
            order, given_back, units=units, before=before, is_shipping=kind == "shipping", credited=credited
        )
        credited.append(found)
        order.credited_amount += given_back
        for ref, number in (units or {}).items():
            before[ref] = before.get(ref, 0) + number
        assert sum(Decimal(row["amount"]) for row in found) <= given_back
        for row in found:
            assert Decimal(row["amount"]) >= 0
            total_of[row["position"]][0] += Decimal(row["base"] or 0)
            total_of[row["position"]][1] += Decimal(row["amount"])
        for tax in order.tax_lines:
            assert total_of[tax.position][1] <= tax.amount
    assert [tuple(total_of[tax.position]) for tax in order.tax_lines] == [
        (tax.base or 0, tax.amount) for tax in order.tax_lines
    ]


def test_untaxed_fee_leaves_no_credit_with_more_tax_than_its_amount():
    """Each of three rates rounds up to one shilling, of a credit of two."""
    goods = [line("a", "10", is_gross=True), line("b", "10", tax_class="reduced", is_gross=True)]
    order = order_of(goods, TAX, LEVY, hook("fee", "7"), currency="UGX")
    credited = []
    while order.credited_amount < order.total:
        credited.append(tax_lines_of(order, Decimal(1), credited=credited))
        assert sum(Decimal(row["amount"]) for row in credited[-1]) <= 1
        order.credited_amount += 1
    assert sum(Decimal(row["amount"]) for lines in credited for row in lines) == order.tax_total


def test_goods_that_a_goodwill_has_paid_in_part_leave_no_tax_without_an_amount():
    order = order_of([line("a", "100"), line("b", "100", tax_class="zero")], TAX)
    credited = []
    for amount, units in ((110, None), (100, {"b": 1}), (6, None)):
        credited.append(tax_lines_of(order, Decimal(amount), units=units, credited=credited))
        assert sum(Decimal(row["base"]) + Decimal(row["amount"]) for row in credited[-1]) == amount
        order.credited_amount += amount


@SIZES
@given(credited_orders())
def test_units_one_by_one_cost_what_they_cost_together(example):
    order, goods, _steps = example
    for row in goods:
        single = [
            amount_of_lines(order, {row.product_ref: 1}, before={row.product_ref: at}) for at in range(row.quantity)
        ]
        assert sum(single) == amount_of_lines(order, {row.product_ref: row.quantity})
