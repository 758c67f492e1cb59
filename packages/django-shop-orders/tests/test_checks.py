import pytest
from django.core.checks import ERROR, WARNING
from django.core.management import call_command
from django.db import connection
from shop_orders import checks

SOURCE = {"model": "books.Book", "ref": "isbn", "name": "title", "price": "sale_price", "stock": "on_hand"}


def found():
    return checks.check_settings(None)


def source(**options):
    return {
        "PRODUCT_SOURCE": {
            "BACKEND": "shop_orders.product_sources.ModelProductSource",
            "OPTIONS": {**SOURCE, **options},
        }
    }


@pytest.mark.django_db
def test_right_settings_are_quiet():
    assert found() == []
    call_command("check", fail_level="WARNING")


def test_missing_settings_have_a_line_to_paste(settings):
    settings.SHOP_ORDERS = {}
    messages = found()
    assert [message.id for message in messages] == ["shop_orders.W001", "shop_orders.W004"]
    assert '"CURRENCY": "KES"' in messages[0].hint
    assert "shop_orders_quickstart" in messages[1].hint


@pytest.mark.parametrize(
    ("change", "check_id", "hint"),
    [
        ({"CURRENCY": "Shilling"}, "E001", '"CURRENCY": "KES"'),
        ({"CURENCY": "KES"}, "W003", "misspelt"),
        ({"PRODUCT_SOURCE": {"BACKEND": "no.such.Source"}}, "E002", "BACKEND"),
        (source(model="books.Paper"), "E002", "BACKEND"),
        (source(colour="red"), "E002", "OPTIONS"),
        (source(price="cost"), "E003", "sale_price"),
        (source(stock="get_absolute_url"), "E003", "on_hand"),
        (source(ref="title"), "E004", "unique"),
        ({"PAYMENT_PROVIDERS": {}}, "E005", "PayOnDelivery"),
        ({"PAYMENT_PROVIDERS": {"gold": {"BACKEND": "no.such.Provider"}}}, "E006", '"gold"'),
        (
            {"PAYMENT_PROVIDERS": {"bank": {"BACKEND": "shop_orders.payment_providers.BankTransfer"}}},
            "E006",
            "OPTIONS",
        ),
        ({"ORDER_NUMBER": "no.such.hook"}, "E007", '"ORDER_NUMBER"'),
        ({"PRICING": ["no.such.hook"]}, "E007", '"PRICING"'),
        ({"VALIDATORS": [{"BACKEND": "no.such.hook"}]}, "E007", '"VALIDATORS"'),
        ({"API_AUTH": []}, "E008", "django_auth"),
        ({"STAFF_API_AUTH": "no.such.auth"}, "E009", "django_auth"),
        ({"PHONE_REGIONS": ["Kenya"]}, "E010", '["KE"]'),
        ({"PHONE_REGIONS": "KE"}, "E010", '["KE"]'),
        ({"CART_MERGE": "both"}, "E011", '"CART_MERGE": "sum"'),
        ({"TRANSITIONS": {"pending": ["lost"]}}, "E012", "pending"),
    ],
)
def test_wrong_setting_is_named_with_a_hint(shop_settings, change, check_id, hint):
    shop_settings(**change)
    (message,) = found()
    assert message.id == f"shop_orders.{check_id}"
    assert message.level == (WARNING if check_id.startswith("W") else ERROR)
    assert hint in message.hint


def test_secrets_of_a_provider_do_not_show_in_its_error(shop_settings):
    shop_settings(
        PAYMENT_PROVIDERS={
            "mpesa": {
                "BACKEND": "shop_orders.payment_providers.Mpesa",
                "OPTIONS": {"consumer_secret": "canary-secret"},
            }
        }
    )
    (message,) = found()
    assert "canary-secret" not in f"{message.msg} {message.hint}"


def test_sqlite_without_immediate_transactions_is_told():
    if connection.vendor != "sqlite":
        assert checks.check_databases(None) == []
        return
    assert checks.check_databases(None) == []
    options = connection.settings_dict["OPTIONS"]
    mode = options.pop("transaction_mode")
    try:
        (message,) = checks.check_databases(None)
    finally:
        options["transaction_mode"] = mode
    assert message.id == "shop_orders.W002"
    assert '"transaction_mode": "IMMEDIATE"' in message.hint
