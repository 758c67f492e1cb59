import sys
from datetime import timedelta
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from shop_core.jobs import Job, JobsCommand, Schedule
from testproject.things.models import Run, Thing

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def fail():
    raise RuntimeError("no luck")


def job(name="count", function=lambda: 0, every=MINUTE):
    return Job(name=name, function=function, every=every, consequence="Nothing is counted.")


def schedule(*jobs):
    return Schedule("catalogue", jobs, runs=Run)


def test_a_job_runs_when_it_is_due_and_not_before():
    calls = []
    due = schedule(job(function=lambda: calls.append(1)))
    assert due.run_due() == []
    assert due.run_due() == []
    assert calls == [1]
    Run.objects.update(last_started_at=timezone.now() - timedelta(seconds=55))
    assert due.run_due() == []
    assert calls == [1, 1]


def test_all_jobs_run_on_request():
    calls = []
    due = schedule(job(function=lambda: calls.append(1)))
    due.run_due()
    due.run_due(run_all=True)
    assert calls == [1, 1]


def test_all_says_what_it_ran_and_the_call_of_cron_says_nothing(capsys):
    class Command(JobsCommand):
        schedule = schedule(job("bad", fail), job("good"))

    with pytest.raises(CommandError, match="Failed: bad"):
        call_command(Command())
    assert capsys.readouterr().out == ""
    with pytest.raises(CommandError, match="Failed: bad"):
        call_command(Command(), "--all")
    assert capsys.readouterr().out == "bad: failed\ngood: done\n"


def test_failing_job_is_recorded_and_the_others_still_run():
    calls = []
    due = schedule(job("bad", fail), job("good", lambda: calls.append(1)))
    assert due.run_due() == ["bad"]
    assert calls == [1]
    assert due.runs()["bad"].last_error == "RuntimeError: no luck"
    assert due.runs()["bad"].last_finished_at is None
    assert due.runs()["good"].last_error == ""


def test_recorded_error_is_cleared_when_the_job_succeeds():
    outcomes = iter([fail, lambda: 0])

    def work():
        return next(outcomes)()

    due = schedule(job(function=work))
    assert due.run(due.all()[0]) is False
    assert due.run(due.all()[0]) is True
    assert due.runs()["count"].last_error == ""


def test_a_started_job_is_not_started_by_a_second_runner():
    calls = []
    due = schedule()

    def twice():
        calls.append(1)
        assert due.run_due() == []

    due.own = (job(function=twice),)
    due.run_due()
    assert calls == [1]


@pytest.mark.parametrize(
    ("minutes", "every", "late"),
    [(14, MINUTE, False), (16, MINUTE, True), (60 * 71, timedelta(days=1), False), (60 * 73, timedelta(days=1), True)],
)
def test_overdue_after_three_intervals_and_a_quarter_of_an_hour(minutes, every, late):
    due = schedule(job(every=every))
    due.run_due()
    Run.objects.update(last_finished_at=timezone.now() - timedelta(minutes=minutes))
    assert bool(due.overdue()) is late


def test_shortest_delay_is_an_option_of_the_schedule():
    due = Schedule("catalogue", (job(every=MINUTE),), runs=Run, shortest_delay=timedelta())
    due.run_due()
    Run.objects.update(last_finished_at=timezone.now() - timedelta(minutes=4))
    assert [late.name for late in due.overdue()] == [due.own[0].name]


def test_job_that_failed_or_never_ran_is_overdue():
    due = schedule(job("never"), job("bad", fail), job("good"))
    due.run(due.all()[1])
    due.run(due.all()[2])
    assert [late.name for late in due.overdue()] == ["never", "bad"]


def test_jobs_of_other_apps_run_with_the_package_in_run_by(monkeypatch):
    module = ModuleType("testproject.things.jobs")
    module.RUN_BY, module.JOBS = "catalogue", (job("theirs"),)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(
        "shop_core.jobs.module_has_submodule", lambda package, _name: package.__name__.endswith("things")
    )
    assert [each.name for each in schedule(job("ours")).all()] == ["ours", "theirs"]
    assert [each.name for each in Schedule("other", [], runs=Run).all()] == []


def test_command_runs_lists_and_fails(capsys):
    class Command(JobsCommand):
        schedule = schedule(job("good", Thing.objects.count), job("bad", fail))

    with pytest.raises(CommandError, match="Failed: bad"):
        call_command(Command())
    call_command(Command(), "--list")
    shown = capsys.readouterr().out
    assert "good  every 0:01:00  finished 20" in shown
    assert "last error: RuntimeError: no luck" in shown
    assert "Nothing is counted." in shown
