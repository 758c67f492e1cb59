from __future__ import annotations

import io
from datetime import timedelta

import django
import pytest
from distributions import install
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from shop_notify.checks import check_periodic_delivery, check_settings
from shop_notify.models import JobRun, Notification
from shop_notify.notifiers import MemoryNotifier, Notifier, registry
from shop_notify.presets import ORDER_ROUTES, SHOP_ROUTES, STOCK_ROUTES

ROUTE = {
    "signal": "testproject.library.signals.loan_made",
    "event": "loan_made",
    "to": ["member"],
    "via": ["email"],
}
SMS = {"BACKEND": "africastalking", "OPTIONS": {"username": "u", "api_key": "k", "report_secret": "s" * 20}}


def found(settings, **changes):
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, **changes}
    return [message.id.removeprefix("shop_notify.") for message in check_settings(None)]


def test_correct_settings_have_no_findings(settings):
    assert found(settings) == []


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"NOTIFERS": {}}, ["W001"]),
        ({"NOTIFIERS": {"email": {"BACKEND": "no.such.Class"}}}, ["E001"]),
        ({"NOTIFIERS": {"email": {"BACKEND": "pigeon"}}}, ["E001"]),
        ({"NOTIFIERS": {"email": {"BACKEND": "email", "OPTIONS": {"colour": "red"}}}}, ["E001"]),
        ({"NOTIFIERS": {"email": {"BACKEND": "email"}, "sms": SMS}, "PHONE_REGIONS": []}, ["E002"]),
        (
            {
                "NOTIFIERS": {
                    "email": {"BACKEND": "email"},
                    "sms": {**SMS, "OPTIONS": {"username": "u", "api_key": "k"}},
                }
            },
            ["W002"],
        ),
        ({"ROUTES": [{"signal": "a.b", "event": "x"}]}, ["E003"]),
        ({"ROUTES": [{**ROUTE, "signal": "no.such.signal"}]}, ["E004"]),
        ({"ROUTES": [{**ROUTE, "signal": "testproject.library.notices.librarians"}]}, ["E004"]),
        ({"ROUTES": [{**ROUTE, "context": "no.such.callable"}]}, ["E005"]),
        ({"ROUTES": [{**ROUTE, "to": ["no.such.callable"]}]}, ["E005"]),
        ({"ROUTES": [{**ROUTE, "to": ["admins"]}], "ADMINS": []}, ["W003"]),
        ({"ROUTES": [{**ROUTE, "via": ["pigeon"]}]}, ["W004"]),
        ({"ROUTES": [{**ROUTE, "event": "unheard_of"}]}, ["W005"]),
        ({"SECRETS": {"newsletter": {"code": "no.such.callable"}}}, ["E011"]),
        ({"QUEUE": "no.such.queue"}, ["E006"]),
    ],
)
def test_every_mistake_is_found_and_has_a_hint(settings, changes, ids):
    assert found(settings, **changes) == ids
    for message in check_settings(None):
        assert message.hint


@pytest.mark.parametrize(
    ("cluster", "ids"),
    [
        ({"timeout": 60, "retry": 600, "max_attempts": 5, "workers": 2, "queue_limit": 2}, []),
        ({"retry": 600, "max_attempts": 5, "workers": 1}, ["W006"]),
        ({"timeout": 90, "retry": 60, "max_attempts": 5, "workers": 1, "queue_limit": 1}, ["W006", "W008"]),
        ({"timeout": 60, "retry": 600, "workers": 1}, ["W007"]),
        ({"timeout": 60, "retry": 90, "max_attempts": 5, "workers": 4}, ["W008"]),
    ],
)
def test_django_q2_settings_that_lose_or_double_tasks_are_found(settings, cluster, ids):
    pytest.importorskip("django_q")
    settings.Q_CLUSTER = cluster
    assert found(settings, QUEUE="shop_notify.queues.django_q2") == ids


def test_queue_without_its_app_is_found(settings):
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "django_q"]
    assert found(settings, QUEUE="shop_notify.queues.django_q2") == ["E008"]


def test_smtp_without_a_time_out_is_found(settings):
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
    else:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert found(settings) == ["W009"]


