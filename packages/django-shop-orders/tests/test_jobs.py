import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import models
from django.test.utils import isolate_apps
from django.utils import timezone
from shop_orders import checks, events, jobs, payments
from shop_orders.management.commands import shop_orders_quickstart
from shop_orders.models import IdempotencyKey, JobRun

pytestmark = pytest.mark.django_db


def started():
    return dict(JobRun.objects.values_list("name", "last_started_at"))


def test_due_jobs_run_once_per_interval():
    assert jobs.run_due() == []
    first = started()
    assert set(first) == {job.name for job in jobs.JOBS}
    assert jobs.run_due() == []
    assert started() == first
    JobRun.objects.filter(name="expire_orders").update(last_started_at=timezone.now() - timedelta(minutes=1))
    assert jobs.run_due() == []
    assert [name for name, at in started().items() if at > first[name]] == ["expire_orders"]
    assert jobs.run_due(run_all=True) == []
    assert all(at > first[name] for name, at in started().items())


def test_overdue_jobs_are_returned():
    assert jobs.overdue() == list(jobs.JOBS)
    jobs.run_due()
    assert jobs.overdue() == []
    JobRun.objects.filter(name="expire_orders").update(last_finished_at=timezone.now() - timedelta(minutes=16))
    assert [job.name for job in jobs.overdue()] == ["expire_orders"]


def test_failing_job_is_recorded_and_the_others_still_run(monkeypatch):
    broken = jobs.Job(name="broken", function=lambda: 1 // 0, every=timedelta(minutes=1), consequence="Nothing.")
    monkeypatch.setattr(jobs.SCHEDULE, "own", (broken, *jobs.JOBS))
    with pytest.raises(CommandError, match="broken"):
        call_command("shop_orders_jobs")
    assert "ZeroDivisionError" in JobRun.objects.get(name="broken").last_error
    assert JobRun.objects.get(name="expire_orders").last_finished_at is not None
    assert [job.name for job in jobs.overdue()] == ["broken"]


def test_command_lists_the_jobs_with_their_consequences():
    out = StringIO()
    call_command("shop_orders_jobs", list=True, stdout=out)
    assert (
        "expire_orders  every 0:01:00  finished never  late\n    Unpaid orders keep their stock for ever.\n"
        in out.getvalue()
    )
    assert JobRun.objects.count() == 0


def test_old_idempotency_keys_are_deleted():
    long_ago = timezone.now() - timedelta(hours=49)
    IdempotencyKey.objects.create(owner="a", route="r", key="old", digest="", created_at=long_ago)
    IdempotencyKey.objects.create(owner="a", route="r", key="new", digest="")
    assert jobs.run_due() == []
    assert IdempotencyKey.objects.get().key == "new"


def test_jobs_run_the_actions():
    functions = {job.name: job.function for job in jobs.JOBS}
    assert functions["announce_events"] == events.announce_due
    assert functions["expire_orders"] == payments.expire_due
    assert all(job.consequence for job in jobs.JOBS)


def test_quickstart_prints_settings_that_work(settings):
    out, err = StringIO(), StringIO()
    call_command("shop_orders_quickstart", "books.Book", stdout=out, stderr=err)
    namespace = {}
    exec(out.getvalue(), namespace)
    settings.SHOP_ORDERS = namespace["SHOP_ORDERS"]
    assert checks.check_settings(None) == []
    assert namespace["SHOP_ORDERS"]["PRODUCT_SOURCE"]["OPTIONS"] == {
        "model": "books.Book",
        "ref": "isbn",
        "name": "title",
        "price": "sale_price",
        "stock": "on_hand",
        "filters": {"is_listed": True},
    }


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("books.Paper", "books has: books.Article, books.Bargain, books.Book"),
        ("books", "There is no model books. books has: "),
        ("shelves.Book", "Write app_label.ModelName, such as books.Book."),
        ("", "Write app_label.ModelName, such as books.Book."),
        ("auth.Group", "has no field that looks like a price. It has: id, name. Name it with --price."),
    ],
)
def test_quickstart_explains_why_it_cannot_use_a_model(model, message):
    with pytest.raises(CommandError, match=re.escape(message)):
        call_command("shop_orders_quickstart", model)


def test_quickstart_runs_without_the_settings_that_it_prints():
    """The system checks would fail because the settings are missing."""
    assert load_command_class("shop_orders", "shop_orders_quickstart").requires_system_checks == ()


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("books.Toy", {}, {"ref": "code", "name": "label", "price": "cost", "stock": "units"}),
        ("books.Leaflet", {}, {"ref": "id", "name": "headline", "price": "page_price"}),
        ("books.Leaflet", {"price": "price"}, {"ref": "id", "name": "headline", "price": "price"}),
        ("books.Course", {}, {"ref": "id", "name": "name", "price": "fee"}),
    ],
)
def test_quickstart_finds_the_fields_of_unusual_models(settings, model, options, expected):
    out = StringIO()
    call_command("shop_orders_quickstart", model, stdout=out, stderr=StringIO(), **options)
    namespace = {}
    exec(out.getvalue(), namespace)
    settings.SHOP_ORDERS = namespace["SHOP_ORDERS"]
    assert checks.check_settings(None) == []
    assert namespace["SHOP_ORDERS"]["PRODUCT_SOURCE"]["OPTIONS"] == {"model": model, **expected}


def test_quickstart_says_what_it_guessed(settings):
    def hints(model, **options):
        err = StringIO()
        call_command("shop_orders_quickstart", model, stdout=StringIO(), stderr=err, **options)
        return err.getvalue()

    assert "cost may not be the price that customers pay." in hints("books.Toy")
    assert "customers pay" not in hints("books.Toy", price="cost")
    assert "customers pay" not in hints("books.Book")
    assert "example" not in hints("books.Book")
    settings.SHOP_ORDERS = {}
    assert "KES is an example: replace it with the currency of your prices." in hints("books.Book")
    assert "example" not in hints("books.Book", currency="EUR")


@pytest.mark.parametrize(
    ("numbers", "price"),
    [
        (("cost", "selling_price"), "selling_price"),
        (("discount", "weight"), None),
        (("old_price", "price_kes"), "price_kes"),
        (("purchase_price", "cost"), "cost"),
    ],
)
def test_quickstart_picks_only_a_plausible_price_field(numbers, price):
    fields = {name: models.DecimalField(max_digits=9, decimal_places=2) for name in numbers}
    with isolate_apps("testproject.books"):
        model = type("Thing", (models.Model,), {"__module__": "testproject.books.models", **fields})
    found = model._meta.concrete_fields
    if price is None:
        with pytest.raises(CommandError, match="looks like a price"):
            shop_orders_quickstart._price(model, found)
    else:
        assert shop_orders_quickstart._price(model, found) == price
