import pytest
from django.core.checks import ERROR, WARNING
from django.core.management import call_command
from django.db import connection
from ninja.security.apikey import APIKeyCookie
from shop_orders import checks
from shop_orders.testing import MemoryProductSource
from testproject import hooks
from testproject.books.models import Book

SOURCE = {"model": "books.Book", "ref": "isbn", "name": "title", "price": "sale_price", "stock": "on_hand"}

BANK = {"BACKEND": "shop_orders.payment_providers.BankTransfer"}
PAY_ON_DELIVERY = {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}
SHIPPING = {"BACKEND": "shop_orders.pricing.flat_rate_shipping"}


def run_checks():
    return checks.check_settings(None)


def source(**options):
    return {
        "PRODUCT_SOURCE": {
            "BACKEND": "shop_orders.product_sources.ModelProductSource",
            "OPTIONS": {**SOURCE, **options},
        }
    }


@pytest.mark.django_db
def test_valid_settings_pass_every_check():
    assert run_checks() == []
    call_command("check", fail_level="WARNING")


def test_hints_for_missing_settings_can_be_pasted(settings):
    settings.SHOP_ORDERS = {}
    messages = run_checks()
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
        ({"PRICING": ["no.such.hook"]}, "E007", '"PRICING": ["mysite'),
        ({"VALIDATORS": [{"BACKEND": "no.such.hook"}]}, "E007", '"VALIDATORS": ["mysite'),
        ({"PERSONAL_DATA": ["shop_orders.personal_data.exporting"]}, "E007", '"PERSONAL_DATA": ["mysite'),
        ({"API_AUTH": []}, "E008", "django_auth"),
        ({"STAFF_API_AUTH": "no.such.auth"}, "E009", "django_auth"),
        ({"PHONE_REGIONS": ["Kenya"]}, "E010", '["KE"]'),
        ({"PHONE_REGIONS": "KE"}, "E010", '["KE"]'),
        ({"CART_MERGE": "both"}, "E011", '"CART_MERGE": "sum"'),
        ({"TRANSITIONS": {"pending": ["lost"]}}, "E012", "pending"),
        ({"REQUEST_USER": "no.such.hook"}, "E007", '"REQUEST_USER"'),
        ({"NEW_CUSTOMER": "shop_orders.customers.FIELDS"}, "E007", '"NEW_CUSTOMER"'),
        ({"VERIFIED_EMAILS": "no.such.hook"}, "E007", '"VERIFIED_EMAILS"'),
        ({"ORDER_URL": "no.such.hook"}, "E007", '"ORDER_URL"'),
        ({"DELIVERIES": "no.such.hook"}, "E007", '"DELIVERIES"'),
        ({"STAFF_API_AUTH": []}, "E008", "django_auth"),
        ({"API_AUTH": ["no.such.auth"]}, "E009", "django_auth"),
        ({"PHONE_REGIONS": None}, "E010", '["KE"]'),
        ({"PAYMENT_PROVIDERS": ["on_delivery"]}, "E014", '{"on_delivery": {...}}'),
        ({"PAYMENT_PROVIDERS": {"on_delivery": "PayOnDelivery"}}, "E014", '{"on_delivery": {...}}'),
        ({"PRICING": "mysite.pricing.loyalty"}, "E014", '["mysite'),
        ({"VALIDATORS": "mysite.shop.minimum_order"}, "E014", '["mysite'),
        ({"TRANSITIONS": {"pending": "shipped"}}, "E014", '["processing"]'),
        ({"MAX_QUANTITY": "many"}, "E014", '"MAX_QUANTITY": 999'),
        ({"MAX_UNPAID_ORDERS": 0}, "E014", '"MAX_UNPAID_ORDERS": 5'),
        ({"MAX_LINES": 0}, "E014", '"MAX_LINES": 500'),
        ({"MAX_LINES": 2**15}, "E014", '"MAX_LINES": 500'),
        ({"MAX_UNPAID_UNITS": 0}, "E014", '"MAX_UNPAID_UNITS": 200'),
        ({"TRUSTED_PROXIES": -1}, "E014", '"TRUSTED_PROXIES": 1'),
        ({"THROTTLES": {"cart": "60"}}, "E014", '"THROTTLES": {"cart": "60/m"'),
        ({"THROTTLES": {"carts": "60/m"}}, "E014", '"THROTTLES": {"cart": "60/m"'),
        ({"TRUSTED_PROXIES": True}, "E014", '"TRUSTED_PROXIES": 1'),
        ({"VISITOR": "no.such.hook"}, "E007", '"VISITOR"'),
        ({"GUEST_CHECKOUT": "no"}, "E014", '"GUEST_CHECKOUT": True'),
        ({"GUEST_LINK_MAX_AGE": 90}, "E014", "timedelta(days=90)"),
        ({"CART_MAX_AGE": 60}, "E014", "timedelta(days=60)"),
        ({"PROBLEM_TYPE_BASE": None}, "E014", "https://"),
        ({"PRODUCT_SOURCE": None}, "E014", "ModelProductSource"),
        ({"PRODUCT_SOURCE": "no.such.Source"}, "E014", "ModelProductSource"),
        ({"PRODUCT_SOURCE": {"OPTIONS": {}}}, "E014", "ModelProductSource"),
        ({"PRODUCT_SOURCE": {"BACKEND": "decimal.Decimal"}}, "E016", "Decimal"),
        (source(price=""), "E003", "sale_price"),
        (source(filters={"is_activ": True}), "E017", '"filters": {"is_active": True}'),
        (source(stock="sale_price"), "E018", '"stock"'),
        ({"PAYMENT_PROVIDERS": {"gold": {}}}, "E014", '{"on_delivery": {...}}'),
        ({"PAYMENT_PROVIDERS": {"a/b": PAY_ON_DELIVERY}}, "E019", "letters"),
        ({"PAYMENT_PROVIDERS": {"a" * 51: PAY_ON_DELIVERY}}, "E019", "50"),
        ({"PAYMENT_PROVIDERS": {"bank": {**BANK, "OPTIONS": {"account": "A", "days": -3}}}}, "E020", '{"days": 7}'),
        ({"PAYMENT_PROVIDERS": {"bank": {**BANK, "OPTIONS": {"account": "A", "days": 0}}}}, "E020", "BankTransfer"),
        ({"TRANSITIONS": {"confirmed": ["pending"]}}, "E021", "Remove it"),
        ({"TRANSITIONS": {"cancelled": ["confirmed"]}}, "E021", "stock"),
        ({"PRICING": [{"OPTIONS": {}}]}, "E014", '["mysite'),
        ({"PRICING": [{**SHIPPING, "OPTIONS": {"fee": 1}}]}, "E007", '"PRICING"'),
        ({"API_AUTH": None}, "E014", "django_auth"),
        ({"API_AUTH": "decimal.ROUND_UP"}, "E009", "django_auth"),
        ({"TRANSITIONS": {1: [2]}}, "E014", '["processing"]'),
        ({"MAX_QUANTITY": 2**31}, "E014", '"MAX_QUANTITY": 999'),
    ],
)
def test_wrong_setting_is_reported_with_a_hint(shop_settings, change, check_id, hint):
    shop_settings(**change)
    (message,) = run_checks()
    assert message.id == f"shop_orders.{check_id}"
    assert message.level == (WARNING if check_id.startswith("W") else ERROR)
    assert hint in message.hint


