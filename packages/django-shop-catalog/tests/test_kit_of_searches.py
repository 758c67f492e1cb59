"""The kit of search backends refuses each of these faults, and says what to do."""

import pytest
from shop_catalog.testing import SearchContract
from testproject import faulty_searches

FAULTS = [
    ("CorrectsNothing", "test_one_wrong_missing_additional_or_swapped_letter_is_corrected"),
    ("HidesCorrections", "test_correction_is_reported"),
    ("ReportsWhatWasTyped", "test_correction_is_reported"),
    ("TakesTheFirstWord", "test_all_words_must_match"),
    ("SearchesNames", "test_every_word_of_a_product_finds_it"),
    ("KnowsWholeSkus", "test_part_of_a_sku_finds_it"),
    ("KnowsWholeWordsOnly", "test_words_of_scripts_without_spaces_are_found_inside_of_words"),
    ("IgnoresTheQueryset", "test_only_published_products_are_found_and_other_filters_hold"),
    ("RanksNothing", "test_sku_comes_first_then_names_then_the_rest"),
    ("RanksWithFractions", "test_relevance_is_a_whole_number"),
    ("RanksByTheClock", "test_pages_have_every_match_once"),
    ("RaisesOnQuotes", "test_no_text_is_an_error"),
    ("RaisesOnLongTexts", "test_no_text_is_an_error"),
    ("FindsAllWithoutWords", "test_words_that_no_product_has_find_nothing"),
    ("CorrectsKnownWords", "test_words_that_a_product_has_are_not_corrected"),
    ("ForgetsChanges", "test_changes_are_found"),
    ("SuggestsNothing", "test_count_suggestions_and_other_orders_find_the_same"),
]


def kit_of(name):
    kit = SearchContract()
    kit.search = {"BACKEND": f"testproject.faulty_searches.{name}"}
    return kit


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "check"), FAULTS)
def test_fault_is_refused_and_the_message_says_what_to_do(name, check):
    faulty_searches.kept.clear()
    with pytest.raises(pytest.fail.Exception) as failure:
        getattr(kit_of(name), check)()
    message = str(failure.value)
    assert "search(" in message or "corrected(" in message
    assert message.endswith(".")
    assert message.count(". ") >= 1


@pytest.mark.django_db
@pytest.mark.parametrize("check", sorted({check for _name, check in FAULTS} - {"test_no_text_is_an_error"}))
def test_correct_backend_without_prepared_sql_passes(check):
    getattr(kit_of("Correct"), check)()
