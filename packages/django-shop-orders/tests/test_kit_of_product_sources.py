"""The kit of product sources refuses each of these faults, and says what to do."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import count

import pytest
from django.db import connection
from django.db.models import F
from shop_orders.testing import MemoryProduct, ProductSourceContract
from testproject.books.models import Book
from testproject.kits import assert_says_what_to_do, failures

numbers = count(1)


class Shelf:
    """A correct source over a table, in the simplest form. Each class below changes one thing."""

    def fetch(self, refs, *, customer=None):
        return {book.isbn: self.product(book) for book in self.rows(list(refs))}

    def product(self, book):
        return MemoryProduct(ref=book.isbn, name=book.title, unit_price=book.sale_price, available=book.on_hand)

    def rows(self, refs):
        return Book.objects.filter(isbn__in=[ref for ref in refs if "\x00" not in ref])

    def locked(self, quantities):
        return {book.isbn: book for book in self.rows(list(quantities)).order_by("pk").select_for_update()}

    def reserve(self, quantities, *, reference):
        books = self.locked(quantities)
        short = self.short(books, quantities)
        if not short:
            self.add(books, quantities, -1)
        return short

    def short(self, books, quantities):
        return {
            ref: books[ref].on_hand if ref in books else 0
            for ref, quantity in quantities.items()
            if ref not in books or books[ref].on_hand < quantity
        }

    def release(self, quantities, *, reference):
        self.add(self.locked(quantities), quantities, 1)

    def ship(self, quantities, *, reference):
        """The stock was lowered when it was reserved."""

    def restock(self, quantities, *, reference):
        self.add(self.locked(quantities), quantities, 1)

    def add(self, books, quantities, sign):
        for ref, book in books.items():
            book.on_hand += sign * quantities[ref]
        Book.objects.bulk_update(books.values(), ["on_hand"])


class FloatPrices(Shelf):
    def product(self, book):
        return replace(super().product(book), unit_price=float(book.sale_price))


class PricesInCents(Shelf):
    def product(self, book):
        return replace(super().product(book), unit_price=book.sale_price * 100)


class ForeignPrices(Shelf):
    def product(self, book):
        return replace(super().product(book), currency="USD")


class NamelessProducts(Shelf):
    def product(self, book):
        return replace(super().product(book), name="")


class AnotherRef(Shelf):
    def product(self, book):
        return replace(super().product(book), ref=str(book.pk))


class ImageObject(Shelf):
    def product(self, book):
        return replace(super().product(book), image=book)


class StockAsText(Shelf):
    def product(self, book):
        return replace(super().product(book), available=str(book.on_hand))


class OneQueryPerRef(Shelf):
    def fetch(self, refs, *, customer=None):
        return {ref: product for ref in refs for product in super(OneQueryPerRef, self).fetch([ref]).values()}


class ReturnsAList(Shelf):
    def fetch(self, refs, *, customer=None):
        return list(super().fetch(refs).values())


class FailsOnUnknownProducts(Shelf):
    def fetch(self, refs, *, customer=None):
        return {ref: self.product(Book.objects.get(isbn=ref)) for ref in refs}


class ForgivingRefs(Shelf):
    def rows(self, refs):
        return super().rows([ref.strip() for ref in refs])


class ReadsRefsTwice(Shelf):
    def fetch(self, refs, *, customer=None):
        return super().fetch(refs) if any(True for _ref in refs) else {}


class EverythingForNothing(Shelf):
    def rows(self, refs):
        return super().rows(refs) if refs else Book.objects.all()


class ReservesInPart(Shelf):
    def reserve(self, quantities, *, reference):
        short = {}
        for ref, quantity in quantities.items():
            short |= super().reserve({ref: quantity}, reference=reference)
        return short


class OneQueryPerLine(Shelf):
    def add(self, books, quantities, sign):
        for ref, book in books.items():
            Book.objects.filter(pk=book.pk).update(on_hand=F("on_hand") + sign * quantities[ref])


class NeverShort(Shelf):
    def short(self, books, quantities):
        return {}


class ShortOfEverything(Shelf):
    def short(self, books, quantities):
        return {ref: book.on_hand for ref, book in books.items()} if super().short(books, quantities) else {}


class SaysTrue(Shelf):
    def reserve(self, quantities, *, reference):
        return not super().reserve(quantities, reference=reference)


class IgnoresUnknownProducts(Shelf):
    def short(self, books, quantities):
        return super().short(books, {ref: n for ref, n in quantities.items() if ref in books})


class NeverChangesStock(Shelf):
    def add(self, books, quantities, sign):
        pass


class NeverGivesBack(Shelf):
    def release(self, quantities, *, reference):
        pass


class TakesTwice(Shelf):
    """On reserving and on shipping."""

    def ship(self, quantities, *, reference):
        self.add(self.locked(quantities), quantities, -1)


class ReleasesTheWholeOrder(Shelf):
    """It gives back what was reserved, not what is released."""

    taken = {}

    def reserve(self, quantities, *, reference):
        self.taken.update({(reference, ref): units for ref, units in quantities.items()})
        return super().reserve(quantities, reference=reference)

    def release(self, quantities, *, reference):
        whole = {ref: self.taken.get((reference, ref), 0) for ref in quantities}
        super().release(whole, reference=reference)


class ReleasesShippedStock(Shelf):
    def ship(self, quantities, *, reference):
        self.release(quantities, reference=reference)


class RestocksNothing(Shelf):
    def restock(self, quantities, *, reference):
        pass


class FailsOnDeletedProducts(Shelf):
    def release(self, quantities, *, reference):
        books = self.locked(quantities)
        self.add({ref: books[ref] for ref in quantities}, quantities, 1)


class OneUnitPerCall(Shelf):
    def add(self, books, quantities, sign):
        super().add(books, dict.fromkeys(quantities, 1), sign)


class OnlyTheFirstReference(Shelf):
    """It mistakes a second order for a repetition of the first."""

    seen = None

    def restock(self, quantities, *, reference):
        if self.seen is None:
            super().restock(quantities, reference=reference)
        self.seen = reference


class SaysLedger(Shelf):
    """Its kit says that it has a ledger."""


class OwnConnection(Shelf):
    """Its stock is not in the caller's transaction."""

    kept = {}

    def product(self, book):
        return replace(super().product(book), available=self.kept.get(book.isbn, book.on_hand))

    def locked(self, quantities):
        books = super().locked(quantities)
        for book in books.values():
            book.on_hand = self.kept.get(book.isbn, book.on_hand)
        return books

    def add(self, books, quantities, sign):
        self.kept.update({ref: book.on_hand + sign * quantities[ref] for ref, book in books.items()})


