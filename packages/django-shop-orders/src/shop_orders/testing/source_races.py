"""The races of product sources: real threads, each with a connection of its own, on PostgreSQL."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from threading import Barrier
from typing import Any, ClassVar

import pytest
from django.db import connections, router, transaction

from shop_orders.models import Order
from shop_orders.product_sources import ProductSource
from shop_orders.testing.failures import expect

PAUSE_SECONDS = 0.01
"""The pause after each statement of a race: it lets another thread act between reading the stock and changing it."""
LOCK = "Lock the rows first (`select_for_update`, ordered by key), or change them by one conditional UPDATE."
SORT = "Lock and change the rows of all lines in the same order, such as that of their keys, in every method."


class SourceRaces:
    counts_stock: ClassVar[bool]
    rolls_back: ClassVar[bool]
    has_ledger: ClassVar[bool]

    @pytest.mark.django_db(transaction=True)
    def test_racing_buyers_get_exactly_the_units(
        self, source: ProductSource, make_product: Callable[..., str]
    ) -> None:
        self._needs_postgresql()
        ref = make_product(price=Decimal("1.00"), available=5)
        works = [self._call(source, "reserve", {ref: 1}, f"RACE-{number}") for number in range(8)]
        results = at_once(works)
        sold = sum(result == {} for result in results)
        left = self._left(source, [ref])
        expect(
            (sold, left, Counter(map(str, results))) == (5, [0], Counter({"{}": 5, str({ref: 0}): 3})),
            f"8 buyers raced for 5 units: reserve sold {sold}, {left[0]} are left, and the results were {results}.",
            f"Exactly 5 get one, and the others learn that 0 are left. {LOCK}",
        )

    @pytest.mark.django_db(transaction=True)
    def test_racing_orders_of_several_products_do_not_deadlock(
        self, source: ProductSource, make_product: Callable[..., str]
    ) -> None:
        self._needs_postgresql()
        refs = [make_product(price=Decimal("1.00"), available=20) for _number in range(3)]
        names = [f"RACE-{number}" for number in range(4)]
        description: Sequence[tuple[str, int, str]] = (
            ("reserve", 3, ""), ("release", 1, ""), ("ship", 2, "-1"), ("restock", 1, "-R")
        )  # fmt: skip
        for method, quantity, ending in description:
            works = []
            for number, name in enumerate(names):
                lines = refs if number % 2 else refs[::-1]
                works.append(self._call(source, method, dict.fromkeys(lines, quantity), name + ending))
            errors = [result for result in at_once(works) if result not in ({}, None)]
            expect(
                not errors,
                f"4 orders of the same 3 products, half of them in reverse order, called {method} at once; "
                f"{len(errors)} of them got {errors[:1]}.",
                SORT,
            )
        left = self._left(source, refs)
        expect(
            left == [16] * 3,
            f"4 orders reserved 3 of 20 units each, gave back 1, shipped 2 and took back 1; {left} are left, not 16.",
            f"A change was lost. {LOCK}",
        )

    @pytest.mark.django_db(transaction=True)
    def test_racing_repeated_calls_count_once(self, source: ProductSource, make_product: Callable[..., str]) -> None:
        """For a source with a ledger."""
        self._needs_postgresql()
        if not self.has_ledger:
            pytest.skip("The source has no ledger (has_ledger = False), and orders never repeats a call.")
        ref = make_product(price=Decimal("1.00"), available=9)
        for method, quantity, left in (("reserve", 5, 4), ("release", 2, 6), ("ship", 3, 6), ("restock", 1, 7)):
            at_once([self._call(source, method, {ref: quantity}, "RACE-1")] * 4)
            found = self._left(source, [ref])
            expect(
                found == [left],
                f"{method} was called 4 times at once with the same reference; {found[0]} are left, not {left}.",
                "Insert the ledger's row first, unique for each product, method and reference.",
            )

    def _needs_postgresql(self) -> None:
        if not self.counts_stock:
            pytest.skip("The source does not track stock (counts_stock = False): there is nothing to race for.")
        if not self.rolls_back:
            pytest.skip(
                "The stock is not in the database (rolls_back = False): a shop must not sell from this source."
            )
        vendor = connections[router.db_for_write(Order)].vendor
        if vendor != "postgresql":
            pytest.skip(
                f"NOT RACED: {vendor} allows one writer at a time. Run these tests on PostgreSQL before you sell from "
                "this source there."
            )

    def _call(
        self, source: ProductSource, method: str, quantities: Mapping[str, int], reference: str
    ) -> Callable[[], Any]:
        def call() -> Any:
            with transaction.atomic(using=router.db_for_write(Order)):
                return getattr(source, method)(quantities, reference=reference)

        return call

    def _left(self, source: ProductSource, refs: Sequence[str]) -> list[int | None]:
        products = source.fetch(refs)
        return [products[ref].available if ref in products else 0 for ref in refs]


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of callables that start at the same moment on connections of their own, or what they raised."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            with slow_statements():
                barrier.wait()
                result = work()
                return dict(result) if isinstance(result, Mapping) else result
        except Exception as error:  # noqa: BLE001 - the race reports whatever happens
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@contextmanager
def slow_statements() -> Iterator[None]:
    """A pause after each statement of this thread."""

    def execute(run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
        result = run(sql, params, many, context)
        time.sleep(PAUSE_SECONDS)
        return result

    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(execute))
        yield
