from collections.abc import Iterable
from decimal import Decimal

from shop_orders.pricing import Charge, Draft


def paper_bags(draft: Draft, *, loaves_in_a_bag: int = 3, price: str = "5.00") -> Iterable[Charge]:
    """A paper bag for each three loaves."""
    loaves = sum(line.quantity for line in draft.lines)
    if loaves:
        bags = -(-loaves // loaves_in_a_bag)
        yield Charge(kind="fee", label="Paper bags", amount=bags * Decimal(price), tax_class="paper")
