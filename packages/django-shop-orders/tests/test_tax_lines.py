"""Discounts and taxes of a draft: what each line and charge costs without tax, and the tax lines."""

from decimal import Decimal

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_core.money import exponent, quantise, unit
from shop_orders.exceptions import PricingFailed
from shop_orders.pricing import Charge, Draft, DraftLine, Taxed, price, tax_at
from shop_orders.pricing.amounts import percent_text, rate_text, spread

RATES = {"": Decimal("0.16"), "reduced": Decimal("0.08"), "zero": Decimal(0)}
TAX = {
    "BACKEND": "shop_orders.pricing.flat_rate_tax",
    "OPTIONS": {"rate": "0.16", "rates": {"reduced": "0.08", "zero": "0"}},
}
SIZES = settings(max_examples=150, deadline=None)


def line(unit_price, quantity=1, ref="a", **fields):
    return DraftLine(product_ref=ref, sku=ref, name=ref, unit_price=Decimal(unit_price), quantity=quantity, **fields)


def hook(*charges):
    return {"BACKEND": "testproject.hooks.returned", "OPTIONS": {"charges": charges}}


def charge(kind, amount, **fields):
    return Charge(kind=kind, label=kind.capitalize(), amount=Decimal(amount), **fields)


def priced(lines, *hooks, currency="KES"):
    with override_settings(SHOP_ORDERS={"CURRENCY": currency, "PRICING": [*hooks]}):
        return price(Draft(lines=lines, currency=currency))


def taxes(draft):
    return [(tax.rate, tax.base, tax.amount, tax.is_included) for tax in draft.tax_lines]


def numbers(*texts):
    return tuple(None if text is None else Decimal(text) for text in texts)


def test_discount_of_zero_rated_goods_lowers_no_tax():
    draft = priced([line("1200", tax_class="zero")], hook(charge("discount", "-120")), TAX)
    assert taxes(draft) == [(*numbers("0", "1080", "0"), False)]
    assert (draft.total, draft.net_total, draft.tax_total) == (1080, 1080, 0)


@pytest.mark.parametrize("is_included", [True, False])
def test_voucher_above_the_total_ends_at_zero_and_has_no_tax(is_included):
    goods = [line("100", price_includes_tax=is_included)]
    draft = priced(goods, hook(charge("shipping", "20")), hook(charge("discount", "-500")), TAX)
    assert [(c.kind, c.amount) for c in draft.charges] == [("shipping", 20), ("discount", -120)]
    assert (draft.total, draft.net_total, draft.tax_total) == (0, 0, 0)
    assert draft.taxed_lines == [Taxed(*numbers("-100", None, "0", "0"))]
    assert draft.taxed_charges[0] == Taxed(*numbers("-20", None, "0", "0"))


@pytest.mark.parametrize("voucher", ["-100", "-105"])
def test_full_voucher_leaves_no_tax_of_a_custom_hook(voucher):
    draft = priced([line("100")], hook(charge("discount", voucher)), hook(charge("tax", "16")))
    assert [(c.kind, c.amount) for c in draft.charges] == [("discount", -100)]
    assert (draft.total, draft.tax_total) == (0, 0)


def test_voucher_after_the_tax_of_a_custom_hook_covers_a_part_of_it():
    tax = charge("tax", "16", is_included=True)
    draft = priced([line("116")], hook(tax), hook(charge("discount", "-50")))
    assert (draft.total, draft.net_total, draft.tax_total) == (66, 50, 16)
    with pytest.raises(PricingFailed, match=r"the tax 16\.00 is more than the total 11\.00"):
        priced([line("100")], hook(charge("tax", "16")), hook(charge("discount", "-105")))


def test_levy_on_free_goods_is_charged():
    draft = priced([line("0")], hook(charge("tax", "3")))
    assert (draft.total, draft.net_total, draft.tax_total) == (3, 0, 3)


def test_full_discount_leaves_no_tax_from_rounding():
    goods = [line("0.33", ref=ref) for ref in "abc"]
    draft = priced(goods, {"BACKEND": "testproject.hooks.discount", "OPTIONS": {"share": "1"}}, TAX)
    assert (draft.total, draft.tax_total) == (0, 0)
    assert draft.tax_lines == []


