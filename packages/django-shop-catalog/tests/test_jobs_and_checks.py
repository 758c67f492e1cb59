"""Periodic jobs, system checks, settings."""

import io
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from shop_catalog import checks, facets, jobs, products
from shop_catalog.conf import app_settings
from shop_catalog.facets import values as facet_values
from shop_catalog.models import JobRun
from shop_core.jobs import Job


@pytest.mark.django_db
def test_due_jobs_run_once_per_interval():
    assert len(jobs.overdue()) == len(jobs.JOBS)
    call_command("shop_catalog_jobs")
    first = dict(JobRun.objects.values_list("name", "last_finished_at"))
    assert set(first) == {job.name for job in jobs.JOBS}
    assert jobs.overdue() == []
    call_command("shop_catalog_jobs")
    assert dict(JobRun.objects.values_list("name", "last_finished_at")) == first
    JobRun.objects.filter(name="fold_statistics").update(last_started_at=timezone.now() - timedelta(minutes=2))
    call_command("shop_catalog_jobs")
    changed = dict(JobRun.objects.values_list("name", "last_finished_at"))
    assert {name for name in first if first[name] != changed[name]} == {"fold_statistics"}


@pytest.mark.django_db
def test_failing_job_is_reported_and_the_others_still_run(monkeypatch, caplog):
    broken = Job(name="fold_statistics", function=lambda: 1 / 0, every=timedelta(minutes=1), consequence="x")
    monkeypatch.setattr(jobs.SCHEDULE, "own", (broken, *jobs.JOBS[1:]))
    with pytest.raises(CommandError, match="fold_statistics"):
        call_command("shop_catalog_jobs")
    assert JobRun.objects.get(name="fold_statistics").last_error == "ZeroDivisionError: division by zero"
    assert [job.name for job in jobs.overdue()] == ["fold_statistics"]
    assert JobRun.objects.exclude(last_finished_at=None).count() == len(jobs.JOBS) - 1


@pytest.mark.django_db
def test_list_shows_the_consequence_of_jobs_that_do_not_run(capsys):
    call_command("shop_catalog_jobs", "--list")
    out = capsys.readouterr().out
    assert out.count("never  late") == len(jobs.JOBS)
    assert jobs.JOBS[0].consequence in out
    call_command("shop_catalog_jobs", "--all")
    call_command("shop_catalog_jobs", "--list")
    assert "late" not in capsys.readouterr().out


@pytest.mark.django_db
def test_job_without_a_recent_run_is_overdue():
    call_command("shop_catalog_jobs")
    JobRun.objects.filter(name="announce_stock").update(last_finished_at=timezone.now() - timedelta(minutes=16))
    assert [job.name for job in jobs.overdue()] == ["announce_stock"]


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"CURRENCY": "KES"}, set()),
        ({}, {"shop_catalog.E001"}),
        ({"CURRENCY": "Shilling"}, {"shop_catalog.E002"}),
        ({"CURRENCY": "KES", "CURENCY": "KES"}, {"shop_catalog.W001"}),
        ({"CURRENCY": "KES", "API_AUTH": "mysite.nothing"}, {"shop_catalog.E003"}),
        ({"CURRENCY": "KES", "VERIFIED_PURCHASE": "mysite.nothing"}, {"shop_catalog.E003"}),
        ({"CURRENCY": "KES", "SEARCH": {}}, set()),
        ({"CURRENCY": "KES", "SEARCH": {"OPTIONS": {}}}, {"shop_catalog.E004"}),
        ({"CURRENCY": "KES", "SEARCH": {"BACKEND": "mysite.nothing"}}, {"shop_catalog.E004"}),
        ({"CURRENCY": "KES", "SEARCH": {"BACKEND": "decimal.Decimal"}}, {"shop_catalog.E004"}),
        ({"CURRENCY": "KES", "SEARCH": {"BACKEND": "shop_catalog.search.sqlite.SqliteSearch"}}, set()),
    ],
)
def test_check_finds_wrong_settings_with_a_hint(settings, values, ids):
    settings.SHOP_CATALOG = values
    found = run_checks(tags=["shop_catalog"])
    assert {message.id for message in found} == ids
    assert all(message.hint for message in found)


