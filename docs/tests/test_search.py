"""The search of the built documentation finds what people look for in their own words. Run by ``nox -s docs``."""

import json
import re
from pathlib import Path

import pytest
from sphinx.search.en import SearchEnglish

INDEX = Path(__file__).resolve().parents[1] / "_build/html/searchindex.js"


@pytest.fixture(scope="module")
def index():
    text = INDEX.read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def pages_with(index, query):
    """The pages that the search lists for a query: those that have each of its words, or a word with the same stem."""
    english = SearchEnglish({})
    found = []
    for word in re.findall(r"\w+", query.lower()):
        if word in english.stopwords:
            continue
        places = [index[part].get(english.stem(word), []) for part in ("terms", "titleterms")]
        found.append({page for place in places for page in (place if isinstance(place, list) else [place])})
    return {index["docnames"][page] for page in set.intersection(*found)}


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("coupon", "reference/words"),
        ("voucher", "reference/words"),
        ("shipping cost", "howto/orders-pricing"),
        ("packing slip", "reference/words"),
        ("colours", "reference/words"),
        ("color", "reference/words"),
        ("basket", "reference/words"),
        ("back in stock", "reference/catalog-signals"),
        ("abandoned cart", "howto/orders-remind-of-carts"),
        ("replay", "howto/operations-replay-events"),
        ("reconciliation", "reference/times"),
        ("SHOP_ORDERS", "reference/settings"),
        ("PaymentProviderContract", "reference/extension-points"),
    ],
)
def test_search_finds(index, query, page):
    assert page in pages_with(index, query)


def test_search_does_not_find_a_word_that_no_page_has(index):
    assert pages_with(index, "coupon zyzzyva") == set()