class OptionsAsText(Shelf):
    def product(self, book):
        return replace(super().product(book), line_options="Engraving")


class LongOptionName(Shelf):
    def product(self, book):
        return replace(super().product(book), line_options=["Engraving", "x" * 51])


class OptionNamedTwice(Shelf):
    def product(self, book):
        return replace(super().product(book), line_options=["Engraving", "Engraving"])


class NoMaximum(Shelf):
    def product(self, book):
        return replace(super().product(book), max_quantity=0)


class GroupsAsText(Shelf):
    def product(self, book):
        return replace(super().product(book), groups="books")


class DeliveryAsText(Shelf):
    def product(self, book):
        return replace(super().product(book), needs_delivery="no")


class StockAsRow(Shelf):
    def product(self, book):
        return replace(super().product(book), stock_ref=book)


class WeightOfADownload(Shelf):
    def product(self, book):
        return replace(super().product(book), needs_delivery=False, weight=Decimal(1))


class AcceptsWithFalse(Shelf):
    def refuses_options(self, ref, options):
        return False


class FailsOnOptions(Shelf):
    def refuses_options(self, ref, options):
        return "" if Book.objects.get(isbn=ref) else "Gone."


class Twins(Shelf):
    """Correct: a product and its twin, whose ref ends in ``-twin``, share one stock."""

    def fetch(self, refs, *, customer=None):
        refs = list(refs)
        books = {book.isbn: book for book in self.rows([ref.removesuffix("-twin") for ref in refs])}
        found = {ref: books.get(ref.removesuffix("-twin")) for ref in refs}
        return {ref: self.twin(ref, book) for ref, book in found.items() if book}

    def twin(self, ref, book):
        return replace(self.product(book), ref=ref, stock_ref=book.isbn)

    def reserve(self, quantities, *, reference):
        units = {}
        for ref, quantity in quantities.items():
            units[ref.removesuffix("-twin")] = units.get(ref.removesuffix("-twin"), 0) + quantity
        short = super().reserve(units, reference=reference)
        return {ref: short[ref.removesuffix("-twin")] for ref in quantities if ref.removesuffix("-twin") in short}


class TwinsWithoutAStock(Twins):
    def twin(self, ref, book):
        return replace(self.product(book), ref=ref)


class TwinsComparedOneByOne(Twins):
    def reserve(self, quantities, *, reference):
        short = {}
        for ref, quantity in quantities.items():
            short |= super().reserve({ref: quantity}, reference=reference)
        return short


class Kit(ProductSourceContract):
    __test__ = False

    def _needs_postgresql(self):
        pytest.skip("The races are below.")


