"""Settings from the environment: errors name wrong or missing variables."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from config.env import Env, read_dotenv
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.views.debug import SafeExceptionReporterFilter

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = Path("/nowhere/.env")
PRODUCTION = {
    "DEBUG": "false",
    "DEMO": "",
    "SECRET_KEY": "abcdefghijklmnopqrstuvwxyz0123456789" * 2,
    "SITE_URL": "https://shop.example.org",
    "ALLOWED_HOSTS": "shop.example.org",
    "REDIS_URL": "redis://127.0.0.1:6379/1",
    "PROXY_COUNT": "1",
    "EMAIL_HOST": "smtp.example.org",
    "ADMIN_EMAIL": "admin@example.org",
    "OIDC_PROVIDER_KEY": "",
    "DJANGO_SETTINGS_MODULE": "config.settings",
}

MPESA = {
    "MPESA_CONSUMER_KEY": "consumer",
    "MPESA_CONSUMER_SECRET": "very-secret",
    "MPESA_SHORT_CODE": "174379",
    "MPESA_PASSKEY": "hidden-passkey",
    "MPESA_WEBHOOK_SECRET": "a-long-random-text",
}
STRIPE = {"STRIPE_API_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRETS": "whsec_a-long-text-1,whsec_a-long-text-2"}


def env(**values):
    return Env(NOWHERE, values)


def manage(*arguments, **values):
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "", "DB_HOST": "", **values},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_missing_variable_is_named_with_a_hint():
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is not set .* Make one\."):
        env().text("SECRET_KEY", hint="Make one.")


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("Yes", True), ("off", False), ("", True)])
def test_flags(value, flag):
    assert env(DEBUG=value).flag("DEBUG", default=True) is flag


def test_a_wrong_flag_is_named():
    with pytest.raises(ImproperlyConfigured, match="DEBUG must be true or false, not 'maybe'"):
        env(DEBUG="maybe").flag("DEBUG")


def test_a_wrong_number_is_named():
    with pytest.raises(ImproperlyConfigured, match="EMAIL_PORT must be a whole number, not 'x'"):
        env(EMAIL_PORT="x").number("EMAIL_PORT", 25)


def test_lists_are_separated_by_commas():
    assert env(ALLOWED_HOSTS="a.example.org, b.example.org,").items("ALLOWED_HOSTS") == [
        "a.example.org",
        "b.example.org",
    ]


def test_statements_are_prepared_except_through_a_pooler():
    url = "postgres://shop:password@db.example.org/shop"
    options = env(DATABASE_URL=url).database(NOWHERE)["OPTIONS"]
    assert (options["server_side_binding"], options["prepare_threshold"]) == (True, 5)
    options = env(DATABASE_URL=url, DB_PREPARE="false").database(NOWHERE)["OPTIONS"]
    assert not {"server_side_binding", "prepare_threshold"} & set(options)


def test_an_export_keeps_no_cursor_behind_a_pooler():
    """The next part of its rows may be asked for on another connection, which has no such cursor."""
    url = "postgres://shop:password@db.example.org/shop"
    found = [env(DATABASE_URL=url, DB_PREPARE=prepare).database(NOWHERE) for prepare in ("true", "false")]
    assert [database.get("DISABLE_SERVER_SIDE_CURSORS", False) for database in found] == [False, True]


def test_postgresql_limits_the_time_of_statements_and_does_not_compile_them():
    url = "postgres://shop:password@db.example.org/shop"
    options = env(DATABASE_URL=url, DB_STATEMENT_TIMEOUT_SECONDS="7").database(NOWHERE)["OPTIONS"]
    assert options["options"] == "-c statement_timeout=7s -c jit=off"


def test_the_database_of_a_url():
    database = env(DATABASE_URL="postgres://shop:p%40ss@db.example.org:5433/shop?sslmode=require").database(NOWHERE)

    wanted = {"HOST": "db.example.org", "NAME": "shop", "USER": "shop", "PASSWORD": "p@ss", "PORT": "5433"}
    assert {name: database[name] for name in wanted} == wanted
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"] == {"min_size": 1, "max_size": 8, "timeout": 10, "reconnect_timeout": 5}


def test_the_database_of_single_variables():
    database = env(DB_HOST="db", DB_NAME="shop", DB_USER="u", DB_PASSWORD="p").database(NOWHERE)

    assert (database["ENGINE"], database["HOST"], database["PORT"]) == ("django.db.backends.postgresql", "db", "5432")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"DB_HOST": "db", "DB_USER": "u"}, "DB_NAME"),
        ({"DB_NAME": "shop"}, "DB_HOST"),
        ({"DB_HOST": "db", "DB_NAME": "shop"}, "DB_USER"),
        ({"DB_USER": "u", "DB_PASSWORD": "p"}, "DB_HOST"),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgres://u:p@h"}, "DATABASE_URL must end with the database's name"),
        ({"DATABASE_URL": "postgres://u:p/w@h:5432/y"}, "%2F"),
        ({"DATABASE_URL": "postgres://h:port/y"}, "DATABASE_URL"),
    ],
)
def test_an_incomplete_database_setting_is_named(values, named):
    with pytest.raises(ImproperlyConfigured, match=named):
        env(**values).database(NOWHERE)


def test_sqlite_takes_several_writers():
    options = env().database(Path("shop.sqlite3"))["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 20
    assert "journal_mode=WAL" in options["init_command"]


def test_a_key_is_a_pem_or_the_file_of_one(tmp_path):
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (tmp_path / "key.pem").write_text(pem)

    assert env(KEY=str(tmp_path / "key.pem")).pem("KEY") == pem
    assert env(KEY=pem.replace("\n", "\\n")).pem("KEY") == pem
    for wrong in ("/nowhere/key.pem", "-----BEGIN nonsense", pem[:900], __file__):
        with pytest.raises(ImproperlyConfigured, match="KEY must be a private key"):
            env(KEY=wrong).pem("KEY")


def test_the_process_wins_over_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nSHOP_NAME='From the file'\nSHOP_COUNTRY=KE\n")

    read = Env(file, {"SHOP_NAME": "From the process"})

    assert (read.text("SHOP_NAME"), read.text("SHOP_COUNTRY")) == ("From the process", "KE")


def test_a_broken_line_of_the_file_is_named(tmp_path):
    file = tmp_path / ".env"
    file.write_text("SHOP_NAME=x\nnonsense\n")

    with pytest.raises(ImproperlyConfigured, match="line 2"):
        read_dotenv(file)


def test_the_example_file_is_readable_and_names_what_settings_read():
    names = set(read_dotenv(ROOT / ".env.example"))

    assert {"SECRET_KEY", "SITE_URL", "SHOP_NAME", "SHOP_CURRENCY", "PHONE_REGIONS"} <= names


def test_production_passes_the_deployment_check(tmp_path):
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, DATA_DIR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"DEBUG": "perhaps"}, "DEBUG must be true or false"),
        ({"EMAIL_PORT": "smtp"}, "EMAIL_PORT must be a whole number"),
        ({"OIDC_PROVIDER": "true"}, "OIDC_PROVIDER_KEY is not set"),
        ({"DB_HOST": "db.example.org"}, "DB_NAME is not set"),
    ],
)
def test_a_wrong_start_names_the_variable(tmp_path, change, named):
    done = manage("check", **{**PRODUCTION, "DATA_DIR": str(tmp_path), **change})

    assert done.returncode != 0
    assert named in done.stderr.splitlines()[-1]


EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
S7 = [
    "SHOP_NAME",
    "SHOP_CURRENCY",
    "SHOP_COUNTRY",
    "PHONE_REGIONS",
    "LANGUAGE_CODE",
    "TIME_ZONE",
    "DATABASE_URL",
    "DB_HOST",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "REDIS_URL",
    "SECRET_KEY",
    "DEBUG",
    "ALLOWED_HOSTS",
    "AFRICAS_TALKING_USERNAME",
    "AFRICAS_TALKING_API_KEY",
    "AFRICAS_TALKING_FROM",
    "EMAIL_HOST",
    "EMAIL_PORT",
    "EMAIL_HOST_USER",
    "EMAIL_HOST_PASSWORD",
    "ADMIN_EMAIL",
    "OIDC_ISSUER",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
]
"""The variables that the specification promises."""


def written_down():
    return set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", S7)
def test_the_promised_variables_are_in_the_example(name):
    assert name in written_down()


def test_every_variable_that_the_settings_read_is_in_the_example():
    files = [ROOT / "config" / "env.py", *(ROOT / "config" / "settings").glob("*.py")]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    read = set(re.findall(r'(?:env|self)\.[a-z_]+\(\s*"([A-Z_]+)"', text))

    assert len(read) > 50
    assert read - written_down() <= {"OIDC_PROVIDER", "OIDC_PROVIDERS", "OIDC_REDIRECT_ORIGINS", "PASSKEYS"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SITE_URL", "shop.example.org"),
        ("SITE_URL", "ftp://shop.example.org"),
        ("SITE_URL", "https://shop.example.org/shop"),
        ("ALLOWED_HOSTS", "https://shop.example.org"),
        ("CSRF_TRUSTED_ORIGINS", "shop.example.org"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org/"),
        ("SHOP_CURRENCY", "kes"),
        ("SHOP_CURRENCY", "Shilling"),
        ("SHOP_COUNTRY", "Kenya"),
        ("SHOP_COUNTRY", "QQ"),
        ("PHONE_REGIONS", "KE,XX"),
        ("LANGUAGE_CODE", "klingon"),
        ("TIME_ZONE", "Nairobi"),
        ("TIME_ZONE", "../etc/passwd"),
        ("ADMIN_EMAIL", "admin"),
        ("DEFAULT_FROM_EMAIL", "Acacia"),
        ("DATABASE_URL", "mysql://shop@localhost/shop"),
        ("DATABASE_URL", "postgres://shop@localhost:port/shop"),
        ("DB_PORT", "x"),
        ("DB_PORT", "70000"),
        ("DB_POOL_SIZE", "-1"),
        ("DB_STATEMENT_TIMEOUT_SECONDS", "1e3"),
        ("DB_PREPARE", "maybe"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://localhost:port/0"),
        ("REDIS_URL", "redis://localhost:6379/shop"),
        ("EMAIL_PORT", "0"),
        ("EMAIL_PORT", "70000"),
        ("EMAIL_PORT", "smtp"),
        ("EMAIL_USE_TLS", "maybe"),
        ("EMAIL_VERIFICATION", "sometimes"),
        ("TAX_RATE", "16%"),
        ("TAX_RATE", "16"),
        ("OIDC_PROVIDERS", "my google"),
        ("OIDC_PROVIDER_KEY", "-----BEGIN nonsense"),
        ("OIDC_REDIRECT_ORIGINS", "login.example.com"),
        ("SHIPPING_PRICE", "-5"),
        ("SHIPPING_FREE_FROM", "5.000,00"),
        ("MAX_QUANTITY", "0"),
        ("QUEUE_WORKERS", "0"),
        ("PROXY_COUNT", "two"),
        ("SECURE_HSTS_SECONDS", "a year"),
        ("AFRICAS_TALKING_URL", "sandbox"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("DEBUG", "perhaps"),
        ("SERVE_MEDIA", "2"),
    ],
)
def test_a_wrong_value_is_named_at_the_start(name, value):
    surroundings = {
        "DB": {"DB_HOST": "db.example.org", "DB_NAME": "shop", "DB_USER": "shop"},
        "AFRICAS": {"AFRICAS_TALKING_USERNAME": "shop", "AFRICAS_TALKING_API_KEY": "key"},
    }
    message = settings_error(**{**PRODUCTION, **surroundings.get(name.partition("_")[0], {}), name: value})

    assert message.replace("The port in ", "").replace("The database in ", "").startswith(name)


def test_a_value_that_may_hold_a_password_is_not_repeated():
    assert "s3cret" not in settings_error(**{**PRODUCTION, "REDIS_URL": "redis//:s3cret@localhost"})
    assert "s3cret" not in settings_error(**{**PRODUCTION, "DATABASE_URL": "mysql://shop:s3cret@localhost/shop"})


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"DB_HOST": "db.example.org"}, "DB_NAME"),
        ({"DB_HOST": "db.example.org", "DB_NAME": "shop"}, "DB_USER"),
        ({"AFRICAS_TALKING_USERNAME": "shop", "AFRICAS_TALKING_API_KEY": ""}, "AFRICAS_TALKING_API_KEY"),
        ({"AFRICAS_TALKING_API_KEY": "key"}, "AFRICAS_TALKING_USERNAME"),
        ({"OIDC_CLIENT_ID": "shop"}, "OIDC_ISSUER"),
        ({"STRIPE_API_KEY": "sk"}, "STRIPE_WEBHOOK_SECRETS is not set, but STRIPE_API_KEY is"),
        ({"STRIPE_WEBHOOK_SECRETS": "whsec"}, "STRIPE_API_KEY is not set"),
        ({"MPESA_PASSKEY": "p", "MPESA_SHORT_CODE": "1"}, "MPESA_CONSUMER_KEY, MPESA_CONSUMER_SECRET, MPESA_WEBHOOK_"),
        ({**MPESA, "MPESA_INITIATOR": "shop"}, "MPESA_INITIATOR_SECRET is not set"),
        ({**MPESA, "MPESA_KIND": "bank"}, "MPESA_KIND must be one of paybill, till"),
        ({**MPESA, "MPESA_ENVIRONMENT": "test"}, "MPESA_ENVIRONMENT must be one of production, sandbox"),
        ({"EMAIL_USE_TLS": "true", "EMAIL_USE_SSL": "true"}, "EMAIL_USE_TLS"),
    ],
)
def test_a_missing_value_is_named_at_the_start(values, name):
    assert settings_error(**{**PRODUCTION, **values}).startswith(name)


def test_variables_of_stripe_and_mpesa_switch_them_on():
    without = settings_of(**PRODUCTION)["SHOP_ORDERS"]["PAYMENT_PROVIDERS"]
    assert list(without) == ["on_delivery"]
    providers = settings_of(**PRODUCTION, **STRIPE, **MPESA)["SHOP_ORDERS"]["PAYMENT_PROVIDERS"]
    assert list(providers) == ["on_delivery", "card", "mobile_money"]
    assert providers["card"]["OPTIONS"]["webhook_secrets"] == ["whsec_a-long-text-1", "whsec_a-long-text-2"]
    assert providers["mobile_money"]["OPTIONS"]["api_base"] == "https://api.safaricom.co.ke"
    sandbox = settings_of(**PRODUCTION, **MPESA, MPESA_ENVIRONMENT="sandbox", MPESA_KIND="till")
    options = sandbox["SHOP_ORDERS"]["PAYMENT_PROVIDERS"]["mobile_money"]["OPTIONS"]
    assert (options["api_base"], options["kind"]) == ("https://sandbox.safaricom.co.ke", "till")
    for config in providers.values():
        import_string(config["BACKEND"])(alias="alias", **config.get("OPTIONS", {}))


def test_keys_of_payment_providers_are_masked_on_error_pages():
    providers = settings_of(**PRODUCTION, **STRIPE, **MPESA)["SHOP_ORDERS"]["PAYMENT_PROVIDERS"]
    shown = str(SafeExceptionReporterFilter().cleanse_setting("PAYMENT_PROVIDERS", providers))
    secrets = [*STRIPE.values(), "very-secret", "hidden-passkey", "a-long-random-text", "a-long-text-1"]
    assert [secret for secret in secrets if secret in shown] == []


def test_any_language_of_django_can_be_the_shop_s():
    assert settings_error(**PRODUCTION, LANGUAGE_CODE="sw") == ""
    assert settings_error(**PRODUCTION, SHOP_CURRENCY="EUR", SHOP_COUNTRY="DE", TIME_ZONE="Europe/Berlin") == ""


@pytest.mark.parametrize(("command", "pooled"), [("runserver", True), ("qcluster", False), ("shop_doctor", False)])
def test_forked_workers_share_no_pool_and_the_doctor_waits_for_none(monkeypatch, command, pooled):
    monkeypatch.setattr(sys, "argv", ["manage.py", command])
    database = settings_of(**PRODUCTION, DATABASE_URL="postgres://shop@db.example.org/shop")["DATABASES"]["default"]
    assert ("pool" in database["OPTIONS"]) is pooled


def test_amounts_that_are_not_given_are_known_outside_the_demo():
    given = {"SHIPPING_PRICE": "0", "SHIPPING_PRICE_EXPRESS": "9.50", "SHIPPING_FREE_FROM": "50"}
    assert settings_of(**PRODUCTION, **given)["SAMPLE_AMOUNTS"] == ["TAX_RATE"]
    assert settings_of(**PRODUCTION, **given, TAX_RATE="0.19")["SAMPLE_AMOUNTS"] == []
    assert len(settings_of(**PRODUCTION)["SAMPLE_AMOUNTS"]) == 4
    assert settings_of(**{**PRODUCTION, "DEMO": "true"})["SAMPLE_AMOUNTS"] == []


def test_mails_are_sent_with_smtputf8_unless_the_server_has_none():
    plain = "django.core.mail.backends.smtp.EmailBackend"
    assert settings_of(**PRODUCTION)["EMAIL_BACKEND_CLASS"] == "shop_notify.smtp.EmailBackend"
    assert settings_of(**PRODUCTION, EMAIL_SMTPUTF8="false")["EMAIL_BACKEND_CLASS"] == plain


def settings_error(**values):
    """The error of the settings in an environment with only these values, "" if there is none."""
    try:
        settings_of(**values)
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def settings_of(**values):
    """The settings in an environment with only these values, read again; the tests' own stay as they are."""
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("config.settings")}
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({"PATH": before["PATH"], "DATA_DIR": tempfile.gettempdir(), **values})
    try:
        return vars(importlib.import_module("config.settings"))
    finally:
        os.environ.clear()
        os.environ.update(before)
        for name in [name for name in sys.modules if name.startswith("config.settings")]:
            del sys.modules[name]
        sys.modules.update(own)


def test_a_load_test_from_one_address_is_limited_by_no_setting():
    show = "from django.conf import settings as s; print(s.SHOP_ORDERS['THROTTLES'], s.SHOP_CATALOG['THROTTLES'], "
    show += "s.SHOP_NOTIFY['SMS_LIMITS'])"
    done = manage("shell", "-v0", "-c", show, DEBUG="true", THROTTLES="false", SMS_PER_HOUR="9000")
    assert done.stdout.splitlines()[-1] == "{} {} {'hour': 9000, 'visitor_hour': 9000}", done.stderr
