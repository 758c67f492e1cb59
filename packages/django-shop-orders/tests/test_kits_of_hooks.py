"""The kits of hooks refuse each of these faults, and say what to do."""

from decimal import Decimal

import pytest
from shop_orders.testing import OrderNumberContract, PricingHookContract, ValidatorContract, make_draft
from testproject import faulty_hooks
from testproject.kits import assert_says_what_to_do, failures

pytestmark = pytest.mark.django_db

HOOKS = "testproject.faulty_hooks"


class TestFlatRateShipping(PricingHookContract):
    hook = {
        "BACKEND": "shop_orders.pricing.flat_rate_shipping",
        "OPTIONS": {"amount": "300", "free_from": "5000", "countries": {"UG": "900"}},
    }


class TestFlatRateTax(PricingHookContract):
    hook = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16", "rates": {"books": "0"}}}


class TestMinimumOrderValue(ValidatorContract):
    hook = {"BACKEND": "shop_orders.validators.minimum_order_value", "OPTIONS": {"amount": "5"}}

    @pytest.fixture
    def accepted(self):
        return make_draft("5.00")

    @pytest.fixture
    def refused(self):
        return make_draft("4.99")


class TestOrderNumber(OrderNumberContract):
    hook = "shop_orders.numbers.order_number"


PRICING = [
    ("float_amount", "test_amounts_are_exact_decimals"),
    ("not_a_number", "test_amounts_are_exact_decimals"),
    ("endless", "test_amounts_are_exact_decimals"),
    ("text_amount", "test_amounts_are_exact_decimals"),
    ("returns_none", "test_it_returns_charges_for_every_draft"),
    ("returns_amount", "test_it_returns_charges_for_every_draft"),
    ("one_charge", "test_it_returns_charges_for_every_draft"),
    ("unknown_kind", "test_it_returns_charges_for_every_draft"),
    ("no_label", "test_it_returns_charges_for_every_draft"),
    ("included_fee", "test_it_returns_charges_for_every_draft"),
    ("positive_discount", "test_amounts_have_their_sign"),
    ("negative_fee", "test_amounts_have_their_sign"),
    ("voucher", "test_total_is_never_negative"),
    ("tax_of_prices", "test_free_order_has_no_tax"),
    ("tax_times_the_price", "test_included_tax_is_part_of_the_total"),
    ("needs_country", "test_it_returns_charges_for_every_draft"),
    ("needs_customer", "test_it_returns_charges_for_every_draft"),
    ("needs_weight", "test_it_returns_charges_for_every_draft"),
    ("first_of_the_day", "test_same_draft_has_the_same_charges"),
    ("random_fee", "test_same_draft_has_the_same_charges"),
    ("remembers_the_last", "test_same_draft_has_the_same_charges"),
    ("fills_the_address", "test_draft_is_not_changed"),
    ("adds_a_line", "test_draft_is_not_changed"),
    ("counts_in_the_database", "test_it_writes_nothing"),
    ("one_query_per_line", "test_many_lines_are_priced_quickly"),
    ("slow_lines", "test_many_lines_are_priced_quickly"),
    ("charges_nothing", "test_it_charges_something"),
    ("no_such_hook", "test_it_returns_charges_for_every_draft"),
]

