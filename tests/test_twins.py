"""Modules of the same name in the packages define the same names with the same signatures."""

import ast
import inspect
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest
from django.utils import translation
from shop_core.api.auth import ConfiguredAuth
from shop_core.api.problems import Problems
from shop_core.conf import BaseSettings
from shop_core.exceptions import ShopError
from shop_core.jobs import Job, JobsCommand, Schedule

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("shop_catalog", "shop_orders", "shop_notify")
FIELDS_OF_A_RUN = {"id", "name", "last_started_at", "last_finished_at", "last_error"}


def modules(name):
    return {package: import_module(f"{package}.{name}") for package in PACKAGES}


def assert_same(values):
    """Assert that all packages have the same value, and return it."""
    first = next(iter(values.values()))
    assert {package: value for package, value in values.items() if value != first} == {}, values
    return first


def test_each_package_has_one_job_schedule():
    for package, module in modules("jobs").items():
        assert isinstance(module.SCHEDULE, Schedule), package
        assert module.SCHEDULE.label == package
        assert module.SCHEDULE.own
        assert all(isinstance(job, Job) and job.consequence for job in module.SCHEDULE.own)


@pytest.mark.parametrize("name", ["run_due", "overdue"])
def test_job_functions_have_the_same_signature(name):
    functions = {package: getattr(module.SCHEDULE, name) for package, module in modules("jobs").items()}
    assert_same({package: str(inspect.signature(function)) for package, function in functions.items()})


def test_job_commands_share_one_implementation():
    for package in PACKAGES:
        command = import_module(f"{package}.management.commands.{package}_jobs").Command
        assert issubclass(command, JobsCommand)
        assert command.help
        assert command.handle is JobsCommand.handle


def test_job_runs_have_the_same_fields():
    fields = {
        package: {field.name for field in module.JobRun._meta.concrete_fields}
        for package, module in modules("models").items()
    }
    assert assert_same(fields) == FIELDS_OF_A_RUN


def test_settings_are_read_by_core():
    for package, module in modules("conf").items():
        assert isinstance(module.app_settings, BaseSettings)
        assert module.app_settings.setting == package.upper()


def test_every_error_is_a_shop_error_with_a_problem_table():
    for package, module in modules("exceptions").items():
        kinds = [
            kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__
        ]
        bases = [kind for kind in kinds if ShopError in kind.__bases__]
        assert len(bases) == 1, package
        assert [kind for kind in kinds if not issubclass(kind, bases[0])] == []
        assert bases[0].problems == f"{package}.api.problems.PROBLEMS"


def test_routers_problems_and_credentials_are_at_the_same_paths():
    for package in PACKAGES:
        face = import_module(f"{package}.api")
        problems = import_module(f"{package}.api.problems")
        auth = import_module(f"{package}.api.auth")
        assert isinstance(problems.PROBLEMS, Problems)
        assert face.router is import_module(f"{package}.api.routers").router
        assert all(isinstance(getattr(auth, name), ConfiguredAuth) for name in ("required", "staff"))


def test_credentials_use_the_same_settings():
    for name, setting in {"required": "API_AUTH", "staff": "STAFF_API_AUTH"}.items():
        auths = {package: getattr(module, name) for package, module in modules("api.auth").items()}
        assert assert_same({package: (auth.name, auth.guests) for package, auth in auths.items()}) == (setting, False)


def test_check_permission_has_the_same_signature():
    found = {
        package: str(inspect.signature(module.check_permission, eval_str=True).parameters)
        for package, module in modules("api.auth").items()
    }
    assert_same(found)


def test_no_body_stands_in_two_packages():
    """What two packages need belongs in core. Strings and annotations may differ; locals with other names are not
    found."""
    places = defaultdict(set)
    for package, path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := body(node)):
                places[text].add(f"{package}: {path.stem}.{node.name}")
    assert len(places) > 1000
    assert [sorted(found) for found in places.values() if len({place.split(":")[0] for place in found}) > 1] == []


def sources():
    """The modules of the packages and of the example, with the name of the package or ``example``."""
    for folder in (ROOT / "packages").glob("*/src/*"):
        yield from ((folder.name, path) for path in folder.rglob("*.py") if "migrations" not in path.parts)
    folders = (path for path in (ROOT / "example_project").iterdir() if path.name not in {"tests", "locale"})
    yield from (("example", path) for folder in folders for path in folder.rglob("*.py"))


def body(function, least=3):
    """The text of a function of three statements or more, without its strings, docstring and annotations."""
    statements = [node for node in function.body if not is_text(node)]
    nodes = [node for statement in statements for node in ast.walk(statement)]
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Name("Any")
    is_long = sum(isinstance(node, ast.stmt) for node in nodes) >= least
    return "\n".join(map(ast.dump, statements)) if is_long else ""


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_problem_tables_hold_statuses_and_the_codes_their_texts():
    for package, problems in modules("api.problems").items():
        codes = import_module(f"{package}.api.codes")
        assert len(inspect.getsource(problems).splitlines()) <= 80, package
        assert problems.PROBLEMS.sentences is codes.SENTENCES
        assert {code: str(text) for code, text in codes.MEANINGS.items() if not str(text).endswith(".")} == {}
        assert set(codes.MEANINGS) >= {kind.code for kind in problems.PROBLEMS.statuses} - {"not_found", "invalid"}


def test_packages_have_the_same_sentence_for_a_code_of_core():
    """Core has no text, so each package has its own table. A sentence that is in two tables must not differ."""
    tables = {package: import_module(f"{package}.api.codes").SENTENCES for package in PACKAGES}
    known = set.intersection(*map(set, tables.values()))
    assert known == assert_same({package: set(tables[package]) for package in ("shop_orders", "shop_notify")})
    with translation.override("en"):
        assert_same({package: {code: str(table[code]) for code in known} for package, table in tables.items()})