def run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_check_names_the_preset_for_a_site_without_the_app(settings):
    """A site often uses two of the three packages, and a preset may name signals of the third."""
    messages = {"shop_catalog.signals.absent": "ORDER_ROUTES", "shop_orders.signals.absent": "STOCK_ROUTES"}
    for signal, routes in messages.items():
        assert found(settings, ROUTES=[{**ROUTE, "signal": signal}]) == ["E004"]
        (message,) = check_settings(None)
        assert f"shop_notify.presets.{routes}" in message.hint


def test_presets_are_those_of_each_app_and_both():
    assert {route["signal"].split(".")[0] for route in ORDER_ROUTES} == {"shop_orders"}
    assert {route["signal"].split(".")[0] for route in STOCK_ROUTES} == {"shop_catalog"}
    assert [*ORDER_ROUTES, *STOCK_ROUTES] == SHOP_ROUTES


def test_events_without_recipient_or_notifier_are_reported_once_for_all_routes(settings):
    routes = [{**ROUTE, "via": ["email", "sms"], "to": ["admins"]}, {**ROUTE, "via": ["sms"], "to": ["admins"]}]
    assert found(settings, ROUTES=routes, NOTIFIERS={"email": {"BACKEND": "email"}}, ADMINS=[]) == ["W003", "W004"]
    (message,) = [message for message in check_settings(None) if message.id == "shop_notify.W004"]
    assert message.msg.count(ROUTE["event"]) == 1
    assert '"sms": {"BACKEND": "shop_notify.notifiers.ConsoleNotifier"}' in message.hint


def test_hint_for_a_missing_text_names_a_folder_that_django_searches(settings):
    found(settings, ROUTES=[{**ROUTE, "event": "unheard_of"}])
    (message,) = check_settings(None)
    assert "shop_notify/unheard_of/message.txt" in message.hint
    assert "the templates folder of an app" in message.hint


def test_test_notifier_shows_the_exchange_masked(settings, gateway):
    options = {**SMS["OPTIONS"], "api_key": "very-secret-key", "base_url": gateway.url}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"sms": {**SMS, "OPTIONS": options}}}
    said = run("test_notifier", "sms", "--to", "+254711000001", "--text", "key is very-secret-key")
    assert '"provider_id": "ATXid_1"' in said
    assert '"cost": "KES 0.8000"' in said
    assert said.endswith("Accepted.\n")
    assert "+254711000001" not in said
    assert "very-secret-key" not in said
    assert gateway.requests[0]["to"] == "+254711000001"


def test_test_notifier_shows_a_refusal_masked(settings, gateway):
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"sms": {**SMS, "OPTIONS": {**SMS["OPTIONS"], "base_url": gateway.url}}},
    }
    gateway.mode = "unauthorised"
    with pytest.raises(CommandError, match="SetupFailure 401: HTTP 401: The supplied authentication is invalid"):
        run("test_notifier", "sms", "--to", "+254711000001")
    with pytest.raises(CommandError, match="pigeon"):
        run("test_notifier", "pigeon", "--to", "x")
    with pytest.raises(CommandError, match="AddressRefused"):
        run("test_notifier", "sms", "--to", "nonsense")


class Buggy(MemoryNotifier):
    secret_options = frozenset({"token"})

    def __init__(self, *, alias, token):
        super().__init__(alias=alias)
        self.token = token

    def send(self, message):
        if message.text == "raise":
            raise KeyError(f"https://api.example.org/bot{self.token}/ for {message.to}")
        return {"ok": True}


def test_test_notifier_shows_a_bug_without_the_secret(settings):
    options = {"token": "very-secret-key"}
    notifier = {"BACKEND": f"{__name__}.Buggy", "OPTIONS": options}
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "NOTIFIERS": {"buggy": notifier}}
    with pytest.raises(CommandError, match=r"it raised KeyError: .*/bot\*\*\*/ for m\*\*\*@example.org"):
        run("test_notifier", "buggy", "--to", "member@example.org", "--text", "raise")
    with pytest.raises(CommandError, match="returned no receipt"):
        run("test_notifier", "buggy", "--to", "member@example.org")