VALIDATORS = [
    ("returns_false", "test_refused_order_is_refused_with_a_sentence"),
    ("returns_false", "test_accepted_order_passes"),
    ("returns_message", "test_refused_order_is_refused_with_a_sentence"),
    ("raises_value_error", "test_refused_order_is_refused_with_a_sentence"),
    ("raises_another_error", "test_refused_order_is_refused_with_a_sentence"),
    ("refuses_all", "test_accepted_order_passes"),
    ("refuses_nothing", "test_refused_order_is_refused_with_a_sentence"),
    ("no_sentence", "test_refused_order_is_refused_with_a_sentence"),
    ("shows_the_code", "test_refused_order_is_refused_with_a_sentence"),
    ("odd_code", "test_refused_order_is_refused_with_a_sentence"),
    ("fails_without_address", "test_it_raises_only_checkout_refused"),
    ("fails_without_customer", "test_it_raises_only_checkout_refused"),
    ("divides_by_the_total", "test_it_raises_only_checkout_refused"),
    ("takes_unknown_for_missing", "test_cart_of_an_accepted_order_is_not_refused"),
    ("refuses_once", "test_same_draft_has_the_same_result"),
    ("changes_the_address", "test_draft_is_not_changed"),
    ("logs_to_the_database", "test_it_writes_nothing"),
    ("asks_for_each_line", "test_many_lines_are_checked_quickly"),
    ("too_slow", "test_many_lines_are_checked_quickly"),
]

NUMBERS = [
    ("four_digits", "test_numbers_are_unique"),
    ("always_one", "test_numbers_are_unique"),
    ("by_the_minute", "test_numbers_are_unique"),
    ("by_id", "test_numbers_fit_the_order_and_an_address"),
    ("integer", "test_numbers_fit_the_order_and_an_address"),
    ("too_long", "test_numbers_fit_the_order_and_an_address"),
    ("with_a_slash", "test_numbers_fit_the_order_and_an_address"),
    ("with_a_space", "test_numbers_fit_the_order_and_an_address"),
    ("with_a_question_mark", "test_numbers_fit_the_order_and_an_address"),
    ("empty", "test_numbers_fit_the_order_and_an_address"),
    ("two_dots", "test_numbers_fit_the_order_and_an_address"),
    ("needs_the_cart", "test_numbers_fit_the_order_and_an_address"),
    ("of_the_customer", "test_same_order_gets_another_number_when_its_number_is_taken"),
    ("sets_it_too", "test_order_is_not_changed"),
    ("capitals_count", "test_numbers_are_unique"),
]


def refused_by(kit_class, name):
    faulty_hooks.SEEN.clear()
    kit = type("Kit", (kit_class,), {"hook": f"{HOOKS}.{name}", "max_seconds": 0.2, "__test__": False})()
    fixtures = {
        "charged_draft": make_draft("600", shipping_address={"country": "KE"}),
        "accepted": make_draft("100.00", shipping_address={"country": "KE"}),
        "refused": make_draft("99.99", shipping_address={"country": "UG"}),
    }
    return failures(kit, lambda: fixtures, rolls_back=True)


@pytest.mark.parametrize(
    ("kit", "mutant", "check"),
    [
        *((PricingHookContract, *mutant) for mutant in PRICING),
        *((ValidatorContract, *mutant) for mutant in VALIDATORS),
        *((OrderNumberContract, *mutant) for mutant in NUMBERS),
    ],
)
def test_kit_refuses_the_fault_and_says_what_to_do(kit, mutant, check):
    found = refused_by(kit, mutant)
    assert check in found
    for message in found.values():
        assert_says_what_to_do(message, names=mutant)


@pytest.mark.parametrize(
    ("kit", "hook"), [(PricingHookContract, "tenth"), (ValidatorContract, "minimum"), (OrderNumberContract, "counted")]
)
def test_correct_hook_passes(kit, hook):
    assert refused_by(kit, hook) == {}


@pytest.mark.parametrize("mutants", [PRICING, VALIDATORS, NUMBERS])
def test_kit_is_tried_with_many_faults(mutants):
    assert len({name for name, _check in mutants}) >= 12


def test_draft_for_tests_has_what_it_is_given():
    draft = make_draft("12.5", "7", currency="UGX", quantity=3, line={"tax_class": "books"}, delivery="door")
    assert [(line.unit_price, line.quantity, line.tax_class) for line in draft.lines] == [
        (Decimal(13), 3, "books"),
        (Decimal(7), 3, "books"),
    ]
    assert (draft.currency, draft.delivery, draft.subtotal) == ("UGX", "door", Decimal(60))
