import time
import unicodedata

import django
import pytest
from django.core.mail.backends.smtp import EmailBackend
from shop_core.addresses import comparable, delivery_problem, identity_problem, supports_utf8

EQUAL = [
    ("Ann@Example.org", "ann@example.org"),
    (" ann@example.org ", "ann@example.org"),
    ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
    ("ann@bücher.example.", "ann@bücher.example"),
    ("jos\u00e9@example.org", "jose\u0301@example.org"),
    ("ÅSA@example.org", "åsa@example.org"),
    ("ann@\uff45xample.org", "ann@example.org"),
    ("ann@example\u3002org", "ann@example.org"),
    ("ann@example.org\u3002", "ann@example.org"),
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


@pytest.mark.parametrize("at", ["\uff20", "\ufe6b"])
def test_another_at_is_a_look_alike(at):
    assert comparable(f"ann{at}example.org") == "ann@example.org"
    assert identity_problem(f"ann{at}example.org") == "look_alike"


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


@pytest.mark.parametrize(
    ("local_part", "code"),
    [
        ("jörg", ""),
        ("JÖRG.müller+1", ""),
        ("jose\u0301", ""),
        ("adm\u0131n", ""),
        ("иван", ""),
        ("νικο", ""),
        ("हिन्दी", ""),
        ("ผู้ใช้", ""),
        ("שָׁלוֹם", ""),
        ("محمد", ""),
        ("佐々木", ""),
        ("li李ラーメン", ""),
        ("김철수", ""),
        ("é" * 32, ""),
        ("é" * 33, "too_long"),
        *((f"adm{letter}n", "look_alike") for letter in LOOK_ALIKES if letter not in "\u0130\u2170\u24d0"),
        ("adm\u2170n", "invalid"),
        ("adm\u24d0n", "invalid"),
        ("\u0130n", "look_alike"),
        ("stra\u00dfe", "look_alike"),
        ("νίκος", "look_alike"),
        ("v\u0456ctim", "look_alike"),
        ("и\u0432\u0061н", "look_alike"),
        ("\u02bcann", "look_alike"),
        ("\u0131\u0307", "invalid"),
        ("e\u0301\u0302", "invalid"),
        ("\u0301", "invalid"),
        ("\u093f", "invalid"),
        ("a\u093f", "invalid"),
        ("an\u200bn", "invalid"),
        ("an\u200dn", "invalid"),
        ("an\u00adn", "invalid"),
        ("\u202enna", "invalid"),
        ("\u2066nna", "invalid"),
        ("an\ufe0fn", "invalid"),
        ("\u3164", "invalid"),
        ("\u115f", "invalid"),
        ("क\u17b4", "invalid"),
        ("ann\u00a0b", "invalid"),
        ("ann\u2028b", "invalid"),
        ("ann\u0085b", "invalid"),
        ("\ud800", "invalid"),
        ("\ue000", "invalid"),
        ("\U0001f600", "invalid"),
        ("٣", "invalid"),
        ("jörg\u3002b", "invalid"),
        ('"jörg"', "invalid"),
        ("jö rg", "invalid"),
        ("jö\nrg", "invalid"),
        ("jörg,b", "invalid"),
        ("jörg..b", "invalid"),
        (".jörg", "invalid"),
        ("jö@rg", "invalid"),
    ],
)
def test_other_letters_are_judged_where_mail_can_be_sent_to_them(local_part, code):
    assert delivery_problem(f"{local_part}@example.org", utf8=True) == code
    assert delivery_problem(f"{local_part}@example.org") in {"not_ascii", "too_long"}


def test_no_letter_that_is_accepted_is_stored_as_another():
    """Folding changes only its case: no two accepted letters are one address unless they are one letter."""
    letters = [chr(code) for code in range(0x80, 0x30000) if unicodedata.category(chr(code))[0] == "L"]
    accepted = [letter for letter in letters if not delivery_problem(f"{letter}@example.org", utf8=True)]
    stored = {letter: comparable(f"{letter}@example.org").partition("@")[0] for letter in accepted}

    assert len(accepted) > 100_000
    assert [letter for letter in accepted if any(map(str.isascii, stored[letter]))] == []
    assert [letter for letter in accepted if stored[letter] != unicodedata.normalize("NFC", letter.lower())] == []


BACKENDS = {
    "django.core.mail.backends.locmem.EmailBackend": True,
    "django.core.mail.backends.console.EmailBackend": True,
    "django.core.mail.backends.smtp.EmailBackend": False,
    f"{__name__}.Utf8Backend": True,
    f"{__name__}.EmailBackend": False,
    "missing.EmailBackend": False,
}


class Utf8Backend(EmailBackend):
    supports_utf8_local_parts = True


@pytest.mark.filterwarnings("ignore:The EMAIL_BACKEND setting is deprecated")
@pytest.mark.parametrize(("backend", "can_send"), BACKENDS.items())
def test_mail_backend_says_whether_it_sends_to_other_letters(settings, backend, can_send):
    settings.EMAIL_BACKEND = backend
    if hasattr(settings, "MAILERS"):
        del settings.MAILERS
    assert supports_utf8() is can_send
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}, "other": {}}
        assert (supports_utf8(), supports_utf8("other"), supports_utf8("missing")) == (can_send, False, False)


@pytest.mark.skipif(django.VERSION < (6, 0), reason="The function is new in Django 6.0.")
@pytest.mark.parametrize("address", ["ann@bücher.example", '"ann smith"@example.org', f"{'a' * 64}@example.org"])
def test_deliverable_address_is_accepted_by_the_mailer_of_django(address):
    assert EmailBackend.prep_address(EmailBackend, address).isascii()


@pytest.mark.parametrize("text", ["a" * 8000, "a." * 4000, '"' + "\\\\" * 4000, "a@" + "b." * 4000, "@" * 8000])
def test_long_text_is_judged_quickly(text):
    started = time.thread_time()
    assert delivery_problem(text)
    assert delivery_problem("\u00e9" * 64 + text, utf8=True)
    comparable(text)
    assert time.thread_time() - started < 0.05
