"""The checks of optional attributes of products: options, maximum, groups, delivery and shared stock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.db import router, transaction

from shop_orders.exceptions import InvalidOptions
from shop_orders.models import Order, options
from shop_orders.product_sources import ProductSource
from shop_orders.product_sources.facts import needs_delivery, options_of, stock_of
from shop_orders.testing.failures import expect, outcome_of, result_of

MakeShared = Callable[..., Sequence[str]]
HOSTILE: Sequence[tuple[str, Mapping[str, str]]] = (
    ("no-such-product", {}),
    ("\x00", {"x": "y"}),
    ("", {"'": "' OR 1=1 --"}),
)


class SourceDetails:
    counts_stock: ClassVar[bool]
    example_options: ClassVar[Mapping[str, str]] = {}
    """Options that the products of ``make_product`` take, such as ``{"Engraving": "For Anna"}``."""

    @pytest.fixture
    def make_shared(self) -> MakeShared | None:
        """For a source whose products can share a stock: a callable ``(available=int) -> [ref, ref]``."""
        return None

    def test_details_are_plain_values(self, source: ProductSource, make_product: Callable[..., str]) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        product: Any = self._one(source, ref)
        for name in ("line_options", "groups"):
            value = getattr(product, name, ())
            expect(
                isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value),
                f"fetch returned a product whose {name} is {value!r}.",
                "It must be a list or tuple of texts; without the attribute there are none.",
            )
        most = getattr(product, "max_quantity", None)
        expect(
            most is None or (isinstance(most, int) and not isinstance(most, bool) and most > 0),
            f"fetch returned a product whose max_quantity is {most!r}.",
            "It must be a whole number above zero, or None for no limit of its own.",
        )
        expect(
            isinstance(getattr(product, "needs_delivery", True), bool),
            f"fetch returned a product whose needs_delivery is {getattr(product, 'needs_delivery', True)!r}.",
            "It must be True or False.",
        )
        shared = getattr(product, "stock_ref", "")
        expect(
            isinstance(shared, str),
            f"fetch returned a product whose stock_ref is {shared!r}.",
            "It must be text: products with the same text share one stock.",
        )

    def test_line_options_are_possible_names(self, source: ProductSource, make_product: Callable[..., str]) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        names = options_of(self._one(source, ref))
        try:
            cleaned = list(options.clean(dict.fromkeys(names, "x"), ref))
        except InvalidOptions as error:
            cleaned = [str(error)]
        expect(
            sorted(names) == cleaned,
            f"fetch returned a product whose line_options are {names!r}.",
            "Name at most 10 different options, in 1 to 50 characters without blanks around them, and none “items”.",
        )
        unknown = sorted(set(self.example_options) - set(names))
        expect(
            not unknown,
            f"example_options of the kit has {unknown}, and fetch returned a product with line_options {names!r}.",
            "Return the names of all options that the product takes.",
        )

    def test_options_are_accepted_or_refused_with_a_sentence(
        self, source: ProductSource, make_product: Callable[..., str]
    ) -> None:
        method = getattr(source, "refuses_options", None)
        if method is None:
            return
        ref = make_product(price=Decimal("1.00"), available=1)
        for name, chosen in ((ref, {}), (ref, {"No such": "x" * 2000}), *HOSTILE):
            why = result_of("refuses_options", method, name, chosen)
            expect(
                isinstance(why, str),
                f"refuses_options({name!r}, {chosen!r:.50}) returned {why!r}.",
                'Return "" for options that you accept, else a sentence that says what the buyer has to correct.',
            )
        why = result_of("refuses_options", method, ref, dict(self.example_options))
        expect(
            not self.example_options or why == "",
            f"refuses_options({ref!r}, {self.example_options!r}) returned {why!r}, and these are the example_options.",
            'Return "" for options that you accept.',
        )

    def test_shared_stock_is_one_stock(self, source: ProductSource, make_shared: MakeShared | None) -> None:
        """For a source whose products can share a stock."""
        if make_shared is None or not self.counts_stock:
            pytest.skip("No fixture `make_shared`: the products of this source do not share stock.")
        first, second = make_shared(available=5)
        products = {ref: self._one(source, ref) for ref in (first, second)}
        expect(
            stock_of(products[first]) == stock_of(products[second]),
            f"{first} and {second} share a stock, and fetch returned the stock_ref {stock_of(products[first])!r} and "
            f"{stock_of(products[second])!r}.",
            "Return the same text for both.",
        )
        with transaction.atomic(using=router.db_for_write(Order)):
            short = result_of("reserve", source.reserve, {first: 3, second: 3}, reference="SHARED-1")
        expect(
            bool(short) and set(short.values()) == {5},
            f"reserve was asked for 3 and 3 of two products that share 5 units, and returned {short}.",
            "Compare the sum of both with the stock, and return what is available of it.",
        )
        with transaction.atomic(using=router.db_for_write(Order)):
            result_of("reserve", source.reserve, {first: 3}, reference="SHARED-2")
        left = self._one(source, second).available
        expect(
            left == 2,
            f"reserve took 3 of the 5 units that {first} and {second} share, and fetch returned available={left}.",
            "Return what is left of the shared stock for each of its products.",
        )

    def test_goods_without_delivery_are_goods(self, source: ProductSource, make_product: Callable[..., str]) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        product = self._one(source, ref)
        expect(
            needs_delivery(product) or product.weight is None,
            f"fetch returned a product that needs no delivery and has the weight {product.weight}.",
            "Return weight=None for what is not sent: shipping hooks would charge for it.",
        )

    def _one(self, source: ProductSource, ref: str) -> Any:
        found = result_of("fetch", source.fetch, [ref])
        is_found = isinstance(found, Mapping) and ref in found
        expect(is_found, f"fetch([{ref!r}]) {outcome_of(found)}.", "Return {ref: product} for what is on sale.")
        return found[ref]