def test_second_tax_does_not_tax_the_first():
    levy = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.02", "label": "Levy"}}
    draft = priced([line("100")], hook(charge("shipping", "50")), TAX, levy)
    assert [(tax.label, tax.base, tax.amount) for tax in draft.tax_lines] == [("Tax", 150, 24), ("Levy", 150, 3)]
    assert draft.taxed_lines == [Taxed(*numbers("0", "0.18", "100", "18"))]
    assert draft.total == 177


def test_each_rate_has_its_tax_line():
    goods = [line("100", ref="a"), line("50", ref="b", tax_class="reduced"), line("30", ref="c", tax_class="zero")]
    draft = priced(goods, TAX)
    assert taxes(draft) == [
        (*numbers("0.16", "100", "16"), False),
        (*numbers("0.08", "50", "4"), False),
        (*numbers("0", "30", "0"), False),
    ]
    assert draft.taxed_lines == [
        Taxed(*numbers("0", "0.16", "100", "16")),
        Taxed(*numbers("0", "0.08", "50", "4")),
        Taxed(*numbers("0", "0", "30", "0")),
    ]


def test_discount_is_spread_over_the_rates_by_the_largest_remainder():
    goods = [line("10", ref="a"), line("10", ref="b", tax_class="reduced"), line("10", ref="c", tax_class="zero")]
    draft = priced(goods, hook(charge("discount", "-10")), TAX)
    assert [taxed.discount for taxed in draft.taxed_lines] == list(numbers("-3.34", "-3.33", "-3.33"))
    assert taxes(draft) == [
        (*numbers("0.16", "6.66", "1.07"), False),
        (*numbers("0.08", "6.67", "0.53"), False),
        (*numbers("0", "6.67", "0"), False),
    ]
    assert draft.total == Decimal("21.60")


@pytest.mark.parametrize(
    ("fields", "discounts"),
    [
        ({"lines": {"b": Decimal(-6)}}, ["0", "-6", "0"]),
        ({"tax_class": "reduced"}, ["0", "-6", "0"]),
        ({"tax_class": "unknown"}, ["-2", "-2", "-2"]),
        ({"lines": {"a": Decimal(-1), "b": Decimal(-5)}}, ["-1", "-5", "0"]),
    ],
)
def test_discount_lowers_the_products_that_it_names(fields, discounts):
    goods = [line("10", ref="a"), line("10", ref="b", tax_class="reduced"), line("10", ref="c", tax_class="zero")]
    draft = priced(goods, hook(charge("discount", "-6", **fields)), TAX)
    assert [taxed.discount for taxed in draft.taxed_lines] == list(numbers(*discounts))
    assert draft.subtotal + draft.charges[0].amount == 24


def test_discount_beyond_its_products_lowers_the_others_and_then_shipping():
    goods = [line("10", ref="a"), line("10", ref="b")]
    over = [charge("shipping", "8"), charge("discount", "-22", lines={"a": Decimal(-22)})]
    draft = priced(goods, hook(*over), TAX)
    assert [taxed.discount for taxed in draft.taxed_lines] == [-10, -10]
    assert draft.taxed_charges[0] == Taxed(*numbers("-2", "0.16", "6", "0.96"))
    assert taxes(draft) == [(*numbers("0.16", "6", "0.96"), False)]


def test_shipping_follows_the_goods_in_proportion():
    goods = [line("100", ref="a"), line("300", ref="b", tax_class="zero")]
    draft = priced(goods, hook(charge("shipping", "40")), TAX)
    assert taxes(draft) == [(*numbers("0.16", "110", "17.60"), False), (*numbers("0", "330", "0"), False)]
    assert draft.taxed_charges[0] == Taxed(*numbers("0", None, "40", "1.60"))


@pytest.mark.parametrize(
    ("fields", "tax", "rate"),
    [
        ({"tax_class": "reduced"}, "3.20", "0.08"),
        ({"tax_class": ""}, "6.40", "0.16"),
        ({"lines": {"b": Decimal(40)}}, "0.00", "0"),
        ({"lines": {"a": Decimal(10), "b": Decimal(30)}}, "1.60", None),
    ],
)
def test_shipping_is_taxed_by_its_class_or_the_products_that_it_names(fields, tax, rate):
    goods = [line("100", ref="a"), line("300", ref="b", tax_class="zero")]
    draft = priced(goods, hook(charge("shipping", "40", **fields)), TAX)
    assert draft.taxed_charges[0] == Taxed(*numbers("0", rate, "40", tax))


