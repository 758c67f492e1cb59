"""``manage.py list_notifiers``: which notifiers are installed and configured, and what each needs."""

from __future__ import annotations

import io

import pytest
from distributions import install
from django.core.management import call_command, load_command_class
from shop_notify.notifiers import registry

ROUTE = {"signal": "testproject.library.signals.loan_made", "event": "loan_made", "to": ["reader"], "via": ["email"]}


OPTIONS = (
    "options: username (required), api_key (required, secret), sender, base_url, report_secret (secret), "
    "repeat_unknown, low_balance, confirm_stop"
)


def run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def lines_of(name):
    """The lines about one installed notifier."""
    lines = iter(run("list_notifiers").partition("Configured:")[0].splitlines())
    found = []
    for line in lines:
        if line.startswith(f"  {name}  ") or (found and line.startswith("      ")):
            found.append(line.strip())
        elif found:
            break
    return found


def test_list_notifiers_shows_installed_configured_and_missing(settings):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"email": {"BACKEND": "email"}, "broken": {"BACKEND": "pigeon"}},
        "ROUTES": [{**ROUTE, "via": ["email", "sms"]}],
    }
    said = run("list_notifiers")
    assert "africastalking  (shop_notify.notifiers:AfricasTalkingNotifier)" in said
    assert "email  email  ready, channel email" in said
    assert "broken  pigeon  broken:" in said
    assert said.rstrip().endswith("sms")


def test_list_notifiers_runs_even_if_checks_fail():
    assert load_command_class("shop_notify", "list_notifiers").requires_system_checks == ()


def test_list_notifiers_omits_its_heading_if_nothing_is_missing(settings):
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"email": {"BACKEND": "email"}}, "ROUTES": [ROUTE]}
    assert "Missing" not in run("list_notifiers")


def test_needs_of_a_gateway_for_sms():
    assert lines_of("africastalking") == [
        "africastalking  (shop_notify.notifiers:AfricasTalkingNotifier)",
        "from: django-shop-notify",
        "address: the recipient's “phone”, channel sms",
        OPTIONS,
        "install: pip install django-shop-notify[africastalking]",
        "metered: each message costs money; set PHONE_REGIONS, SMS_LIMITS apply",
        "report URL: yes, for delivery reports",
    ]


def test_needs_of_the_console():
    assert lines_of("console")[1:] == [
        "from: django-shop-notify",
        "address: found by the notifier in the recipient or its options, channel console",
        "options: address_field",
        "report URL: none needed",
    ]


def test_report_url_is_shown_without_its_secret(settings):
    pytest.importorskip("africastalking")
    options = {"username": "u", "api_key": "very-secret-key", "report_secret": "very-secret-text"}
    sms = {"BACKEND": "africastalking", "OPTIONS": options}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"sms": sms}}
    assert "report URL: unknown; set BASE_URL" in run("list_notifiers")
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "BASE_URL": "https://shop.example.org"}
    said = run("list_notifiers")
    assert "      report URL: https://shop.example.org/notify/reports/sms/<report_secret>/\n" in said
    assert "very-secret" not in said


def test_both_distributions_with_one_name_are_shown_with_what_is_wrong(site_packages):
    install(site_packages, "acme-pager", "pager", "acme_is_not_there:Pager")
    install(site_packages, "other-pager", "pager", "json:dumps")
    said = run("list_notifiers")
    assert (
        "  pager  (acme_is_not_there:Pager)\n      from: acme-pager\n      cannot be imported: ModuleNotFound" in said
    )
    assert "  pager  (json:dumps)\n      from: other-pager\n      cannot be imported: " in said


def test_every_shipped_notifier_says_what_it_needs():
    for name in registry.SHIPPED:
        assert "cannot be imported" not in "".join(lines_of(name))
