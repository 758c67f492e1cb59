"""The words of listed products, for searches."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

WORD_LENGTH = 40


class SearchWord(models.Model):
    """How many listed products have a word, and how many have it in their name: the sum over the rows of the word.

    A row is inserted in the transaction of a product's change, with the difference. No row is ever changed, so no
    writer waits for another one. ``search.fold`` replaces the rows of a word by one with ``is_sum``. The empty word
    counts the products.
    """

    word = models.CharField(max_length=WORD_LENGTH)
    products = models.IntegerField()
    names = models.IntegerField()
    is_sum = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("search word")
        verbose_name_plural = _("search words")
        indexes = [
            models.Index(fields=["word"], name="shop_catalog_search_word", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["id"], name="shop_catalog_search_unfolded", condition=models.Q(is_sum=False)),
        ]

    def __str__(self) -> str:
        return f"{self.word}: {self.products}"


class SearchSpelling(models.Model):
    """A key that a word shares with its misspellings: see ``search.spelling``."""

    key = models.BigIntegerField()
    word = models.CharField(max_length=WORD_LENGTH)

    class Meta:
        verbose_name = _("spelling of a search word")
        verbose_name_plural = _("spellings of search words")
        indexes = [models.Index(fields=["key"], name="shop_catalog_search_spelling")]

    def __str__(self) -> str:
        return self.word
