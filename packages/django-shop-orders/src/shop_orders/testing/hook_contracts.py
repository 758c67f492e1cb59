"""The contract kits of hooks in the settings: pricing hooks, validators and order numbers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, get_args

import pytest
from django.conf import settings
from django.db import connections, router
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.functional import Promise
from shop_core.hooks import load_hook
from shop_core.money import MAX_AMOUNT, quantise

from shop_orders import numbers, pricing
from shop_orders.checkout import NUMBER_ATTEMPTS
from shop_orders.conf import app_settings
from shop_orders.models import Order
from shop_orders.pricing import Charge, Draft, Kind
from shop_orders.testing.drafts import CURRENCIES, drafts, large_draft, make_draft
from shop_orders.testing.failures import expect, fail, result_of

WRITES = ("INSERT", "UPDATE", "DELETE")
PURE = "It is called each time a cart is shown: it must be a pure function of the draft."


class HookContract:
    """The base of the kits of hooks."""

    hook: ClassVar[str | Mapping[str, Any]]
    """The hook as in the settings: a dotted path, or ``{"BACKEND": ..., "OPTIONS": {...}}``."""
    max_seconds: ClassVar[float] = 1.0
    """The longest that a call may take for an order of 500 lines."""

    def call(self, *arguments: Any, allowed: tuple[type[Exception], ...] = ()) -> Any:
        """What the hook returns, or the allowed exception that it raised."""
        function = result_of(f"load_hook({self.hook!r})", load_hook, self.hook)
        return result_of(self.name, function, *arguments, allowed=allowed)

    @property
    def name(self) -> str:
        path = self.hook if isinstance(self.hook, str) else str(self.hook["BACKEND"])
        return path.rpartition(".")[2]

    def queries(self, call: Callable[[], Any]) -> list[str]:
        with CaptureQueriesContext(connections[router.db_for_write(Order)]) as made:
            call()
        return [query["sql"] for query in made.captured_queries]

    def check_read_only(self, call: Callable[[], Any]) -> None:
        writes = [sql for sql in self.queries(call) if sql.lstrip().startswith(WRITES)]
        expect(not writes, f"{self.name} wrote to the database: {writes[:1]!r:.200}.", PURE)

    def check_speed(self, call: Callable[[Draft], Any]) -> None:
        currency = CURRENCIES[0]
        few, many = (len(self.queries(partial(call, large_draft(currency, lines)))) for lines in (2, 50))
        expect(
            many == few,
            f"{self.name} made {few} queries for 2 lines and {many} for 50.",
            "Read what it needs with one query for all lines.",
        )
        draft, started = large_draft(currency), time.monotonic()
        call(draft)
        seconds = time.monotonic() - started
        expect(
            seconds <= self.max_seconds,
            f"{self.name} took {seconds:.2f} seconds for an order of 500 lines.",
            f"It may take {self.max_seconds}: customers wait for it each time the cart is shown.",
        )


@pytest.mark.django_db
class PricingHookContract(HookContract):
    """The behaviour of a hook in PRICING. Set ``hook``; nothing else is needed."""

    currencies: ClassVar[Sequence[str]] = CURRENCIES

    @pytest.fixture
    def charged_draft(self) -> Draft:
        """An order for which the hook returns a charge."""
        return make_draft("600", "150.50", currency=self.currencies[0], quantity=2, shipping_address={"country": "KE"})

    def test_it_returns_charges_for_every_draft(self) -> None:
        kinds = get_args(Kind)
        for case, draft in self._drafts():
            for charge in self._charges(draft, case):
                expect(
                    charge.kind in kinds,
                    f"{self.name} returned a charge of the kind {charge.kind!r} for an order {case}.",
                    f"Use one of {', '.join(kinds)}.",
                )
                expect(
                    isinstance(charge.label, str | Promise) and 0 < len(str(charge.label)) <= 200,
                    f"{self.name} returned a charge with the label {charge.label!r} for an order {case}.",
                    "Write what customers read in the order, in at most 200 characters.",
                )
                expect(
                    isinstance(charge.is_included, bool) and (charge.kind == "tax" or not charge.is_included),
                    f"{self.name} returned {charge!r} for an order {case}.",
                    "is_included is True for a tax that the prices include already, and False for all else.",
                )

    def test_it_charges_something(self, charged_draft: Draft) -> None:
        charges = self._charges(charged_draft, "of the fixture `charged_draft`")
        expect(
            any(charge.amount for charge in charges),
            f"{self.name} returned no charge for an order over {charged_draft.subtotal} {charged_draft.currency}.",
            "Define a fixture `charged_draft` that returns an order for which it charges.",
        )

    def test_amounts_are_exact_decimals(self) -> None:
        for case, draft in self._drafts():
            for charge in self._charges(draft, case):
                expect(
                    abs(charge.amount) <= MAX_AMOUNT,
                    f"{self.name} returned the amount {charge.amount} for an order {case}.",
                    f"No amount of an order can be larger than {MAX_AMOUNT}.",
                )

    def test_amounts_have_their_sign(self) -> None:
        for case, draft in self._drafts():
            for charge in self._charges(draft, case):
                is_right = charge.amount <= 0 if charge.kind == "discount" else charge.amount >= 0
                expect(
                    is_right,
                    f"{self.name} returned a {charge.kind} of {charge.amount} {draft.currency} for an order {case}.",
                    "A discount is negative or zero; shipping, fees and tax are never negative.",
                )

    def test_total_is_never_negative(self) -> None:
        for case, draft in self._drafts():
            amounts = [charge.amount for charge in self._charges(draft, case) if not charge.is_included]
            total = draft.total + sum((quantise(amount, draft.currency) for amount in amounts), Decimal(0))
            expect(
                total >= 0,
                f"{self.name} makes the total of an order {case} {total} {draft.currency}.",
                "Limit a discount to what is left: max(discount, -draft.total).",
            )

    def test_free_order_has_no_tax(self) -> None:
        for case, draft in self._drafts():
            if draft.total:
                continue
            taxes = [charge.amount for charge in self._charges(draft, case) if charge.kind == "tax"]
            expect(
                not any(quantise(amount, draft.currency) for amount in taxes),
                f"{self.name} returned a tax of {taxes} for an order {case}, whose total is 0.",
                "Tax what is left after discounts, not the prices.",
            )

    def test_included_tax_is_part_of_the_total(self) -> None:
        for case, draft in self._drafts():
            included = [charge.amount for charge in self._charges(draft, case) if charge.is_included]
            expect(
                sum(included, Decimal(0)) <= draft.total,
                f"{self.name} says that {sum(included, Decimal(0))} {draft.currency} of tax are included in the "
                f"{draft.total} of an order {case}.",
                "From a price that includes tax, the tax is price × rate ÷ (1 + rate).",
            )

    def test_same_draft_has_the_same_charges(self) -> None:
        seen = []
        for case, draft in self._drafts():
            first = self._charges(draft, case)
            seen.append((case, draft, first))
            again = self._charges(draft, case)
            expect(again == first, f"{self.name} returned {first}, and then {again}, for an order {case}.", PURE)
        for case, draft, first in seen:
            again = self._charges(draft, case)
            expect(
                again == first,
                f"{self.name} returned {first} for an order {case}, and {again} after it had been called for others.",
                f"Keep nothing between calls. {PURE}",
            )

    def test_draft_is_not_changed(self) -> None:
        for case, draft in self._drafts():
            before = deepcopy((draft.lines, draft.charges, draft.shipping_address))
            self._charges(draft, case)
            expect(
                (draft.lines, draft.charges, draft.shipping_address) == before,
                f"{self.name} changed the draft of an order {case}.",
                "Other hooks, and the order, read the same draft: copy what you change.",
            )

    def test_it_writes_nothing(self, charged_draft: Draft) -> None:
        self.check_read_only(lambda: self._charges(charged_draft, "of the fixture `charged_draft`"))

    def test_many_lines_are_priced_quickly(self) -> None:
        self.check_speed(lambda draft: self._charges(draft, "with many lines"))

    def test_the_shop_can_price_with_it(self) -> None:
        """With this hook alone, through ``pricing.price``, as a cart does."""
        changed = {**getattr(settings, app_settings.setting, {}), "PRICING": [self.hook]}
        with override_settings(**{app_settings.setting: changed}):
            for case, draft in self._drafts():
                if draft.charges:
                    continue
                priced = result_of(f"price, with {self.name} and an order {case},", pricing.price, draft)
                total = quantise(priced.total, draft.currency)
                expect(
                    0 <= total == priced.total == priced.net_total + priced.tax_total,
                    f"With {self.name}, an order {case} has the total {priced.total}, of which {priced.net_total} "
                    f"are net and {priced.tax_total} tax.",
                    "The total is not negative, has the currency's decimals, and is the sum of net and tax.",
                )

    def _drafts(self) -> Iterator[tuple[str, Draft]]:
        for currency in self.currencies:
            for case, draft in drafts(currency):
                yield f"in {currency} {case}", draft

    def _charges(self, draft: Draft, case: str) -> list[Charge]:
        def listed() -> list[Any]:
            returned = load_hook(self.hook)(draft)
            if not isinstance(returned, Iterable):
                fail(
                    f"{self.name} returned {returned!r} for an order {case}.",
                    "Return or yield Charges; [] for none.",
                )
            return list(returned)

        result_of(f"load_hook({self.hook!r})", load_hook, self.hook)
        charges = result_of(f"{self.name}, called for an order {case},", listed)
        for charge in charges:
            expect(
                isinstance(charge, Charge),
                f"{self.name} returned {charge!r} among its charges for an order {case}.",
                "Return or yield shop_orders.pricing.Charge.",
            )
            expect(
                isinstance(charge.amount, Decimal) and charge.amount.is_finite(),
                f"{self.name} returned the amount {charge.amount!r} for an order {case}.",
                'Money is a finite Decimal: write Decimal("0.16"), and compute without floats.',
            )
        found: list[Charge] = charges
        return found


@pytest.mark.django_db
class OrderNumberContract(HookContract):
    """The behaviour of the hook ORDER_NUMBER. Set ``hook``; nothing else is needed."""

    calls: ClassVar[int] = 10_000

    def test_numbers_fit_the_order_and_an_address(self) -> None:
        for number in self._numbers(20):
            problem = numbers.problem_of(number)
            expect(
                not problem,
                f"{self.name} returned {number!r:.100}. {problem}",
                "Use letters, digits and “-”: customers read the number aloud, and it is part of URLs.",
            )
            expect(
                "None" not in number,
                f"{self.name} returned {number!r}.",
                "The order is not saved yet when the hook is called: it has no id, and no number.",
            )

    def test_numbers_are_unique(self) -> None:
        found = self._numbers(self.calls)
        number, times = Counter(map(self._compared, found)).most_common(1)[0]
        expect(
            times == 1,
            f"{self.name} was called {self.calls} times, and returned {number!r} {times} times (capitals count as "
            "small letters, since customers type the number).",
            "Use random characters, or a counter that is safe when several orders are placed at once.",
        )

    def test_same_order_gets_another_number_when_its_number_is_taken(self) -> None:
        order = self._order()
        found = [self.call(order) for _attempt in range(NUMBER_ATTEMPTS)]
        expect(
            len(set(found)) == len(found),
            f"{self.name} was called {len(found)} times for the same order, and returned {found}.",
            "It is called again while the number is taken: return another one each time.",
        )

    def test_order_is_not_changed(self) -> None:
        order = self._order()
        before = {name: value for name, value in vars(order).items() if name != "_state"}
        self.call(order)
        after = {name: value for name, value in vars(order).items() if name != "_state"}
        expect(
            after == before,
            f"{self.name} changed the order: {sorted(name for name in after if after[name] != before.get(name))}.",
            "Return the number, and leave the order as it is.",
        )

    @staticmethod
    def _compared(number: Any) -> Any:
        return number.casefold() if isinstance(number, str) else number

    def _numbers(self, calls: int) -> list[Any]:
        order = self._order()
        function = result_of(f"load_hook({self.hook!r})", load_hook, self.hook)
        return [result_of(self.name, function, order) for _call in range(calls)]

    def _order(self) -> Order:
        return Order(currency=app_settings.get("CURRENCY", "KES"), email="customer@example.org", total=Decimal(10))
