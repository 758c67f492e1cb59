import time

import django
import pytest
from django.core.mail.backends.smtp import EmailBackend
from shop_core.addresses import comparable, delivery_problem, identity_problem

EQUAL = [
    ("Ann@Example.org", "ann@example.org"),
    (" ann@example.org ", "ann@example.org"),
    ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
    ("ann@bücher.example.", "ann@bücher.example"),
    ("jos\u00e9@example.org", "jose\u0301@example.org"),
    ("ÅSA@example.org", "åsa@example.org"),
    ("ann@\uff45xample.org", "ann@example.org"),
    ("ann@example\u3002org", "ann@example.org"),
    ('"ann"@example.org', "ann@example.org"),
    ('"Ann.b"@example.org', "ann.b@example.org"),
    ('"a\\n\\n"@example.org', "ann@example.org"),
    ('"ann\\ b"@example.org', '"ann b"@example.org'),
    ('"\uff41nn"@example.org', "ann@example.org"),
    ("ann@ex\u200bample.org", "ann@example.org"),
]
DIFFERENT = [
    ("adm\u0131n@example.org", "admin@example.org"),
    ("jos\u00e9@example.org", "jose@example.org"),
    ("ann@example.org", "ann@example.com"),
    ("ann+shop@example.org", "ann@example.org"),
    ("\u0430nn@example.org", "ann@example.org"),
    ('"ann b"@example.org', "annb@example.org"),
    ('"@example.org', '""@example.org'),
    ("an\u200bn@example.org", "ann@example.org"),
]
LOOK_ALIKES = ["\u017f", "\u212a", "\u0130", "\uff41", "\ufb01", "\u2170", "\u24d0", "\u1d43"]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_spellings_of_one_address_are_equal(one, other):
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_addresses_differ(one, other):
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize("letter", LOOK_ALIKES)
def test_letter_that_folds_to_ascii_is_refused(letter):
    assert identity_problem(f"adm{letter}n@example.org") == "look_alike"


@pytest.mark.parametrize(
    "address", ["ann@example.org", "josé@example.org", "adm\u0131n@example.org", "李@例子.example"]
)
def test_other_letters_are_allowed(address):
    assert identity_problem(address) == ""


@pytest.mark.parametrize("address", ["", "@", "a@", "@b", "no at", "a@" + "x" * 300, "a@b..c", "\0@\ud800"])
def test_any_text_is_accepted_without_an_error(address):
    assert isinstance(comparable(address), str)
    assert isinstance(identity_problem(address), str)


@pytest.mark.parametrize("address", [one for pair in EQUAL + DIFFERENT for one in pair])
def test_comparable_is_idempotent(address):
    assert comparable(comparable(address)) == comparable(address)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("ann@example.org", ""),
        ("ann+shop@example.co.ke", ""),
        ("o'brien@xn--bcher-kva.example", ""),
        ("ann@bücher.example", ""),
        ('"ann smith"@example.org', ""),
        (f"{'a' * 64}@example.org", ""),
        ("", "invalid"),
        ("ann", "invalid"),
        ("@example.org", "invalid"),
        ("ann @example.org", "invalid"),
        ("ann\0@example.org", "invalid"),
        ("ann\n@example.org", "invalid"),
        ('"ann\x07"@example.org', "invalid"),
        ('""@example.org', "invalid"),
        ("ann@exam\nple.org", "invalid"),
        ("ann@example.org\n", "invalid"),
        ("ann@exam\x00ple.org", "invalid"),
        ("ann@exam\u200bple.org", "invalid"),
        ("ann..b@example.org", "invalid"),
        (".ann@example.org", "invalid"),
        ("a@b@example.org", "invalid"),
        ("ann,bob@example.org", "invalid"),
        ("Ann <ann@example.org>", "invalid"),
        ("josé@example.org", "not_ascii"),
        ("adm\u0131n@example.org", "not_ascii"),
        ("adm\u017fn@example.org", "not_ascii"),
        ("an\u200bn@example.org", "not_ascii"),
        ("\ud800@example.org", "not_ascii"),
        (f"{'a' * 65}@example.org", "too_long"),
        (f"a@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 57}.org", "too_long"),
        (f"a@{'x.' * 300}org", "too_long"),
        ("ann@localhost", "domain"),
        ("ann@example", "domain"),
        ("ann@", "domain"),
        ("ann@example.org.", "domain"),
        ("ann@.example.org", "domain"),
        ("ann@example..org", "domain"),
        ("ann@-example.org", "domain"),
        ("ann@exam_ple.org", "domain"),
        (f"ann@{'b' * 64}.org", "domain"),
        ("ann@127.0.0.1", "domain"),
        ("ann@[127.0.0.1]", "domain"),
        ("ann@\ud800.org", "invalid"),
    ],
)
def test_undeliverable_address_has_a_problem_code(address, code):
    assert delivery_problem(address) == code


@pytest.mark.skipif(django.VERSION < (6, 0), reason="The function is new in Django 6.0.")
@pytest.mark.parametrize("address", ["ann@bücher.example", '"ann smith"@example.org', f"{'a' * 64}@example.org"])
def test_deliverable_address_is_accepted_by_the_mailer_of_django(address):
    assert EmailBackend.prep_address(EmailBackend, address).isascii()


@pytest.mark.parametrize("text", ["a" * 8000, "a." * 4000, '"' + "\\\\" * 4000, "a@" + "b." * 4000, "@" * 8000])
def test_long_text_is_judged_quickly(text):
    started = time.perf_counter()
    assert delivery_problem(text)
    comparable(text)
    assert time.perf_counter() - started < 0.05