def test_check_warns_of_sqlite_without_immediate(monkeypatch):
    monkeypatch.setitem(django_settings.DATABASES, "second", {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"})
    assert {message.id for message in run_checks(tags=["shop_catalog"])} == {"shop_catalog.W002"}


def test_error_of_missing_currency_points_to_the_check(settings):
    settings.SHOP_CATALOG = {}
    with pytest.raises(ImproperlyConfigured, match=r"manage\.py check"):
        assert app_settings.CURRENCY


@pytest.mark.django_db
def test_models_have_no_changes_without_a_migration():
    output = io.StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=output)
    assert output.getvalue() == "No changes detected\n"


def test_migrations_depend_on_no_setting_except_the_user_model():
    from importlib import resources

    for path in resources.files("shop_catalog.migrations").iterdir():
        if path.name.endswith(".py"):
            text = path.read_text().replace("settings.AUTH_USER_MODEL", "")
            assert "settings." not in text.replace("from django.conf import settings", ""), path.name


def test_untested_django_version_causes_a_warning(monkeypatch):
    monkeypatch.setattr("shop_core.db.compiled.NEWEST_TESTED", (4, 2))
    assert "shop_catalog.W004" in {message.id for message in run_checks(tags=["shop_catalog"])}


@pytest.mark.parametrize("value", ["colour", [1], ["a", "a"], [str(number) for number in range(21)], None])
def test_wrong_facets_are_reported_with_a_line_to_paste(settings, value):
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "FACETS": value}
    (message,) = run_checks(tags=["shop_catalog"])
    assert (message.id, message.hint) == ("shop_catalog.E008", 'SHOP_CATALOG["FACETS"] = ["colour", "size"]')


@pytest.mark.django_db
def test_check_names_attributes_with_values_that_are_counted_together(monkeypatch):
    monkeypatch.setattr(facet_values, "MAX_VALUES", 2)
    for number, is_reported in ((0, False), (1, False), (2, True)):
        products.create(f"{number}", name="X", price=Decimal(1), attributes={"colour": f"c{number}"})
        facets.fold()
        messages = checks.check_facet_values(app_configs=None, databases=["default"])
        assert [message.id for message in messages] == ["shop_catalog.W005"] * is_reported
    assert '"colour"' in messages[0].msg


@pytest.mark.parametrize("databases", [None, [], ["archive"]])
def test_without_its_database_the_check_of_values_asks_nothing(databases):
    assert checks.check_facet_values(app_configs=None, databases=databases) == []


@pytest.mark.pg
@pytest.mark.django_db
def test_check_says_what_is_lost_while_postgresql_compiles_statements():
    def reported(jit, above):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('jit', %s, true), set_config('jit_above_cost', %s, true)", [jit, above])
        return checks.check_jit(app_configs=None, databases=["default"])

    (message,) = reported("on", "100000")
    assert message.id == "shop_catalog.W006"
    paste = re.search("ALTER DATABASE .*;", message.hint)[0]
    assert paste == f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET jit = off;'
    with connection.cursor() as cursor:
        cursor.execute(paste)
    assert reported("off", "100000") == reported("on", "-1") == []


@pytest.mark.parametrize("databases", [None, [], ["archive"]])
def test_without_its_database_the_check_of_compiled_statements_asks_nothing(databases):
    assert checks.check_jit(app_configs=None, databases=databases) == []


def test_check_says_what_is_lost_without_prepared_statements(monkeypatch):
    database = {"ENGINE": "django.db.backends.postgresql"}
    monkeypatch.setitem(django_settings.DATABASES, "default", database)
    (message,) = checks.check_prepared_statements(app_configs=None)
    assert message.id == "shop_catalog.I001"
    assert '{"server_side_binding": True, "prepare_threshold": 5}' in message.hint
    database["OPTIONS"] = {"server_side_binding": True}
    assert checks.check_prepared_statements(app_configs=None) == []


class Elsewhere:
    """A router that writes some models to ``other``, and reads some from ``replica``."""

    def __init__(self, *labels, read=()):
        self.labels, self.read = labels, read

    def db_for_write(self, model, **hints):
        return "other" if model._meta.label in self.labels else None

    def db_for_read(self, model, **hints):
        return "replica" if model._meta.label in self.read else self.db_for_write(model)


@pytest.mark.parametrize("label", ["shop_catalog.StockMovement", "shop_catalog.ProductCategory", "auth.User"])
def test_models_of_two_databases_are_an_error(settings, label):
    settings.DATABASE_ROUTERS = [Elsewhere(label)]
    (message,) = [found for found in run_checks(tags=["shop_catalog"]) if found.id == "shop_catalog.E005"]
    assert f'The database routers write {label} to the database "other" and the products to "default".' in message.msg
    assert f'"default" for {label} too' in message.hint


def test_reading_from_a_replica_is_an_error(settings):
    settings.DATABASE_ROUTERS = [Elsewhere(read=["shop_catalog.Product"])]
    (message,) = [found for found in run_checks(tags=["shop_catalog"]) if found.id == "shop_catalog.E006"]
    assert 'read shop_catalog.Product from the database "replica" and write it to "default"' in message.msg


@pytest.mark.parametrize("value", [{"reviews": "20"}, {"review": "20/h"}, ["20/h"], None])
def test_wrong_throttles_are_reported_with_a_line_to_paste(settings, value):
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "THROTTLES": value}
    (message,) = run_checks(tags=["shop_catalog"])
    assert (message.id, message.hint) == ("shop_catalog.E007", 'SHOP_CATALOG["THROTTLES"] = {"reviews": "20/h"}')
