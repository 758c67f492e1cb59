"""The contract kit of search backends."""

from __future__ import annotations

import contextlib
import itertools
import traceback
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, NoReturn

import pytest
from django.conf import settings
from django.db import connections, router, transaction
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shop_catalog import browsing, products
from shop_catalog.models import Product
from shop_catalog.testing.search_samples import (
    CATALOGUE,
    CORRECTED,
    FOUND,
    NOT_FOUND,
    NOTHING,
    PARTS_OF_SKUS,
    RANKED,
    SCRIPTS,
    UGLY,
    misspelt_words,
)

ORDERINGS = tuple(browsing.ORDERINGS)
WORDS = tuple(dict.fromkeys(" ".join(str(values) for values in CATALOGUE.values()).split()))
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from([*WORDS, *UGLY[:20]]) | st.text(max_size=8), max_size=8).map(
    " ".join
)


@pytest.mark.django_db
class SearchContract:
    """What every search backend must do. Subclass it, and each check becomes one of your tests.

    The products are written with ``shop_catalog.products``, and searched with ``shop_catalog.browsing``.
    """

    search: ClassVar[Mapping[str, Any] | None] = None
    """``SHOP_CATALOG["SEARCH"]``: ``{"BACKEND": ..., "OPTIONS": {...}}``; ``None`` for the database's own search."""

    def wait_until_found(self) -> None:
        """Wait until all changes so far can be found, if an index outside of the database is updated later."""

    def test_every_word_of_a_product_finds_it(self) -> None:
        """Name, SKU, brand, other attributes, description, and the options of a variant."""
        self._check_all(FOUND, "It must find a product by any word of its name, SKU, attributes and description.")

    def test_part_of_a_sku_finds_it(self) -> None:
        self._check_all(PARTS_OF_SKUS, "It must find a part of a SKU, with and without hyphens.")

    def test_words_of_scripts_without_spaces_are_found_inside_of_words(self) -> None:
        self._check_all(SCRIPTS, "Chinese, Japanese and Korean words follow each other without spaces.")

    def test_words_that_no_product_has_find_nothing(self) -> None:
        with self._shop():
            for text in (*NOT_FOUND, *NOTHING):
                found = self._found(text)
                expect(not found, f"search({text!r}) found {found}.", "No product has these words, or similar ones.")

    def test_all_words_must_match(self) -> None:
        with self._shop():
            for text, sku in (("blue cotton", "TB-1234"), ("honey asali", "HN-5"), ("kettle creme", "P-8A")):
                expect(
                    self._found(text) == [sku],
                    f"search({text!r}) found {self._found(text)}, not {sku} alone.",
                    "A product must have all words.",
                )

    def test_one_wrong_missing_additional_or_swapped_letter_is_corrected(self) -> None:
        with self._shop():
            for text, sku in (*CORRECTED, *misspelt_words()):
                self._check_found(
                    text,
                    sku,
                    "It must correct one wrong, missing, additional or swapped letter in words of four letters.",
                )

    def test_correction_is_reported(self) -> None:
        """As ``Page.corrected``, so that the shop can say what was searched instead."""
        with self._shop():
            for text, word in (("cofee", "coffee"), ("ground cofee", "coffee"), ("hedphones", "headphones")):
                corrected = self._page(text).corrected
                expect(
                    word in corrected.casefold(),
                    f"corrected({text!r}) returned {corrected!r}.",
                    f"It must return the text that is searched instead, with {word!r}.",
                )
            for text in ("coffee", "tb-1234", "1234", "blue t-shirt", "umbrella", ""):
                corrected = self._page(text).corrected
                expect(
                    not corrected,
                    f"corrected({text!r}) returned {corrected!r}.",
                    "Return an empty text if the given one is searched, or if nothing is found.",
                )

    def test_words_that_a_product_has_are_not_corrected(self) -> None:
        with self._shop():
            self._create({"HN-6": {"name": "Honny soap"}})
            found, corrected = self._found("honny"), self._page("honny").corrected
            expect(
                found == ["HN-6"] and not corrected,
                f"search('honny') found {found}, and corrected it to {corrected!r}.",
                "A word that a product has is searched as it is.",
            )
            priced = browsing.Filters(q="honny", max_price=Decimal(0))
            expect(
                not browsing.list_products(priced, ordering="relevance").rows,
                "search('honny') with a filter that excludes the match found other products.",
                "Whether a text is corrected must not depend on the other filters.",
            )

    def test_sku_comes_first_then_names_then_the_rest(self) -> None:
        for order in itertools.permutations(RANKED):
            with self._shop(rows={}):
                self._create({sku: RANKED[sku] for sku in order})
                found = self._found("lantern")
                expect(
                    found == list(RANKED),
                    f"search('lantern') found {found}, not {list(RANKED)}.",
                    "Order by relevance: the product with this SKU, then names, then everything else.",
                )

    def test_pages_have_every_match_once(self) -> None:
        with self._shop():
            self._create(
                {f"CN-{number}": {"name": f"Candle {number}", "description": "wax"} for number in range(7)}
                | {f"WX-{number}": {"name": f"Holder {number}", "description": "for a candle"} for number in range(5)}
            )
            for ordering in ("relevance", "price", "newest", "-name"):
                whole, found = self._found("candle", ordering=ordering), []
                after, pages = None, 0
                while pages == 0 or (after is not None and pages < 20):
                    page = browsing.list_products(
                        browsing.Filters(q="candle"), ordering=ordering, after=after, limit=3
                    )
                    found += [row.sku for row in page.rows]
                    after, pages = page.next, pages + 1
                expect(
                    found == whole and len(set(found)) == 12,
                    f"search('candle') found {found} in pages of 3, and {whole} in one page, by {ordering}.",
                    "The relevance of a product must be the same in each call, and a whole number.",
                )

    def test_relevance_is_a_whole_number(self) -> None:
        with self._shop():
            values = [row.sort_value for row in self._page("blue").rows]
            expect(
                bool(values) and all(type(value) is int for value in values),
                f"search('blue') has the relevances {values}.",
                "A page begins exactly where the previous one ended, so they must be whole numbers.",
            )

    def test_changes_are_found(self) -> None:
        expected: tuple[tuple[str, list[str]], ...] = (
            ("honey", []), ("syrup", ["HN-5"]), ("maple", ["HN-5"]), ("ochre", ["SH"]), ("turquoise", []),
            ("coffee", []),
        )  # fmt: skip
        with self._shop():
            for text, _skus in expected:
                self._found(text)
            self._change("HN-5", name="Syrup jar", description="From maple")
            self._change("SH-RED", options={"colour": "Ochre"})
            with self._committed():
                products.delete(products.get("CF-2"))
            for text, skus in expected:
                found = self._found(text)
                expect(
                    found == skus, f"After changes, search({text!r}) found {found}, not {skus}.", "Update the index."
                )

    def test_only_published_products_are_found_and_other_filters_hold(self) -> None:
        with self._shop():
            self._change("TB-1234", is_active=False)
            self._change("HN-5", price=Decimal("90.00"))
            found = self._found("cotton")
            expect(
                "TB-1234" not in found,
                f"search('cotton') found {found}.",
                "Narrow the queryset that is given: TB-1234 is not published.",
            )
            cheap = browsing.Filters(q="jar", max_price=Decimal(50))
            found = [row.sku for row in browsing.list_products(cheap, ordering="relevance").rows]
            expect(
                found == ["JR-2"],
                f"search('jar') below a price of 50 found {found}, not JR-2 alone.",
                "Narrow the queryset that is given.",
            )

    def test_count_suggestions_and_other_orders_find_the_same(self) -> None:
        with self._shop():
            for text in ("blue", "cofee", "1234", "jar"):
                found = set(self._found(text))
                count, _is_exact = browsing.count_products(browsing.Filters(q=text))
                others = {ordering: set(self._found(text, ordering=ordering)) for ordering in ORDERINGS}
                suggested = {product.sku for product in browsing.suggest(text, limit=50).products}
                expect(
                    count == len(found) and suggested == found and all(other == found for other in others.values()),
                    f"search({text!r}) found {found}, counted {count}, suggested {suggested}, and found {others}.",
                    "search, best and suggest must find the same products.",
                )

    def test_no_text_is_an_error(self) -> None:
        with self._shop():
            for text in UGLY:
                self._search_everywhere(text)

            @hypothesis_settings(
                max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )
            @given(TEXTS)
            def check(text: str) -> None:
                self._search_everywhere(text)

            check()

    def _search_everywhere(self, text: str) -> None:
        """Search in a savepoint, since a failed statement would make all further ones fail."""
        try:
            with transaction.atomic(using=router.db_for_write(Product)):
                self._found(text)
                self._found(text, ordering="price")
                browsing.count_products(browsing.Filters(q=text))
                browsing.suggest(text)
        except Exception as error:  # noqa: BLE001 - the code of an author may raise anything
            place = traceback.extract_tb(error.__traceback__)[-1]
            fail(
                f"search({text[:80]!r}) raised {error!r:.300} ({place.filename}, line {place.lineno}).",
                "Customers type anything: quote what is special in the language of the index.",
            )

    def _check_all(self, expected: Iterable[tuple[str, str]], remedy: str) -> None:
        with self._shop():
            for text, sku in expected:
                self._check_found(text, sku, remedy)

    def _check_found(self, text: str, sku: str, remedy: str) -> None:
        found = self._found(text)
        expect(sku in found, f"search({text!r}) found {found}, not {sku}.", remedy)

    def _found(self, text: str, *, ordering: str = "relevance") -> list[str]:
        return [row.sku for row in self._page(text, ordering=ordering).rows]

    def _page(self, text: str, *, ordering: str = "relevance") -> browsing.Page:
        return browsing.list_products(browsing.Filters(q=text), ordering=ordering, limit=50)

    @contextlib.contextmanager
    def _shop(self, rows: Mapping[str, Mapping[str, Any]] = CATALOGUE) -> Iterator[None]:
        """The products of the samples with the search that is tested; they are deleted at the end."""
        setting = {**settings.SHOP_CATALOG, "SEARCH": self.search or {}}
        with override_settings(SHOP_CATALOG=setting), transaction.atomic(using=router.db_for_write(Product)):
            self._create(rows)
            yield
            with self._committed():
                for product in Product.objects.filter(parent__isnull=True):
                    products.delete(product)

    def _create(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        with self._committed():
            for sku, given_values in rows.items():
                values = dict(given_values)
                group = values.pop("group", None)
                if values.get("kind") != "group":
                    values.setdefault("price", Decimal("10.00"))
                if group is not None:
                    values |= {"kind": "variant", "parent": products.get(group)}
                products.create(sku, **values)

    def _change(self, sku: str, **values: Any) -> None:
        with self._committed():
            products.change(products.get(sku), **values)

    @contextlib.contextmanager
    def _committed(self) -> Iterator[None]:
        """Run what waits for a commit at the end, though the test's transaction is rolled back."""
        connection = connections[router.db_for_write(Product)]
        start = len(connection.run_on_commit)
        yield
        waiting, connection.run_on_commit = connection.run_on_commit[start:], connection.run_on_commit[:start]
        for entry in waiting:
            entry[1]()
        self.wait_until_found()


def expect(is_right: object, problem: str, remedy: str) -> None:
    if not is_right:
        fail(problem, remedy)


def fail(problem: str, remedy: str) -> NoReturn:
    """Fail the check. ``problem`` names the method, ``remedy`` says what to do."""
    pytest.fail(f"{problem} {remedy}", pytrace=False)