@pytest.fixture
def written():
    """A message. A site with messages counts as in use."""
    return Notification.objects.create(event="loan_made", alias="email", channel="email", address="a@example.org")


def poll_findings(databases=("default",)):
    return [message.id for message in check_periodic_delivery(None, databases=databases)]


@pytest.mark.django_db
def test_site_without_periodic_delivery_is_found(written):
    assert poll_findings() == ["shop_notify.W011"]
    run("shop_notify_jobs")
    assert poll_findings() == []
    JobRun.objects.update(last_finished_at=timezone.now() - timedelta(minutes=4))
    (message,) = check_periodic_delivery(None, databases=["default"])
    assert "shop_notify_jobs" in message.hint


@pytest.mark.django_db
def test_no_finding_without_messages_or_if_the_database_is_not_checked(written):
    assert poll_findings(databases=None) == poll_findings(databases=["other"]) == []
    Notification.objects.all().delete()
    assert poll_findings() == []


@pytest.mark.django_db
def test_no_finding_before_the_tables_exist(monkeypatch):
    monkeypatch.setattr(connection.introspection, "table_names", list)
    with CaptureQueriesContext(connection) as queries:
        assert poll_findings() == []
    assert len(queries) == 0


def test_queue_of_postgresql_on_another_database_is_found(settings):
    ids = [] if connection.vendor == "postgresql" else ["W010"]
    assert found(settings, QUEUE="shop_notify.queues.postgresql") == ids


class Elsewhere:
    """A router that writes some models to ``other``, and reads some from ``replica``."""

    def __init__(self, *labels, read=()):
        self.labels, self.read = labels, read

    def db_for_write(self, model, **hints):
        return "other" if model._meta.label in self.labels else None

    def db_for_read(self, model, **hints):
        return "replica" if model._meta.label in self.read else self.db_for_write(model)


def test_models_of_two_databases_are_an_error(settings):
    settings.DATABASE_ROUTERS = [Elsewhere("shop_notify.Attempt")]
    (message,) = [found for found in check_settings(None) if found.id == "shop_notify.E009"]
    written = 'The database routers write shop_notify.Attempt to the database "other" and the outbox to "default".'
    assert written in message.msg


def test_reading_from_a_replica_is_an_error(settings):
    settings.DATABASE_ROUTERS = [Elsewhere(read=["shop_notify.Notification"])]
    (message,) = [found for found in check_settings(None) if found.id == "shop_notify.E010"]
    assert 'read shop_notify.Notification from the database "replica" and write it to "default"' in message.msg


class TextNotifier(Notifier):
    """An SMS notifier of a site. Each subclass has one mistake."""

    channel = "sms"
    address_field = "phone"

    def read_report(self, request):
        return []


class WithoutPhone(TextNotifier):
    address_field = ""


class WithoutExtra(TextNotifier):
    def check_address(self, address):
        import no_such_library  # noqa: F401


class Strict(TextNotifier):
    @classmethod
    def address_of(cls, recipient, options):
        return recipient["phone"]


class OnlyNicknames(TextNotifier):
    @classmethod
    def address_of(cls, recipient, options):
        return recipient["nickname"]


class WithTable(TextNotifier):
    """Its tables are made by the migration that the check would stop."""

    @classmethod
    def address_of(cls, recipient, options):
        raise ProgrammingError("no such table")

    def check_address(self, address):
        raise ProgrammingError("no such table")


class RaisesForPhones(TextNotifier):
    @classmethod
    def address_of(cls, recipient, options):
        return recipient["name"] if recipient else ""


class Unready(TextNotifier):
    def check_address(self, address):
        raise ValueError("no list of countries")


class WithoutChannel(Notifier):
    pass


class Refusing(Notifier):
    channel = "sms"

    def __init__(self, *, alias):
        raise ImproperlyConfigured("set PAGER_KEY")


class LongChannel(Notifier):
    channel = "x" * 31