class OptionsKit(Kit):
    example_options = {"Engraving": "For Anna"}


class NoSuchOption(Shelf):
    """Its kit says that it takes an engraving."""


class RefusesItsExample(Shelf):
    def product(self, book):
        return replace(super().product(book), line_options=["Engraving"])

    def refuses_options(self, ref, options):
        return "Write less." if options else ""


class LedgerKit(Kit):
    has_ledger = True


MUTANTS = [
    (FloatPrices, "test_fetch_returns_plain_values_by_ref", "unit_price"),
    (PricesInCents, "test_fetch_returns_plain_values_by_ref", "unit_price"),
    (ForeignPrices, "test_fetch_returns_plain_values_by_ref", "CURRENCY"),
    (NamelessProducts, "test_fetch_returns_plain_values_by_ref", "name"),
    (AnotherRef, "test_fetch_returns_plain_values_by_ref", "ref"),
    (ImageObject, "test_fetch_returns_plain_values_by_ref", "image"),
    (StockAsText, "test_fetch_returns_plain_values_by_ref", "available"),
    (OneQueryPerRef, "test_fetch_takes_the_same_number_of_queries_for_many", "fetch"),
    (ReturnsAList, "test_fetch_returns_plain_values_by_ref", "fetch"),
    (FailsOnUnknownProducts, "test_fetch_omits_unknown_products", "fetch"),
    (ForgivingRefs, "test_fetch_matches_refs_exactly", "fetch"),
    (ReadsRefsTwice, "test_fetch_reads_its_refs_once", "fetch"),
    (EverythingForNothing, "test_fetch_reads_its_refs_once", "fetch"),
    (ReservesInPart, "test_reserve_takes_all_or_nothing", "reserve"),
    (OneQueryPerLine, "test_reserve_takes_the_same_number_of_queries_for_many", "reserve"),
    (NeverShort, "test_reserve_takes_all_or_nothing", "reserve"),
    (NeverShort, "test_reserved_stock_cannot_be_reserved_again", "reserve"),
    (ShortOfEverything, "test_reserve_takes_all_or_nothing", "reserve"),
    (SaysTrue, "test_reserve_takes_and_release_gives_back", "reserve"),
    (IgnoresUnknownProducts, "test_reserve_reports_an_unknown_product_as_short", "reserve"),
    (NeverChangesStock, "test_reserve_takes_and_release_gives_back", "reserve"),
    (NeverGivesBack, "test_reserve_takes_and_release_gives_back", "release"),
    (ReleasesTheWholeOrder, "test_release_gives_back_a_part", "release"),
    (TakesTwice, "test_shipped_goods_are_not_available_until_restocked", "ship"),
    (ReleasesShippedStock, "test_shipped_goods_are_not_available_until_restocked", "ship"),
    (RestocksNothing, "test_shipped_goods_are_not_available_until_restocked", "restock"),
    (FailsOnDeletedProducts, "test_release_ignores_a_deleted_product", "release"),
    (OneUnitPerCall, "test_reserve_takes_and_release_gives_back", "reserve"),
    (OnlyTheFirstReference, "test_each_reference_counts", "available"),
    (SaysLedger, "test_repeated_call_changes_nothing", "twice"),
    (OptionsAsText, "test_details_are_plain_values", "line_options"),
    (LongOptionName, "test_line_options_are_possible_names", "line_options"),
    (OptionNamedTwice, "test_line_options_are_possible_names", "line_options"),
    (NoSuchOption, "test_line_options_are_possible_names", "line_options"),
    (NoMaximum, "test_details_are_plain_values", "max_quantity"),
    (GroupsAsText, "test_details_are_plain_values", "groups"),
    (DeliveryAsText, "test_details_are_plain_values", "needs_delivery"),
    (StockAsRow, "test_details_are_plain_values", "stock_ref"),
    (WeightOfADownload, "test_goods_without_delivery_are_goods", "weight"),
    (AcceptsWithFalse, "test_options_are_accepted_or_refused_with_a_sentence", "refuses_options"),
    (FailsOnOptions, "test_options_are_accepted_or_refused_with_a_sentence", "refuses_options"),
    (RefusesItsExample, "test_options_are_accepted_or_refused_with_a_sentence", "refuses_options"),
    (TwinsWithoutAStock, "test_shared_stock_is_one_stock", "stock_ref"),
    (TwinsComparedOneByOne, "test_shared_stock_is_one_stock", "reserve"),
    (OwnConnection, "test_reserve_is_rolled_back_with_the_transaction", "rolled back"),
]


def make_product(*, price, available):
    isbn = f"Ref-{next(numbers)}"
    Book.objects.create(isbn=isbn, title="A book", sale_price=price, on_hand=available)
    return isbn