@pytest.mark.parametrize(("prices", "base"), [(("100", "0"), "110"), (("0", "0"), "5")])
def test_shipping_follows_what_the_goods_cost_after_discounts_or_before(prices, base):
    """Free goods count the same."""
    goods = [line(prices[0], ref="a"), line(prices[1], ref="b", tax_class="zero")]
    draft = priced(goods, hook(charge("shipping", "10")), TAX)
    assert next(tax.base for tax in draft.tax_lines if tax.rate) == Decimal(base)


def test_shipping_of_discounted_goods_follows_what_is_left():
    goods = [line("100", ref="a"), line("100", ref="b", tax_class="zero")]
    free = charge("discount", "-100", lines={"b": Decimal(-100)})
    assert priced(goods, hook(free, charge("shipping", "10")), TAX).tax_total == Decimal("17.60")
    nothing_left = hook(charge("discount", "-200"), charge("shipping", "210"))
    draft = priced(goods, nothing_left, TAX)
    assert (draft.total, draft.tax_total) == (Decimal("226.80"), Decimal("16.80"))


def test_tax_in_some_prices_is_included_and_on_others_added():
    goods = [line("116", ref="a", price_includes_tax=True), line("100", ref="b")]
    draft = priced(goods, hook(charge("shipping", "10")), TAX)
    assert taxes(draft) == [(*numbers("0.16", "100", "16"), True), (*numbers("0.16", "110", "17.60"), False)]
    assert [taxed.net for taxed in draft.taxed_lines] == [100, 100]
    assert (draft.total, draft.net_total, draft.tax_total) == numbers("243.60", "210", "33.60")


@pytest.mark.parametrize(
    ("currency", "unit_price", "tax"), [("UGX", "4990", "688"), ("KWD", "4.995", "0.689"), ("KES", "49.90", "6.88")]
)
def test_included_tax_has_the_currencys_decimals(currency, unit_price, tax):
    draft = priced([line(unit_price, price_includes_tax=True)], TAX, currency=currency)
    (taxed,) = draft.taxed_lines
    assert (taxed.tax, taxed.net) == (Decimal(tax), Decimal(unit_price) - Decimal(tax))


def test_tax_without_a_rate_stays_an_amount():
    draft = priced([line("100", ref="a"), line("10", ref="b")], hook(charge("tax", "7.50")))
    assert taxes(draft) == [(None, None, Decimal("7.50"), False)]
    assert draft.taxed_lines == [Taxed(*numbers("0", None, None, None))] * 2
    assert (draft.total, draft.tax_total) == numbers("117.50", "7.50")


def test_tax_of_a_custom_hook_names_the_lines_and_charges_that_it_taxes():
    vat = charge("tax", "18", rate=Decimal("0.16"), base=Decimal("112.50"), lines={"a": 16}, charges={0: 2})
    draft = priced([line("100", ref="a"), line("10", ref="b")], hook(charge("shipping", "12.50")), hook(vat))
    assert draft.taxed_lines == [Taxed(*numbers("0", "0.16", "100", "16")), Taxed(*numbers("0", None, "10", "0"))]
    assert draft.taxed_charges[0] == Taxed(*numbers("0", "0.16", "12.50", "2"))


def test_taxes_of_one_hook_at_one_rate_are_one_tax_line():
    vat = [
        charge("tax", "1.60", rate=Decimal("0.16"), base=Decimal(10), lines={"a": Decimal("1.60")}),
        charge("tax", "3.20", rate=Decimal("0.160"), base=Decimal(20), lines={"b": Decimal("3.20")}),
        charge("tax", "1", rate=Decimal("0.10"), base=Decimal(10), lines={"a": Decimal(1)}),
    ]
    draft = priced([line("10", ref="a"), line("20", ref="b")], hook(*vat))
    assert taxes(draft) == [(*numbers("0.16", "30", "4.80"), False), (*numbers("0.10", "10", "1"), False)]
    assert [taxed.tax_rate for taxed in draft.taxed_lines] == list(numbers("0.26", "0.16"))