@pytest.mark.parametrize(
    ("notifier", "ids"),
    [
        (TextNotifier, []),
        (WithoutPhone, ["W013"]),
        (WithoutExtra, ["E013"]),
        (Strict, ["E014"]),
        (OnlyNicknames, ["E014"]),
        (RaisesForPhones, ["E014"]),
        (WithTable, []),
        (Unready, ["E013"]),
        (WithoutChannel, ["E001"]),
        (LongChannel, ["E001"]),
        (Refusing, ["E001"]),
    ],
)
def test_mistake_in_a_notifier_of_the_site_is_found(notifier, ids, settings):
    notifiers = {"email": {"BACKEND": "email"}, "sms": {"BACKEND": f"{__name__}.{notifier.__name__}"}}
    assert found(settings, NOTIFIERS=notifiers) == ids
    for message in check_settings(None):
        assert "“sms”" in message.msg
        assert message.hint


def test_notifier_whose_module_raises_is_found_and_named(settings, tmp_path, monkeypatch):
    (tmp_path / "unready_pager.py").write_text("raise KeyError('no licence')")
    monkeypatch.syspath_prepend(str(tmp_path))
    notifiers = {"email": {"BACKEND": "email"}, "pager": {"BACKEND": "unready_pager.Pager"}}
    assert found(settings, NOTIFIERS=notifiers) == ["E001"]
    assert "“pager” cannot be imported: 'no licence'" in check_settings(None)[0].msg


def test_notifier_with_reports_but_without_their_url_is_found(settings):
    notifiers = {"email": {"BACKEND": "email"}, "text": {"BACKEND": f"{__name__}.TextNotifier"}}
    assert found(settings, NOTIFIERS=notifiers) == []
    settings.ROOT_URLCONF = "shop_notify.urls"  # without the namespace, as if it were mounted wrongly
    assert found(settings, NOTIFIERS=notifiers) == ["W012"]
    settings.ROOT_URLCONF = "testproject.urls"
    notifiers["my.text"] = notifiers["text"]
    assert found(settings, NOTIFIERS=notifiers) == ["W012"]
    assert "“my.text”" in check_settings(None)[0].msg


@pytest.mark.parametrize(
    ("fallback", "ids"),
    [
        ({"email": {"via": "memory"}}, []),
        ({"email": {"via": "pigeon"}}, ["W014"]),
        ({"memory": {"via": "email"}}, ["W015"]),
        ({"email": {"via": "email"}}, ["W015"]),
    ],
)
def test_fallback_that_never_starts_is_found(fallback, ids, settings):
    assert (
        found(settings, ROUTES=[{**ROUTE, "fallback": fallback}, {**ROUTE, "fallback": fallback}])[: len(ids)] == ids
    )
    message = next(iter(check_settings(None)), None)
    assert (message is None) == (ids == [])
    if ids == ["W014"]:
        assert message.msg.count("loan_made") == 1


def test_fallback_by_an_alias_that_sends_at_once_is_found(settings):
    route = {**ROUTE, "via": ["memory", "email"], "fallback": {"memory": {"via": "email"}}}
    assert found(settings, ROUTES=[route]).count("W015") == 1
    (warning,) = [message for message in check_settings(None) if message.id.endswith("W015")]
    assert "the fallback of “memory” adds nothing" in warning.msg
    assert "Remove “email” from “via”" in warning.hint
    assert "W015" not in found(settings, ROUTES=[{**route, "via": ["memory"]}])


def test_two_distributions_with_one_name_are_found_and_both_are_named(settings, site_packages):
    install(site_packages, "acme-pager", "pager", "acme:Pager")
    assert found(settings) == []
    registry.offered.cache_clear()
    install(site_packages, "other-pager", "pager", "acme:Pager")
    assert found(settings) == ["E012"]
    (message,) = check_settings(None)
    assert "acme-pager (acme:Pager)" in message.msg
    assert "other-pager (acme:Pager)" in message.msg


def test_name_of_ours_stays_ours_and_the_other_distribution_is_found(settings, site_packages):
    install(site_packages, "acme-mail", "email", "acme:Mail")
    assert found(settings) == ["E012"]
    assert "acme-mail" in check_settings(None)[0].msg
    assert "django-shop-notify" in check_settings(None)[0].msg
    assert registry.installed()["email"].value == "shop_notify.notifiers:EmailNotifier"
