"""The rules of the replay on invented invoices, and its report of differences."""

from decimal import Decimal

import pytest
from replay import books, report
from replay.invoices import Invoice, Line


def line(code="22423", quantity=1, price="2.50"):
    return Line(code, f"Thing {code}", quantity, Decimal(price))


def invoice(number, *lines, customer="1"):
    return Invoice(number, customer, lines or (line(),))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line(quantity=0), "quantity not above zero"),
        (line(quantity=-3), "quantity not above zero"),
        (line(price="0.00"), "price not above zero"),
        (line(price="-11062.06"), "price not above zero"),
        (line(price="0.001"), "price in fractions of a penny"),
        (line(code="POST"), "not a product"),
        (line(code="M"), "not a product"),
        (line(code="BANK CHARGES"), "not a product"),
    ],
)
def test_invoice_with_one_bad_line_is_refused(bad, reason):
    kept = books.keep([invoice("1", line(), bad)])
    assert kept.fates == {"1": f"refused: {reason}"}
    assert (kept.ordered, kept.sales) == (0, {})


def test_lines_of_one_product_at_one_price_are_added_up():
    kept = books.keep([invoice("1", line(quantity=2), line(quantity=3), line(price="3.00"))])
    assert kept.sales["1"].quantities == {("22423", Decimal("2.50")): 5, ("22423", Decimal("3.00")): 1}
    assert kept.ordered == Decimal("15.50")


def test_cancellation_cancels_the_latest_open_order_with_the_same_lines():
    kept = books.keep(
        [
            invoice("1", line(quantity=2)),
            invoice("2", line(quantity=2)),
            invoice("3", line(quantity=9)),
            invoice("4", line(quantity=2), customer="2"),
            invoice("C5", line(quantity=-2)),
            invoice("C6", line(quantity=-2)),
            invoice("C7", line(quantity=-2)),
            invoice("C8", line(quantity=-1)),
        ]
    )
    assert kept.cancelled == {"C5": "2", "C6": "1"}
    assert [kept.fates[number] for number in ("C7", "C8")] == [books.RETURN] * 2
    assert (kept.ordered, kept.taken_back) == (Decimal("37.50"), Decimal("10.00"))
    assert kept.reserved == {("22423", Decimal("2.50")): 11}


def test_cancellation_without_a_customer_is_a_return():
    kept = books.keep([invoice("1", customer=""), invoice("C2", line(quantity=-1), customer="")])
    assert kept.fates == {"1": "sale", "C2": books.RETURN}


def test_the_most_frequent_price_keeps_the_plain_code():
    sales = [invoice("1", line(price="3.00")), invoice("2", line()), invoice("3", line())]
    assert books.skus(sales) == {("22423", Decimal("2.50")): "22423", ("22423", Decimal("3.00")): "22423-3"}


def test_tax_is_rounded_for_each_line_of_a_product():
    """2 x 2.50 at 20 %: 0.83; 0.99 at 5 %: 0.05; 1.00 at none."""
    sale = [line("22423", 2), line("22421", price="0.99"), line("22420A", price="1.00"), line("22423", 2, "0.01")]
    kept = books.keep([invoice("1", *sale), invoice("2", line("22423", 2))])
    assert kept.taxes == {
        Decimal("0.20"): (Decimal("8.36"), Decimal("1.66")),
        Decimal("0.05"): (Decimal("0.94"), Decimal("0.05")),
        Decimal(0): (Decimal("1.00"), Decimal("0.00")),
    }
    assert sum(base + tax for base, tax in kept.taxes.values()) == kept.ordered


@pytest.mark.django_db
def test_report_lists_orders_missing_from_the_shop(capsys):
    sales = [invoice("1", line(quantity=2))]
    faults = report.compare(books.keep(sales), books.skus(sales))
    assert "orders: 1 in the file, 0 in the shop" in faults
    assert "  total, GBP: 5.00 in the file, 0.00 in the shop" in faults
    assert "  taxed at 20 %, GBP: 4.17 in the file, 0.00 in the shop" in faults
    assert "  tax of all lines, GBP: 0.83 in the file, 0.00 in the shop" in faults
    assert "22423: 2 units held in the file, 0 in the shop" in faults
    assert report.compare(books.keep([]), {}) == []
    assert "Stock equals the ledger" in capsys.readouterr().out