def make_twins(*, available):
    ref = make_product(price=Decimal("1.00"), available=available)
    return [ref, f"{ref}-twin"]


@cache
def refused_by(source_class):
    kits = {SaysLedger: LedgerKit, NoSuchOption: OptionsKit, RefusesItsExample: OptionsKit}
    shared = make_twins if issubclass(source_class, Twins) else None

    def fixtures():
        return {"source": source_class(), "make_product": make_product, "make_shared": shared}

    return failures(kits.get(source_class, Kit)(), fixtures, rolls_back=True)


@pytest.mark.django_db
@pytest.mark.parametrize(("mutant", "check", "names"), MUTANTS, ids=lambda value: getattr(value, "__name__", None))
def test_kit_refuses_the_fault_and_says_what_to_do(mutant, check, names):
    found = refused_by(mutant)
    assert check in found
    assert_says_what_to_do(found[check], names=names)
    for message in found.values():
        assert_says_what_to_do(message, names="")


def test_kit_is_tried_with_many_faults():
    assert len({mutant for mutant, _check, _names in MUTANTS}) >= 12


@pytest.mark.django_db
def test_correct_source_passes():
    assert refused_by(Shelf) == {}
    assert refused_by(Twins) == {}


class LooksThenTakes(Shelf):
    """Two buyers look at the same moment."""

    def locked(self, quantities):
        return {book.isbn: book for book in self.rows(list(quantities)).order_by("pk")}


class LocksAfterTheLook(Shelf):
    """It waits for the lock, and then compares with what it read before."""

    def reserve(self, quantities, *, reference):
        books = {book.isbn: book for book in self.rows(list(quantities)).order_by("pk")}
        self.locked(quantities)
        short = self.short(books, quantities)
        if not short:
            self.add(books, quantities, -1)
        return short


class ChecksWithoutALock(Shelf):
    """The counter is exact, but goes below zero."""

    def reserve(self, quantities, *, reference):
        books = {book.isbn: book for book in self.rows(list(quantities)).order_by("pk")}
        short = self.short(books, quantities)
        for ref in sorted(quantities) if not short else []:
            Book.objects.filter(isbn=ref).update(on_hand=F("on_hand") - quantities[ref])
        return short


class Unsorted(Shelf):
    """It takes the lines in the order of the cart."""

    def locked(self, quantities):
        return {ref: book for ref in quantities for book in self.rows([ref]).select_for_update()}


class UnsortedRestock(Shelf):
    def restock(self, quantities, *, reference):
        books = {ref: book for ref in quantities for book in self.rows([ref]).select_for_update()}
        self.add(books, quantities, 1)


class LosesReleases(Shelf):
    def release(self, quantities, *, reference):
        self.add({book.isbn: book for book in self.rows(list(quantities))}, quantities, 1)


RACES = [
    (LooksThenTakes, "test_racing_buyers_get_exactly_the_units", "8 buyers"),
    (LocksAfterTheLook, "test_racing_buyers_get_exactly_the_units", "8 buyers"),
    (ChecksWithoutALock, "test_racing_buyers_get_exactly_the_units", "8 buyers"),
    (Unsorted, "test_racing_orders_of_several_products_do_not_deadlock", "reserve"),
    (UnsortedRestock, "test_racing_orders_of_several_products_do_not_deadlock", "restock"),
    (LosesReleases, "test_racing_orders_of_several_products_do_not_deadlock", "left"),
    (SaysLedger, "test_racing_repeated_calls_count_once", "same reference"),
]


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("mutant", "check", "names"), RACES, ids=lambda value: getattr(value, "__name__", None))
def test_race_refuses_the_fault_and_says_what_to_do(mutant, check, names):
    kit = ProductSourceContract()
    kit.has_ledger = mutant is SaysLedger
    with pytest.raises(pytest.fail.Exception) as failure:
        getattr(kit, check)(mutant(), make_product)
    assert_says_what_to_do(str(failure.value), names=names)


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_correct_source_wins_its_races():
    kit = ProductSourceContract()
    kit.test_racing_buyers_get_exactly_the_units(Shelf(), make_product)
    kit.test_racing_orders_of_several_products_do_not_deadlock(Shelf(), make_product)
    assert min(Book.objects.values_list("on_hand", flat=True)) == 0


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "postgresql", reason="the races run there")
def test_races_are_skipped_with_a_reason_elsewhere():
    with pytest.raises(pytest.skip.Exception, match=r"NOT RACED: sqlite .* Run these tests on PostgreSQL"):
        ProductSourceContract().test_racing_buyers_get_exactly_the_units(Shelf(), make_product)