@pytest.mark.parametrize("number", ["2026/1", "..", 7])
def test_order_number_that_cannot_be_used_is_found_by_calling_the_hook(shop_settings, number):
    hooks.NUMBERS[:] = [number]
    shop_settings(ORDER_NUMBER="testproject.hooks.scripted_number")
    (message,) = run_checks()
    assert (message.id, message.level) == ("shop_orders.E022", ERROR)
    assert repr(number) in message.msg
    assert "B-1000" in message.hint


def test_hook_that_raises_for_the_sample_order_is_a_warning(shop_settings):
    shop_settings(ORDER_NUMBER="testproject.hooks.number_of_order")
    (message,) = run_checks()
    assert (message.id, message.level) == ("shop_orders.W010", WARNING)
    assert "TypeError" in message.msg


@pytest.mark.django_db
def test_hook_that_uses_the_database_is_tried_only_where_a_check_may_do_so(shop_settings):
    shop_settings(ORDER_NUMBER="testproject.hooks.counted_number")
    assert run_checks() == []
    assert checks.check_number_with_database(None) == []
    (message,) = checks.check_number_with_database(None, databases=["default"])
    assert message.id == "shop_orders.E022"
    assert "2026/0" in message.msg


class Elsewhere:
    """A router that writes some models to ``other``, and reads some from ``replica``."""

    def __init__(self, *labels, read=()):
        self.labels, self.read = labels, read

    def db_for_write(self, model, **hints):
        return "other" if model._meta.label in self.labels else None

    def db_for_read(self, model, **hints):
        return "replica" if model._meta.label in self.read else self.db_for_write(model)


def test_stock_in_another_database_is_an_error(settings, shop_settings):
    settings.DATABASE_ROUTERS = [Elsewhere("books.Book")]
    (message,) = run_checks()
    assert (message.id, message.level) == ("shop_orders.E023", ERROR)
    assert 'The stock of books.Book is in the database "other" and the orders in "default"' in message.msg
    assert "DATABASE_ROUTERS" in message.hint
    shop_settings(**source(stock=""))
    assert run_checks() == []


def test_stock_of_a_source_of_the_site_in_another_database_is_an_error(settings, shop_settings, monkeypatch):
    monkeypatch.setattr(MemoryProductSource, "stock_model", Book, raising=False)
    shop_settings(PRODUCT_SOURCE={"BACKEND": "shop_orders.testing.MemoryProductSource"})
    assert run_checks() == []
    settings.DATABASE_ROUTERS = [Elsewhere("books.Book")]
    assert [message.id for message in run_checks()] == ["shop_orders.E023"]


