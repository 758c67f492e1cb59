import pytest
from shop_core.addresses import comparable, fault

ONE = [
    ("Ann@Example.org", "ann@example.org"),
    (" ann@example.org ", "ann@example.org"),
    ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
    ("ann@bücher.example.", "ann@bücher.example"),
    ("jos\u00e9@example.org", "jose\u0301@example.org"),
    ("ÅSA@example.org", "åsa@example.org"),
    ("ann@\uff45xample.org", "ann@example.org"),
    ("ann@example\u3002org", "ann@example.org"),
]
TWO = [
    ("adm\u0131n@example.org", "admin@example.org"),
    ("jos\u00e9@example.org", "jose@example.org"),
    ("ann@example.org", "ann@example.com"),
    ("ann+shop@example.org", "ann@example.org"),
    ("\u0430nn@example.org", "ann@example.org"),
]
LOOK_ALIKES = ["\u017f", "\u212a", "\u0130", "\uff41", "\ufb01", "\u2170", "\u24d0", "\u1d43"]


@pytest.mark.parametrize(("one", "other"), ONE)
def test_spellings_of_one_address_are_equal(one, other):
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(("one", "other"), TWO)
def test_different_addresses_differ(one, other):
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize("letter", LOOK_ALIKES)
def test_letter_that_folds_to_ascii_is_refused(letter):
    assert fault(f"adm{letter}n@example.org") == "look_alike"


@pytest.mark.parametrize(
    "address", ["ann@example.org", "josé@example.org", "adm\u0131n@example.org", "李@例子.example"]
)
def test_other_letters_are_allowed(address):
    assert fault(address) == ""


@pytest.mark.parametrize("address", ["", "@", "a@", "@b", "no at", "a@" + "x" * 300, "a@b..c", "\0@\ud800"])
def test_any_text_is_accepted_without_an_error(address):
    assert isinstance(comparable(address), str)
    assert isinstance(fault(address), str)


@pytest.mark.parametrize("address", [one for pair in ONE + TWO for one in pair])
def test_comparable_is_idempotent(address):
    assert comparable(comparable(address)) == comparable(address)