def test_site_can_tax_by_a_function_of_the_class():
    draft = Draft(lines=[line("10", tax_class="wine"), line("10", ref="b")], currency="EUR")
    found = list(tax_at(draft, lambda tax_class: Decimal("0.25") if tax_class == "wine" else Decimal("0.10")))
    assert [(tax.rate, tax.amount, tax.lines) for tax in found] == [
        (Decimal("0.25"), Decimal("2.50"), {"a": Decimal("2.50")}),
        (Decimal("0.10"), Decimal("1.00"), {"b": Decimal("1.00")}),
    ]


@pytest.mark.parametrize(
    ("rate", "text", "percent"),
    [("0.160000", "0.16", "16"), ("0E-6", "0", "0"), ("1", "1", "100"), ("0.09975", "0.09975", "9.975")],
)
def test_rates_are_written_without_needless_zeros(rate, text, percent):
    assert (rate_text(Decimal(rate)), percent_text(Decimal(rate))) == (text, percent)


@st.composite
def amounts_to_spread(draw):
    currency = draw(st.sampled_from(["KES", "UGX", "KWD"]))
    amounts = st.decimals(min_value=0, max_value="9999999999", places=exponent(currency))
    weights = draw(st.lists(amounts, min_size=1, max_size=8))
    return draw(amounts), weights, currency


@SIZES
@given(amounts_to_spread())
def test_shares_add_up_and_are_fair(example):
    amount, weights, currency = example
    shares = spread(amount, weights, currency)
    assert sum(shares) == amount
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        exact = amount * weight / whole if whole else amount / len(weights)
        assert abs(share - exact) < unit(currency)
        assert share == quantise(share, currency)
        if amount <= whole:
            assert share <= weight


@st.composite
def carts(draw):
    """A draft, and hooks: discounts of all kinds, shipping, a fee and tax last."""
    currency = draw(st.sampled_from(["KES", "UGX", "JPY", "KWD", "EUR", "CLF"]))
    amounts = st.decimals(min_value=0, max_value=9999, places=exponent(currency))
    includes = draw(st.sampled_from([[True], [False], [True, False]]))
    lines = [
        line(
            draw(amounts),
            draw(st.integers(1, 99)),
            ref=f"p{number}",
            tax_class=draw(st.sampled_from(list(RATES))),
            price_includes_tax=draw(st.sampled_from(includes)),
        )
        for number in range(draw(st.integers(1, 5)))
    ]
    classes = st.sampled_from([None, *RATES])
    charges = []
    for _number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["discount", "shipping", "fee"]))
        amount = draw(amounts) * draw(st.sampled_from([1, 1, 50]))
        sign = -1 if kind == "discount" else 1
        named = {draw(st.sampled_from(lines)).product_ref: sign * amount} if draw(st.booleans()) else {}
        charges.append(charge(kind, sign * amount, tax_class=draw(classes), lines=named))
    return lines, charges, currency


@SIZES
@given(carts())
def test_everything_adds_up(example):
    lines, charges, currency = example
    draft = priced(lines, hook(*charges), TAX, currency=currency)
    smallest = unit(currency)
    parts = [
        *draft.taxed_lines,
        *(t for t, c in zip(draft.taxed_charges, draft.charges, strict=True) if t.net is not None),
    ]
    assert sum(part.net for part in parts) == draft.net_total
    assert sum(part.tax for part in parts) == draft.tax_total == sum(tax.amount for tax in draft.tax_lines)
    assert sum(part.discount for part in parts) == sum(c.amount for c in draft.charges if c.kind == "discount")
    if draft.total:
        assert sum(tax.base for tax in draft.tax_lines) == draft.net_total
    else:
        assert draft.tax_lines == []
    for tax in draft.tax_lines:
        assert tax.amount >= 0
        assert abs(tax.amount - tax.rate * tax.base) <= smallest * len(parts) * 2 * (1 + tax.rate) / 2
    for row, taxed in zip(draft.lines, draft.taxed_lines, strict=True):
        paid = row.line_total + taxed.discount
        assert min(paid, taxed.net, taxed.tax) >= 0
        assert taxed.net == (paid - taxed.tax if row.price_includes_tax else paid)
        rate = RATES[row.tax_class] if draft.total else Decimal(0)
        share = rate / (1 + rate) if row.price_includes_tax else rate
        assert taxed.tax == quantise(paid * share, currency)
    for part in parts:
        assert all(value == quantise(value, currency) for value in (part.discount, part.net, part.tax))
