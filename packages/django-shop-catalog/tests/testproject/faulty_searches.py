"""A correct search backend that delegates to the database's own, and others with one fault each."""

from itertools import count

from django.db import connection
from django.db.models import F, FloatField, IntegerField, Q, Value
from django.db.models.functions import Cast
from shop_catalog.models import Product
from shop_catalog.search import SearchBackend
from shop_catalog.search.postgres import PostgresSearch
from shop_catalog.search.sqlite import SqliteSearch
from shop_catalog.wording import terms_of

turns = count(1)
kept = {}


class Correct(SearchBackend):
    own = (PostgresSearch if connection.vendor == "postgresql" else SqliteSearch)()

    def search(self, products, text):
        return self.own.search(products, text)

    def corrected(self, text):
        return self.own.corrected(text)


class CorrectsNothing(Correct):
    def search(self, products, text):
        found = super().search(products, text)
        return found.none() if self.own.corrected(text) else found


class HidesCorrections(Correct):
    def corrected(self, text):
        return ""


class ReportsWhatWasTyped(Correct):
    def corrected(self, text):
        return text


class TakesTheFirstWord(Correct):
    def search(self, products, text):
        return super().search(products, next(iter(text.split()), ""))


class SearchesNames(Correct):
    def search(self, products, text):
        words = Q(*[Q(name__icontains=term.compact) for term in terms_of(text)])
        return super().search(products, text).filter(words)


class KnowsWholeSkus(Correct):
    def search(self, products, text):
        found = super().search(products, text)
        has_digit = any(letter.isdigit() for letter in text)
        return found.filter(Q(sku__iexact=text) | Q(description__contains=text)) if has_digit else found


class KnowsWholeWordsOnly(Correct):
    """As a full-text search that cuts at spaces does."""

    def search(self, products, text):
        return super().search(products, text).filter(Q(name__regex=r"^[\x00-\u024f]*$") | Q(name=text))


class IgnoresTheQueryset(Correct):
    def search(self, products, text):
        return super().search(Product.objects.filter(parent__isnull=True), text)


class RanksNothing(Correct):
    def search(self, products, text):
        found = super().search(products, text)
        return products.filter(pk__in=found.values("pk")).annotate(relevance=Value(1, output_field=IntegerField()))


class RanksWithFractions(Correct):
    def search(self, products, text):
        found = super().search(products, text)
        keys = list(found.values_list("pk", flat=True))
        return products.filter(pk__in=keys).annotate(relevance=Cast(F("pk"), FloatField()) / 3)


class RanksByTheClock(Correct):
    """The relevance differs from call to call, as with a score that depends on the clock."""

    def search(self, products, text):
        keys = list(super().search(products, text).values_list("pk", flat=True))
        turn = next(turns)
        relevance = (F("pk") * turn) % 5
        return products.filter(pk__in=keys).annotate(relevance=Cast(relevance, IntegerField()))


class RaisesOnQuotes(Correct):
    def search(self, products, text):
        if '"' in text:
            raise ValueError(text)
        return super().search(products, text)


class RaisesOnLongTexts(Correct):
    def search(self, products, text):
        if len(text) > 5_000:
            raise ValueError
        return super().search(products, text)


class FindsAllWithoutWords(Correct):
    def search(self, products, text):
        if not terms_of(text):
            return products.annotate(relevance=Value(0, output_field=IntegerField()))
        return super().search(products, text)


class CorrectsKnownWords(Correct):
    def search(self, products, text):
        return super().search(products, text.replace("honny", "honey"))


class ForgetsChanges(Correct):
    def search(self, products, text):
        keys = kept.setdefault(text, list(super().search(products, text).values_list("pk", flat=True)))
        return products.filter(pk__in=keys).annotate(relevance=Value(1, output_field=IntegerField()))


class SuggestsNothing(Correct):
    def suggest(self, products, text, *, limit):
        return []
