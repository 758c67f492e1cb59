"""The contract kit of validators."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from shop_core.hooks import load_hook

from shop_orders.carts import refusals
from shop_orders.carts.refusals import CHOICES, NotKnownYet
from shop_orders.exceptions import CheckoutRefused
from shop_orders.pricing import Draft
from shop_orders.testing.drafts import CURRENCIES, drafts
from shop_orders.testing.failures import expect, fail, outcome_of, result_of
from shop_orders.testing.hook_contracts import HookContract


@pytest.mark.django_db
class ValidatorContract(HookContract):
    """The behaviour of a validator in VALIDATORS.

    Fixtures to define: ``accepted`` and ``refused``, which return drafts that the validator accepts and refuses;
    ``shop_orders.testing.make_draft`` makes them.
    """

    @pytest.fixture
    def accepted(self) -> Draft:
        """An order that the validator accepts."""
        raise NotImplementedError("Define a fixture `accepted` that returns a Draft that the validator accepts.")

    @pytest.fixture
    def refused(self) -> Draft:
        """An order that the validator refuses."""
        raise NotImplementedError("Define a fixture `refused` that returns a Draft that the validator refuses.")

    def test_accepted_order_passes(self, accepted: Draft) -> None:
        result = self._result(accepted, "of the fixture `accepted`")
        expect(result is None, f"{self.name} {outcome_of(result)} for the fixture `accepted`.", "Return None.")

    def test_refused_order_is_refused_with_a_sentence(self, refused: Draft) -> None:
        result = self._result(refused, "of the fixture `refused`")
        if not isinstance(result, CheckoutRefused):
            fail(
                f"{self.name} {outcome_of(result)} for the order of the fixture `refused`.",
                "Raise shop_orders.exceptions.CheckoutRefused, or a subclass: what is returned changes nothing.",
            )
        text = str(result)
        expect(
            text.strip().endswith((".", "!", "?")) and "Decimal(" not in text and "<" not in text,
            f"{self.name} refuses with the message {text!r}.",
            "Customers read it: write a sentence that says what to do; shop_core.money.as_text formats amounts.",
        )
        expect(
            isinstance(result.code, str) and result.code.isidentifier() and result.code.islower(),
            f"{self.name} refuses with the code {result.code!r}.",
            "Clients compare it: use lower case and underscores, such as order_too_small.",
        )

    def test_it_raises_only_checkout_refused(self) -> None:
        for case, draft in self._drafts():
            result = self._result(draft, case)
            expect(
                result is None or isinstance(result, CheckoutRefused),
                f"{self.name} {outcome_of(result)} for an order {case}.",
                "Return None, or raise CheckoutRefused or a subclass.",
            )

    def test_cart_of_an_accepted_order_is_not_refused(self, accepted: Draft) -> None:
        """A cart has no contact, address, delivery and provider yet, and reading them raises NotKnownYet."""
        for name, unknown in CHOICES.items():
            opened = refusals.open_draft(replace(accepted, **{name: unknown}))
            result = self._result(opened, f"that has no {name} yet", allowed=(CheckoutRefused, NotKnownYet))
            expect(
                result is None or isinstance(result, NotKnownYet),
                f"{self.name} {outcome_of(result)} for the order of the fixture `accepted` without {name}, which a "
                "buyer enters at checkout.",
                "Let the exception pass that reading it raises: the validator is asked again at checkout.",
            )

    def test_same_draft_has_the_same_result(self, accepted: Draft, refused: Draft) -> None:
        results = [
            isinstance(self._result(draft, "of a fixture"), CheckoutRefused)
            for draft in (accepted, refused, accepted, refused)
        ]
        expect(
            results == [False, True] * 2,
            f"{self.name} was called for `accepted` and `refused`, twice in turn; it refused: {results}.",
            "Keep nothing between calls: the same validator decides about every order of a process.",
        )

    def test_draft_is_not_changed(self, accepted: Draft, refused: Draft) -> None:
        for case, draft in [("of `accepted`", accepted), ("of `refused`", refused), *self._drafts()]:
            before = deepcopy((draft.lines, draft.charges, draft.shipping_address))
            self._result(draft, case)
            expect(
                (draft.lines, draft.charges, draft.shipping_address) == before,
                f"{self.name} changed the draft of an order {case}.",
                "The order is written from this draft: raise, or leave it as it is.",
            )

    def test_it_writes_nothing(self, accepted: Draft, refused: Draft) -> None:
        for draft in (accepted, refused):
            self.check_read_only(partial(self._result, draft, "of a fixture"))

    def test_many_lines_are_checked_quickly(self) -> None:
        self.check_speed(lambda draft: self._result(draft, "with many lines"))

    def _drafts(self) -> Iterator[tuple[str, Draft]]:
        for currency in CURRENCIES:
            for case, draft in drafts(currency):
                yield f"in {currency} {case}", draft

    def _result(self, draft: Draft, case: str, *, allowed: tuple[type[Exception], ...] = (CheckoutRefused,)) -> Any:
        function = result_of(f"load_hook({self.hook!r})", load_hook, self.hook)
        name = f"{self.name}, called for an order {case},"
        return result_of(name, function, draft, allowed=allowed)