@pytest.mark.parametrize("label", ["shop_orders.IdempotencyKey", "auth.User"])
def test_models_of_two_databases_are_an_error(settings, label):
    settings.DATABASE_ROUTERS = [Elsewhere(label)]
    (message,) = run_checks()
    assert (message.id, message.level) == ("shop_orders.E024", ERROR)
    assert f'The database routers write {label} to the database "other" and the orders to "default".' in message.msg
    assert f'"default" for {label} too, or "other" for all of shop_orders' in message.hint


def test_reading_from_a_replica_is_an_error(settings):
    settings.DATABASE_ROUTERS = [Elsewhere(read=["shop_orders.Order", "shop_orders.Payment"])]
    (message,) = run_checks()
    assert (message.id, message.level) == ("shop_orders.E025", ERROR)
    assert 'read shop_orders.Order from the database "replica" and write it to "default"' in message.msg


def test_price_column_with_a_default_is_reported(monkeypatch):
    field = Book._meta.get_field("sale_price")
    monkeypatch.setattr(field, "default", 0)
    (message,) = run_checks()
    assert (message.id, message.level) == ("shop_orders.W011", WARNING)
    assert "books.Book.sale_price has the default 0" in message.msg
    monkeypatch.setattr(field, "default", None)
    assert run_checks() == []


def test_settings_that_are_not_a_dict_are_reported(settings):
    settings.SHOP_ORDERS = [("CURRENCY", "KES")]
    (message,) = run_checks()
    assert (message.id, "SHOP_ORDERS = {" in message.hint) == ("shop_orders.E013", True)


class PartnerCookie(APIKeyCookie):
    param_name = "partner"

    def authenticate(self, request, key):
        return None


def test_session_auth_without_the_middleware_is_reported(settings, shop_settings):
    shop_settings(API_AUTH="ninja.security.django_auth")
    assert run_checks() == []
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "auth" not in name]
    shop_settings(API_AUTH=f"{__name__}.PartnerCookie")
    assert run_checks() == []
    shop_settings(API_AUTH="ninja.security.SessionAuth")
    assert [message.id for message in run_checks()] == ["shop_orders.E015"]
    shop_settings(API_AUTH="ninja.security.django_auth")
    (message,) = run_checks()
    assert message.id == "shop_orders.E015"
    assert message.hint == 'Paste into MIDDLEWARE:\n    "django.contrib.auth.middleware.AuthenticationMiddleware",'


def test_provider_with_webhooks_but_without_urls_is_reported(settings, shop_settings):
    hosted = {"BACKEND": "shop_orders.payment_providers.HostedTestProvider", "OPTIONS": {"secrets": ["a-secret"]}}
    shop_settings(PAYMENT_PROVIDERS={"test": hosted})
    assert checks.check_urls(None) == []
    settings.ROOT_URLCONF = "testproject.no_urls"
    (message,) = checks.check_urls(None)
    assert (message.id, message.level) == ("shop_orders.W006", WARNING)
    assert 'path("payments/", include("shop_orders.urls"))' in message.hint
    shop_settings(PAYMENT_PROVIDERS={"door": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}})
    assert checks.check_urls(None) == []


def test_test_provider_is_reported_before_deployment(shop_settings):
    shop_settings(TRUSTED_PROXIES=0)
    assert checks.check_deployment(None) == []
    hosted = {"BACKEND": "shop_orders.payment_providers.HostedTestProvider", "OPTIONS": {"secrets": ["a-secret"]}}
    shop_settings(PAYMENT_PROVIDERS={"try": hosted})
    (message,) = checks.check_deployment(None)
    assert (message.id, 'Remove "try"' in message.hint) == ("shop_orders.W007", True)


def test_unknown_number_of_proxies_is_reported_before_deployment(shop_settings):
    (message,) = checks.check_deployment(None)
    assert (message.id, message.level) == ("shop_orders.W012", WARNING)
    assert '"TRUSTED_PROXIES": 1' in message.hint
    shop_settings(VISITOR="testproject.hooks.visitor")
    assert checks.check_deployment(None) == []


def test_check_message_hides_provider_secrets(shop_settings):
    shop_settings(
        PAYMENT_PROVIDERS={
            "mpesa": {
                "BACKEND": "shop_orders.payment_providers.Mpesa",
                "OPTIONS": {"consumer_secret": "canary-secret"},
            }
        }
    )
    (message,) = run_checks()
    assert "canary-secret" not in f"{message.msg} {message.hint}"


def test_sqlite_without_immediate_transactions_is_reported():
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


def test_untested_newer_django_is_reported(monkeypatch):
    assert checks.check_django(None) == []
    monkeypatch.setattr("shop_core.db.compiled.NEWEST_TESTED", (4, 2))
    assert [message.id for message in checks.check_django(None)] == ["shop_orders.W009"]
