"""Hooks with one fault each, for the tests of the contract kits."""

import random
import time
import uuid
from decimal import Decimal
from itertools import count

from shop_core.money import as_text
from shop_orders.exceptions import CheckoutRefused, InvalidInput
from shop_orders.models import Customer
from shop_orders.pricing import Charge

SEEN = []
NUMBERS = count(1)


def fee(amount, **values):
    return Charge(**{"kind": "fee", "label": "Fee", "amount": amount, **values})


# Pricing


def tenth(draft):
    """Correct: a tenth off."""
    yield Charge(kind="discount", label="A tenth off", amount=-max(draft.total, Decimal(0)) / 10)


def float_amount(draft):
    return [fee(float(draft.subtotal) * 0.1)]


def not_a_number(draft):
    return [fee(Decimal("NaN"))]


def endless(draft):
    return [fee(Decimal("Infinity"))]


def text_amount(draft):
    return [fee(str(draft.subtotal))]


def returns_none(draft):
    if draft.subtotal > 100000:
        return [fee(Decimal(1))]
    return None


def returns_amount(draft):
    return [draft.subtotal / 10]


def one_charge(draft):
    return fee(Decimal(1))


def unknown_kind(draft):
    return [fee(Decimal(1), kind="postage")]


def no_label(draft):
    return [fee(Decimal(1), label="")]


def included_fee(draft):
    return [fee(Decimal(1), is_included=True)]


def positive_discount(draft):
    return [fee(Decimal(1), kind="discount", label="Discount")]


def negative_fee(draft):
    return [fee(-draft.subtotal / 10)]


def voucher(draft):
    """Worth more than some orders."""
    return [fee(Decimal(-500), kind="discount", label="Voucher")]


def tax_of_prices(draft):
    """On the prices before the discount."""
    return [fee(draft.subtotal * Decimal("0.16"), kind="tax", label="Tax")]


def tax_times_the_price(draft):
    """Included tax, as if it were a multiple of the price."""
    return [fee(draft.subtotal * 2, kind="tax", label="Tax", is_included=True)]


def needs_country(draft):
    return [fee(Decimal(300) if draft.shipping_address["country"] == "KE" else Decimal(900))]


def needs_customer(draft):
    return [fee(Decimal(1), label=f"For {draft.customer.email}")]


def needs_weight(draft):
    return [fee(sum(line.weight for line in draft.lines))]


def first_of_the_day(draft):
    SEEN.append(draft)
    return [fee(Decimal(len(SEEN)))]


def random_fee(draft):
    return [fee(Decimal(random.randint(1, 1000)))]


def remembers_the_last(draft):
    """The amount of the order that was priced before."""
    SEEN.append(draft.subtotal)
    return [fee(SEEN[-2:][0])]


def fills_the_address(draft):
    draft.shipping_address["country"] = draft.shipping_address.get("country") or "KE"
    return [fee(Decimal(1))]


def adds_a_line(draft):
    draft.lines.append(draft.lines[0])
    return [fee(Decimal(1))]


def counts_in_the_database(draft):
    Customer.objects.create(email="counter@example.org")
    return [fee(Decimal(1))]


def one_query_per_line(draft):
    return [fee(Decimal(Customer.objects.filter(email=line.sku).count() + 1)) for line in draft.lines]


def slow_lines(draft):
    """As if it called a service for each line."""
    time.sleep(len(draft.lines) / 2000)
    return [fee(Decimal(1))]


def charges_nothing(draft):
    return []


# Validators


def minimum(draft):
    """Correct: an order over 100 at least."""
    if draft.subtotal < 100:
        raise CheckoutRefused(f"Order for at least {as_text(Decimal(100), draft.currency)} {draft.currency}.")


def returns_false(draft):
    return draft.subtotal >= 100


def returns_message(draft):
    return "Order for at least 100." if draft.subtotal < 100 else None


def raises_value_error(draft):
    if draft.subtotal < 100:
        raise ValueError("Order for at least 100.")


def raises_another_error(draft):
    if draft.subtotal < 100:
        raise InvalidInput("Order for at least 100.")


def refuses_all(draft):
    raise CheckoutRefused("No orders today.")


def refuses_nothing(draft):
    pass


def no_sentence(draft):
    if draft.subtotal < 100:
        raise CheckoutRefused("total < 100")


def shows_the_code(draft):
    if draft.subtotal < 100:
        raise CheckoutRefused(f"{draft.subtotal!r} is below the minimum.")


class OddCode(CheckoutRefused):
    code = "Too small!"


def odd_code(draft):
    if draft.subtotal < 100:
        raise OddCode("Order for at least 100.")


def fails_without_address(draft):
    if draft.shipping_address["country"] == "UG" or draft.subtotal < 100:
        raise CheckoutRefused("We do not deliver there.")


def fails_without_customer(draft):
    if draft.subtotal < 100 and draft.customer.email:
        raise CheckoutRefused("Order for at least 100.")


def divides_by_the_total(draft):
    if 100 / draft.subtotal > 1:
        raise CheckoutRefused("Order for at least 100.")


def takes_unknown_for_missing(draft):
    """It catches what reading an address raises that the buyer has not entered yet."""
    try:
        country = draft.shipping_address["country"]
    except Exception:  # noqa: BLE001 - its fault
        country = ""
    if draft.subtotal < 100 or (draft.subtotal == 100 and not country):
        raise CheckoutRefused("We do not deliver there.")


def refuses_once(draft):
    if draft.subtotal < 100 and not SEEN:
        SEEN.append(draft)
        raise CheckoutRefused("Order for at least 100.")


def changes_the_address(draft):
    minimum(draft)
    draft.shipping_address["checked"] = True


def logs_to_the_database(draft):
    Customer.objects.create(email="log@example.org")
    minimum(draft)


def asks_for_each_line(draft):
    for line in draft.lines:
        Customer.objects.filter(email=line.sku).exists()
    minimum(draft)


def too_slow(draft):
    slow_lines(draft)
    minimum(draft)


# Order numbers


def counted(order):
    """Correct, if all orders are placed in one process."""
    return f"B-{next(NUMBERS)}"


def four_digits(order):
    return str(random.randint(1000, 9999))


def always_one(order):
    return "ORDER-1"


def by_the_minute(order):
    return order.placed_at.strftime("%Y%m%d%H%M")


def by_id(order):
    return f"ORDER-{order.pk}-{next(NUMBERS)}"


def integer(order):
    return next(NUMBERS)


def too_long(order):
    return f"{uuid.uuid4()}-{next(NUMBERS):08}"


def with_a_slash(order):
    return f"2026/{next(NUMBERS)}"


def with_a_space(order):
    return f"No {next(NUMBERS)}\n"


def with_a_question_mark(order):
    return f"order?{next(NUMBERS)}"


def empty(order):
    return ""


def two_dots(order):
    return ".."


def needs_the_cart(order):
    return f"{order.cart.pk}-{next(NUMBERS)}"


def of_the_customer(order):
    """Depends only on the address."""
    return f"{order.email.encode().hex()[:20]}"


def sets_it_too(order):
    order.number = f"B-{next(NUMBERS)}"
    return order.number


def capitals_count(order):
    """a and A are two numbers to the database, and one to a customer."""
    number = next(NUMBERS)
    return f"{'b' if number % 2 else 'B'}-{number // 2}"
