"""The contract kit of product sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, cast

import pytest
from django.db import connections, router, transaction
from django.test.utils import CaptureQueriesContext
from shop_core.money import quantise

from shop_orders.conf import app_settings
from shop_orders.models import Order
from shop_orders.product_sources import ProductSource, SourceProduct
from shop_orders.testing.failures import expect, fail, outcome_of, result_of
from shop_orders.testing.source_details import SourceDetails
from shop_orders.testing.source_races import SourceRaces

MakeProduct = Callable[..., str]
NO_SUCH = "no-such-product"
ONE_READ = "Read all refs with one query (`ref__in=refs`)."
ALL_OR_NONE = "Compare every line with the stock first, under locks; take all lines, or none and return what is short."


@pytest.mark.django_db
class ProductSourceContract(SourceDetails, SourceRaces):
    """The behaviour of product sources. Its races need PostgreSQL, and are skipped elsewhere.

    Fixtures to define: ``source``, and ``make_product(price=Decimal, available=int) -> ref``. For products that take
    options set ``example_options``, for products that share a stock define ``make_shared``.
    """

    counts_stock: ClassVar[bool] = True
    """False: the source does not track stock, ``available`` is always None."""
    rolls_back: ClassVar[bool] = True
    """False: the stock is not in the database, as that of the in-memory source of tests. A shop must not sell from it:
    an order that fails after its reservation would leave the stock reserved."""
    has_ledger: ClassVar[bool] = False
    """True: a repeated call with the same reference changes nothing."""

    @pytest.fixture
    def source(self) -> ProductSource:
        """Your product source, constructed as with its OPTIONS."""
        raise NotImplementedError("Define a fixture `source` that returns your product source.")

    @pytest.fixture
    def make_product(self) -> MakeProduct:
        """A callable ``(price=Decimal, available=int) -> ref`` that puts a new product on sale in CURRENCY."""
        raise NotImplementedError("Define a fixture `make_product(price=..., available=...) -> ref`.")

    def test_fetch_returns_plain_values_by_ref(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("12.50"), available=3)
        product = self._fetch(source, [ref]).get(ref)
        if product is None:
            fail(f"fetch([{ref!r}]) returned no product of that ref.", "Return {ref: product} for what is on sale.")
        kinds: Mapping[str, Any] = {
            "ref": str,
            "sku": str,
            "name": str,
            "unit_price": Decimal,
            "currency": str,
            "tax_class": str,
            "price_includes_tax": bool,
            "available": int | None,
            "weight": Decimal | None,
            "url": str,
            "image": str,
        }
        for name, kind in kinds.items():
            value = result_of(f"fetch(...)[{ref!r}].{name}", getattr, product, name)
            expect(
                isinstance(value, kind),
                f"fetch returned a product whose {name} is {value!r}.",
                f"It must be {getattr(kind, '__name__', kind)}: orders stores it, and sends it as JSON.",
            )
        expect(product.ref == ref, f"fetch returned {product.ref!r} under the key {ref!r}.", "Both are the ref.")
        expect(product.name, "fetch returned a product without a name.", "The order shows the name.")
        expect(
            product.currency == app_settings.CURRENCY,
            f"fetch returned a price in {product.currency!r}, and the shop's CURRENCY is {app_settings.CURRENCY!r}.",
            "Leave out products that have no price in CURRENCY.",
        )
        expect(
            product.unit_price == Decimal("12.50") and product.unit_price == quantise(product.unit_price, "KES"),
            f"A product costs 12.50, and fetch returned the unit_price {product.unit_price!r}.",
            "Return the price of one unit as a Decimal in the currency's main unit, rounded to its decimals.",
        )
        wanted = 3 if self.counts_stock else None
        expect(
            product.available == wanted,
            f"3 units are on hand, and fetch returned available={product.available!r}.",
            "Return the units that can be sold, or None, with counts_stock = False, where stock is not tracked.",
        )

    def test_fetch_omits_unknown_products(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        odd = [NO_SUCH, "", "0", "-1", "9" * 30, "a/b", "ü", "' OR 1=1 --", "\x00", "x" * 5000]
        found = set(self._fetch(source, [ref, *odd]))
        expect(
            found == {ref},
            f"fetch was asked for {ref!r} and refs that do not exist, and returned {sorted(found)}.",
            "Leave out what is not on sale, and never raise: refs come from customers.",
        )

    def test_fetch_matches_refs_exactly(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=1)
        others = [f" {ref}", f"{ref} ", f"0{ref}", *({ref.lower(), ref.upper()} - {ref})]
        found = set(self._fetch(source, others))
        expect(
            not found,
            f"There is a product {ref!r}; fetch was asked for {others}, and returned {sorted(found)}.",
            "Compare refs exactly: the same product under two refs would be two lines.",
        )

    def test_fetch_reads_its_refs_once(self, source: ProductSource, make_product: MakeProduct) -> None:
        refs = [make_product(price=Decimal("1.00"), available=1) for _number in range(2)]
        found = set(self._fetch(source, iter(refs)))
        expect(
            found == set(refs),
            f"fetch was given {refs} as an iterator, and returned {sorted(found)}.",
            "`refs` is an Iterable that can be read once: put it into a list first.",
        )
        expect(not self._fetch(source, []), "fetch([]) returned products.", "Return {}.")

    def test_fetch_takes_the_same_number_of_queries_for_many(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        refs = [make_product(price=Decimal("1.00"), available=1) for _number in range(12)]
        few = self._queries(lambda: self._fetch(source, refs[:2]))
        many = self._queries(lambda: self._fetch(source, refs))
        expect(many == few, f"fetch made {few} queries for 2 products and {many} for 12.", ONE_READ)

    def test_reserve_takes_and_release_gives_back(self, source: ProductSource, make_product: MakeProduct) -> None:
        refs = [make_product(price=Decimal("1.00"), available=5) for _number in range(2)]
        self._reserve(source, {refs[0]: 2, refs[1]: 5}, reference="ORDER-1")
        self._check_available(source, {refs[0]: 3, refs[1]: 0}, after="reserve took 2 and 5 of 5 units")
        self._change(source, "release", {refs[0]: 2, refs[1]: 5}, reference="ORDER-1")
        self._check_available(source, {refs[0]: 5, refs[1]: 5}, after="release gave them back")

    def test_release_gives_back_a_part(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=9)
        self._reserve(source, {ref: 6}, reference="ORDER-1")
        for reference, units, left in (
            ("ORDER-1#cancelled-1", 1, 4),
            ("ORDER-1#cancelled-2", 2, 6),
            ("ORDER-1", 3, 9),
        ):
            self._change(source, "release", {ref: units}, reference=reference)
            self._check_available(
                source,
                {ref: left},
                after=f"6 of 9 units were reserved, and release gave back {units} as {reference}",
                do="Give back the units that release is called with: an order can be cancelled in parts.",
            )

    def test_reserve_takes_all_or_nothing(self, source: ProductSource, make_product: MakeProduct) -> None:
        if not self.counts_stock:
            return
        refs = [make_product(price=Decimal("1.00"), available=available) for available in (5, 1, 2)]
        short = self._reserve(source, {refs[0]: 5, refs[1]: 2, refs[2]: 3}, reference="ORDER-1", short=None)
        expect(
            short == {refs[1]: 1, refs[2]: 2},
            f"reserve was asked for 5, 2 and 3 of {refs}, with 5, 1 and 2 on hand, and returned {short}.",
            "Return what is available of each ref that has too few.",
        )
        self._check_available(
            source, {refs[0]: 5, refs[1]: 1, refs[2]: 2}, after="reserve was short of two refs", do=ALL_OR_NONE
        )

    def test_reserve_reports_an_unknown_product_as_short(self, source: ProductSource) -> None:
        short = self._reserve(source, {NO_SUCH: 1}, reference="ORDER-1", short=None)
        expect(
            short == {NO_SUCH: 0},
            f"reserve was asked for a product that does not exist, and returned {short}.",
            "Return {ref: 0}: it may have been deleted since it was put into the cart.",
        )

    def test_release_ignores_a_deleted_product(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        self._reserve(source, {ref: 3}, reference="ORDER-1")
        self._change(source, "release", {ref: 3, NO_SUCH: 1}, reference="ORDER-1")
        self._check_available(source, {ref: 5}, after="release was called for it and for a product that was deleted")

    def test_reserved_stock_cannot_be_reserved_again(self, source: ProductSource, make_product: MakeProduct) -> None:
        if not self.counts_stock:
            return
        ref = make_product(price=Decimal("1.00"), available=5)
        self._reserve(source, {ref: 3}, reference="ORDER-1")
        short = self._reserve(source, {ref: 3}, reference="ORDER-2", short=None)
        expect(
            short == {ref: 2},
            f"5 units are on hand; reserve took 3, and for 3 more it returned {short}.",
            "What is reserved is not available to the next order.",
        )
        self._check_available(source, {ref: 2}, after="3 of 5 were reserved, and 3 more were refused")

    def test_reserve_is_rolled_back_with_the_transaction(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        with transaction.atomic(using=self._using):
            result_of("reserve", source.reserve, {ref: 2}, reference="ORDER-1")
            transaction.set_rollback(True, using=self._using)
        self._check_available(
            source,
            {ref: 5 if self.rolls_back else 3},
            after="the transaction in which reserve took 2 of 5 was rolled back",
            do="Write the stock on the connection of the caller's transaction. For a source whose stock is not in the "
            "database, set rolls_back = False.",
        )

    def test_shipped_goods_are_not_available_until_restocked(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        ref = make_product(price=Decimal("1.00"), available=5)
        self._reserve(source, {ref: 3}, reference="ORDER-1")
        self._change(source, "ship", {ref: 3}, reference="ORDER-1-1")
        self._check_available(source, {ref: 2}, after="ship sent 3 of 5 units, which were reserved")
        self._change(source, "restock", {ref: 1}, reference="RETURN-1")
        self._check_available(source, {ref: 3}, after="restock took 1 of 3 shipped units back")

    def test_each_reference_counts(self, source: ProductSource, make_product: MakeProduct) -> None:
        ref = make_product(price=Decimal("1.00"), available=10)
        for number in range(1, 4):
            self._reserve(source, {ref: 2}, reference=f"ORDER-{number}")
        self._change(source, "release", {ref: 2}, reference="ORDER-1")
        for number in (2, 3):
            self._change(source, "ship", {ref: 2}, reference=f"ORDER-{number}-1")
            self._change(source, "restock", {ref: 1}, reference=f"RETURN-{number}")
        self._check_available(
            source,
            {ref: 8},
            after="3 orders took 2 of 10 units each; one was released, two were shipped, and 1 unit of each returned",
        )

    def test_repeated_call_changes_nothing(self, source: ProductSource, make_product: MakeProduct) -> None:
        """For a source with a ledger."""
        if not self.has_ledger:
            pytest.skip("The source has no ledger (has_ledger = False), and orders never repeats a call.")
        ref = make_product(price=Decimal("1.00"), available=9)
        steps = (
            ("reserve", "ORDER-1", 5, 4),
            ("release", "ORDER-1", 2, 6),
            ("ship", "S-1", 3, 6),
            ("restock", "R-1", 1, 7),
        )
        for method, reference, quantity, left in steps:
            for _time in range(2):
                with transaction.atomic(using=self._using):
                    result_of(method, getattr(source, method), {ref: quantity}, reference=reference)
            self._check_available(source, {ref: left}, after=f"{method} was called twice with the same reference")

    def test_reserve_takes_the_same_number_of_queries_for_many(
        self, source: ProductSource, make_product: MakeProduct
    ) -> None:
        refs = [make_product(price=Decimal("1.00"), available=5) for _number in range(12)]
        few = self._queries(lambda: self._reserve(source, dict.fromkeys(refs[:2], 1), reference="ORDER-1"))
        many = self._queries(lambda: self._reserve(source, dict.fromkeys(refs, 1), reference="ORDER-2"))
        expect(
            many == few,
            f"reserve made {few} queries for 2 products and {many} for 12.",
            "Lock all rows with one query and change them with one: checkout holds locks meanwhile.",
        )

    @property
    def _using(self) -> str:
        return router.db_for_write(Order)

    def _queries(self, call: Callable[[], object]) -> int:
        with CaptureQueriesContext(connections[self._using]) as made:
            call()
        return len(made)

    def _fetch(self, source: ProductSource, refs: Any) -> Mapping[str, SourceProduct]:
        found = result_of("fetch", source.fetch, refs)
        expect(isinstance(found, Mapping), f"fetch {outcome_of(found)}.", "Return {ref: product}.")
        return cast("Mapping[str, SourceProduct]", found)

    def _reserve(
        self, source: ProductSource, quantities: Mapping[str, int], *, reference: str, short: object = ()
    ) -> dict[str, int]:
        """What ``reserve`` returns as short; with the default of ``short`` that must be nothing."""
        with transaction.atomic(using=self._using):
            found = result_of("reserve", source.reserve, quantities, reference=reference)
        expect(
            isinstance(found, Mapping),
            f"reserve {outcome_of(found)}.",
            "Return {}, or {ref: available} of short refs.",
        )
        expect(
            short is None or not found,
            f"reserve({dict(quantities)}) returned {found}, but there was enough.",
            "Return {} when everything was reserved.",
        )
        return dict(found)

    def _change(self, source: ProductSource, method: str, quantities: Mapping[str, int], *, reference: str) -> None:
        with transaction.atomic(using=self._using):
            result_of(method, getattr(source, method), quantities, reference=reference)

    def _check_available(self, source: ProductSource, expected: dict[str, int], *, after: str, do: str = "") -> None:
        """A source may omit a product that is sold out."""
        products = self._fetch(source, expected)
        found = {ref: products[ref].available if ref in products else 0 for ref in expected}
        wanted = expected if self.counts_stock else dict.fromkeys(expected)
        remedy = do or "Change the stock by exactly what the call says, once."
        expect(found == wanted, f"{after}, and fetch returned available {found}; expected: {wanted}.", remedy)
