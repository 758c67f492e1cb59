"""The data that a shop must have after the invoices, computed from the file without the shop."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from replay.invoices import Invoice, Key

RATES = {"standard": Decimal("0.20"), "reduced": Decimal("0.05"), "zero": Decimal(0)}
"""The rates of tax, which prices include."""
PENNY = Decimal("0.01")

REFUSED = "refused: "
RETURN = "return without a matching order"


@dataclass
class Books:
    """``fates`` has, for every invoice number, ``sale``, ``cancellation``, or the reason why it was skipped."""

    fates: dict[str, str] = field(default_factory=dict)
    sales: dict[str, Invoice] = field(default_factory=dict)
    cancelled: dict[str, str] = field(default_factory=dict)
    """The number of a cancellation, and of the sale that it cancels."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.fates.values())

    @property
    def ordered(self) -> Decimal:
        return sum((sale.total for sale in self.sales.values()), Decimal(0))

    @property
    def taken_back(self) -> Decimal:
        return sum((self.sales[number].total for number in self.cancelled.values()), Decimal(0))

    @property
    def taxes(self) -> dict[Decimal, tuple[Decimal, Decimal]]:
        """For each rate, the amount without tax and the tax of all sales. Each line is rounded half up."""
        sums = {rate: [Decimal(0), Decimal(0)] for rate in RATES.values()}
        for sale in self.sales.values():
            for (code, price), units in sale.quantities.items():
                rate = RATES[tax_class(code)]
                tax = (units * price * rate / (1 + rate)).quantize(PENNY, rounding=ROUND_HALF_UP)
                sums[rate][0] += units * price - tax
                sums[rate][1] += tax
        return {rate: (base, tax) for rate, (base, tax) in sums.items()}

    @property
    def reserved(self) -> Counter[Key]:
        """The units of open orders, by product."""
        units: Counter[Key] = Counter()
        gone = set(self.cancelled.values())
        for number, sale in self.sales.items():
            if number not in gone:
                units.update(sale.quantities)
        return units


def keep(invoices: Iterable[Invoice]) -> Books:
    """Apply the rules of the replay to the invoices.

    A line that cannot be sold skips its invoice. A cancellation cancels the customer's latest open order with exactly
    its lines; without one it is a return without a matching order.
    """
    books = Books()
    open_sales: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.is_cancellation:
            books.fates[invoice.number] = _cancel(invoice, open_sales[invoice.customer], books)
        elif invoice.fault:
            books.fates[invoice.number] = REFUSED + invoice.fault
        else:
            books.fates[invoice.number] = "sale"
            books.sales[invoice.number] = invoice
            if invoice.customer:
                open_sales[invoice.customer].append(invoice)
    return books


def _cancel(invoice: Invoice, open_sales: list[Invoice], books: Books) -> str:
    wanted = {key: -quantity for key, quantity in invoice.quantities.items()}
    for sale in reversed(open_sales):
        if sale.quantities == wanted:
            open_sales.remove(sale)
            books.cancelled[invoice.number] = sale.number
            return "cancellation"
    return RETURN


def tax_class(code: str) -> str:
    """The file has no tax, so the last digit of a stock code says how a product is taxed."""
    return {"0": "zero", "1": "reduced"}.get(code[4], "standard")


def skus(invoices: Iterable[Invoice]) -> dict[Key, str]:
    """A SKU for each stock code and price. The most frequent price of a code keeps the plain code."""
    counts: dict[str, Counter[Decimal]] = defaultdict(Counter)
    for invoice in invoices:
        for code, price in invoice.quantities:
            counts[code][price] += 1
    return {
        (code, price): code if place == 0 else f"{code}-{price.normalize():f}"
        for code, prices in counts.items()
        for place, (price, _count) in enumerate(prices.most_common())
    }


def catalogue(books: Books, codes: dict[Key, str]) -> Iterator[dict[str, str]]:
    """Rows for ``import_products``: the sold products, with enough stock for every sale."""
    names: dict[Key, Counter[str]] = defaultdict(Counter)
    units: Counter[Key] = Counter()
    for sale in books.sales.values():
        units.update(sale.quantities)
        for line in sale.lines:
            names[line.code, line.unit_price][line.name] += bool(line.name)
    for key, quantity in units.items():
        yield {
            "sku": codes[key],
            "name": names[key].most_common(1)[0][0] or codes[key],
            "price": f"{key[1]:.2f}",
            "stock_quantity": str(quantity),
            "tax_class": tax_class(key[0]),
        }
