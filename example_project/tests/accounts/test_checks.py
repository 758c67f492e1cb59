"""Messages of ``manage.py check`` about the accounts' settings."""

from __future__ import annotations

import pytest
from django.core import checks
from shop_orders.contrib.allauth.checks import check_settings


def found(settings, **changes):
    for name, value in changes.items():
        setattr(settings, name, value)
    return {message.id: message for message in check_settings(None)}


def test_the_examples_settings_are_quiet(settings):
    assert found(settings) == {}


@pytest.mark.parametrize(
    ("name", "value", "check_id", "pasted"),
    [
        (
            "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED",
            False,
            "shop_orders_allauth.W002",
            "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True",
        ),
        (
            "HEADLESS_TOKEN_STRATEGY",
            "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy",
            "shop_orders_allauth.W001",
            'HEADLESS_TOKEN_STRATEGY = "shop_orders.contrib.allauth.tokens.TokenStrategy"',
        ),
        (
            "ACCOUNT_EMAIL_VERIFICATION",
            "optional",
            "shop_orders_allauth.W003",
            'ACCOUNT_EMAIL_VERIFICATION = "mandatory"',
        ),
        (
            "CACHES",
            {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
            "shop_orders_allauth.W004",
            "django.core.cache.backends.redis.RedisCache",
        ),
        (
            "ACCOUNT_ADAPTER",
            "allauth.account.adapter.DefaultAccountAdapter",
            "shop_orders_allauth.W005",
            'ACCOUNT_ADAPTER = "shop_orders.contrib.allauth.adapter.AccountAdapter"',
        ),
        ("HEADLESS_CLIENTS", ["browser"], "shop_orders_allauth.E002", 'HEADLESS_CLIENTS = ["app", "browser"]'),
    ],
)
def test_a_careless_setting_is_named_with_the_line_to_paste(settings, name, value, check_id, pasted):
    messages = found(settings, **{name: value})

    assert list(messages) == [check_id]
    assert pasted in messages[check_id].hint


def test_the_default_of_allauth_is_stateless_and_is_reported(settings):
    del settings.HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED

    assert list(found(settings)) == ["shop_orders_allauth.W002"]


def test_missing_apps_are_errors(settings):
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "allauth.headless"]

    message = found(settings)["shop_orders_allauth.E001"]

    assert message.level == checks.ERROR
    assert message.hint == 'Paste into INSTALLED_APPS: "allauth.headless".'


def test_the_checks_run_with_those_of_orders():
    assert check_settings in checks.registry.registry.get_checks()
