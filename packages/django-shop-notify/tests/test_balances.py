"""The balance of the account at Africa's Talking, asked by the real SDK, and the alarm when it is low."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from shop_notify import delivery, health, jobs
from shop_notify.exceptions import SetupFailure, TemporaryFailure, UnknownOutcome
from shop_notify.models import AccountBalance
from shop_notify.notifiers import Balance, Notifier, get_notifier
from shop_notify.notifiers.time_limit import TimeLimitExceeded

pytest.importorskip("africastalking", reason="needs django-shop-notify[africastalking]")
LOGGER = "shop_notify.delivery.balances"


def configure(settings, gateway, **options):
    base = {"username": "duka", "api_key": "key-that-nobody-sees", "base_url": gateway.url}
    sms = {"BACKEND": "africastalking", "OPTIONS": {**base, **options}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"sms": sms, "memory": {"BACKEND": "memory"}}}
    return get_notifier("sms")


def alarms(caplog):
    return [record.getMessage() for record in caplog.records if record.name == LOGGER and record.levelname == "ERROR"]


def shown():
    return next(notifier for notifier in health.notifiers() if notifier.alias == "sms")


def test_sdk_asks_for_the_application_data(settings, gateway):
    notifier = configure(settings, gateway)
    assert notifier.fetch_balance() == Balance(currency="KES", amount=Decimal("1785.50"))
    assert gateway.paths == ["/version1/user?username=duka"]
    assert gateway.headers[0]["apiKey"] == "key-that-nobody-sees"


@pytest.mark.parametrize(
    ("mode", "failure"),
    [
        ("unauthorised", SetupFailure),
        ("too_many", TemporaryFailure),
        ("error_html", TemporaryFailure),
        ("portal", UnknownOutcome),
        ("empty", UnknownOutcome),
        ("broken_json", UnknownOutcome),
        ("array", UnknownOutcome),
        ("reset", UnknownOutcome),
        ("truncated", UnknownOutcome),
        ("huge", UnknownOutcome),
    ],
)
def test_error_of_the_gateway_is_a_failure(settings, gateway, mode, failure):
    notifier = configure(settings, gateway)
    gateway.mode = mode
    with pytest.raises(failure):
        notifier.fetch_balance()


@pytest.mark.parametrize(
    "balance", ["", "KES", "1785.50", "KES NaN", "KES x", "KES 1 2", "KESKES 1", None, [], {}, "K€S 1"]
)
def test_balance_that_cannot_be_read_is_an_unknown_outcome(settings, gateway, balance):
    notifier = configure(settings, gateway)
    gateway.balance = balance
    with pytest.raises(UnknownOutcome):
        notifier.fetch_balance()


@pytest.mark.parametrize(("text", "amount"), [("KES -3.20", "-3.20"), ("kes 1,785.50", "1785.50"), ("UGX 0", "0")])
def test_forms_of_a_balance(settings, gateway, text, amount):
    notifier = configure(settings, gateway)
    gateway.balance = text
    assert notifier.fetch_balance().amount == Decimal(amount)


@pytest.mark.parametrize("limit", ["many", "-1", "NaN", "Infinity", [1]])
def test_limit_that_is_no_amount_is_refused(settings, gateway, limit):
    with pytest.raises(Exception, match="low_balance"):
        configure(settings, gateway, low_balance=limit)


@pytest.mark.django_db
def test_low_balance_alarms_once_and_again_after_it_was_topped_up(settings, gateway, caplog):
    configure(settings, gateway, low_balance=500)
    for balance, alarmed in (("KES 500", 0), ("KES 499.99", 1), ("KES 12", 1), ("KES 800", 1), ("KES 3", 2)):
        gateway.balance = balance
        assert delivery.check_balances() == 1
        assert len(alarms(caplog)) == alarmed
    assert alarms(caplog)[0] == (
        "The balance of “sms” is low: KES 499.99. Top up the account, or its messages will wait."
    )
    assert (shown().balance, shown().is_ready) == ("KES 3.00", True)
    assert shown().balance_low_since is not None


@pytest.mark.django_db
def test_balance_is_not_asked_for_without_a_limit(settings, gateway):
    configure(settings, gateway)
    assert delivery.check_balances() == 0
    assert gateway.paths == []


@pytest.mark.django_db
def test_gateway_that_fails_leaves_the_last_balance(settings, gateway, caplog):
    caplog.set_level(logging.WARNING)
    configure(settings, gateway, low_balance="500")
    gateway.balance = "KES 3"
    delivery.check_balances()
    since = shown().balance_low_since
    gateway.mode = "error_html"
    delivery.check_balances()
    assert (shown().balance, shown().balance_low_since) == ("KES 3.00", since)
    assert len(alarms(caplog)) == 1
    assert "key-that-nobody-sees" not in caplog.text


@pytest.mark.django_db
def test_removed_limit_removes_the_balance(settings, gateway):
    configure(settings, gateway, low_balance=500)
    delivery.check_balances()
    assert AccountBalance.objects.count() == 1
    configure(settings, gateway)
    delivery.check_balances()
    assert AccountBalance.objects.count() == 0
    assert shown().balance == ""


@pytest.mark.django_db
@pytest.mark.parametrize("amount", ["99999999999999999999", "-99999999999999999999", "1e30", "0.00001"])
def test_amount_that_no_column_holds_is_stored_cut(settings, gateway, amount):
    configure(settings, gateway, low_balance=1)
    gateway.balance = f"KES {amount}"
    delivery.check_balances()
    assert AccountBalance.objects.get().currency == "KES"


@pytest.mark.django_db
def test_job_runs_every_hour():
    (job,) = [job for job in jobs.JOBS if job.name == "check_balances"]
    assert job.every == timedelta(hours=1)


class Careless(Notifier):
    """Raises, or returns, what no balance may be."""

    channel = "pager"
    low_balance = Decimal(10)

    def __init__(self, *, alias, answer):
        super().__init__(alias=alias)
        self.answer = answer

    def fetch_balance(self):
        if self.answer == "slow":
            raise TimeLimitExceeded  # as ``time_limit`` does
        return Balance(amount=Decimal(self.answer), currency="KES\0") if self.answer else {}["balance"]


@pytest.mark.django_db
@pytest.mark.parametrize("answer", ["", "NaN", "-Infinity", "slow"])
def test_notifier_that_raises_anything_does_not_hide_the_low_balance_of_another(settings, caplog, answer):
    careless = {"BACKEND": f"{__name__}.Careless", "OPTIONS": {"answer": answer}}
    low = {"BACKEND": f"{__name__}.Careless", "OPTIONS": {"answer": "1"}}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"careless": careless, "low": low}}
    delivery.check_balances()
    assert ["“low” is low" in alarm for alarm in alarms(caplog)] == [True]
