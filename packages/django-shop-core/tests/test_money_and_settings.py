from decimal import Decimal
from functools import partial

import pytest
from django.core.exceptions import ImproperlyConfigured
from shop_core import money
from shop_core.conf import BaseSettings
from shop_core.hooks import load_hook


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("12.345", "KES", "12.35"),
        ("12.5", "UGX", "13"),
        ("0.0005", "KWD", "0.001"),
        ("-0.005", "EUR", "-0.01"),
        ("1E+3", "JPY", "1000"),
        ("1.00005", "CLF", "1.0001"),
    ],
)
def test_amounts_are_rounded_half_up_to_the_decimals_of_the_currency(amount, currency, text):
    assert money.as_text(Decimal(amount), currency) == text


class Settings(BaseSettings):
    setting = "THINGS"

    @property
    def CURRENCY(self):
        return self.require("CURRENCY")

    @property
    def LIMIT(self):
        return self.get("LIMIT", 5)


def test_settings_are_read_live(settings):
    assert (Settings().CURRENCY, Settings().LIMIT) == ("KES", 5)
    settings.THINGS = {"CURRENCY": "EUR", "LIMIT": 7, "LIMITS": 8}
    assert (Settings().CURRENCY, Settings().LIMIT, Settings().unknown()) == ("EUR", 7, ["LIMITS"])


def test_error_names_the_missing_setting(settings):
    settings.THINGS = {}
    with pytest.raises(ImproperlyConfigured, match=r'THINGS\["CURRENCY"\] is not set'):
        Settings().CURRENCY  # noqa: B018


def test_hook_receives_its_options_as_keywords():
    assert load_hook("shop_core.money.exponent")("JPY") == 0
    assert load_hook({"BACKEND": "shop_core.money.exponent", "OPTIONS": {"currency": "JPY"}})() == 0
    assert isinstance(load_hook({"BACKEND": "shop_core.money.exponent"}), partial)
    with pytest.raises(ImportError):
        load_hook("shop_core.money.nothing")
