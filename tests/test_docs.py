"""The code in the documentation runs, page by page and from top to bottom."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.db import connection
from django.test import override_settings

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)[ \t]*$", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r"\A:caption:[ \t]*(?P<caption>\S+)[ \t]*\n+")
NAMED = re.compile(r"\A# (?P<caption>\S+\.py)\n")
OPTIONS = re.compile(r"\A(?::[\w-]+:[^\n]*\n)*\n*")
PAGES = sorted(
    path
    for pattern in ("docs/**/*.md", "packages/*/README.md", "plugins/*/README.md")
    for path in ROOT.glob(pattern)
    if "_build" not in path.parts
)


@dataclass(frozen=True)
class Snippet:
    language: str
    caption: str
    code: str
    line: int


def snippets(page):
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        info, body = fence["info"].strip(), fence["body"]
        language = re.sub(r"^\{code-block\}\s*", "", info)
        caption = (CAPTION if info.startswith("{code-block}") else NAMED).match(body)
        code = OPTIONS.sub("", body, count=1) if info.startswith("{code-block}") else body
        line = text.count("\n", 0, fence.start("body")) + body[: len(body) - len(code)].count("\n") + 1
        yield Snippet(language, caption["caption"] if caption else "", code, line)


def with_code():
    return [page for page in PAGES if any(s.language in {"python", "console"} for s in snippets(page))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for the modules of a page; modules imported from it are removed from sys.modules afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", with_code(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs(page, folder):
    parts = list(snippets(page))
    for part in parts:
        if part.language == "python" and part.caption and part.caption != "settings.py":
            write_module(folder, part)
    namespace = {"__name__": page.stem.replace("-", "_")}
    overrides = []
    try:
        for part in parts:
            if part.language == "console":
                check_commands(part)
            elif part.language == "python" and part.caption == "settings.py":
                overrides.append(override_settings(**settings_of(page, part)))
                overrides[-1].enable()
            elif part.language == "python" and not part.caption:
                exec(compiled(page, part), namespace)
    finally:
        for override in reversed(overrides):
            override.disable()
    tests = [str(folder / part.caption) for part in parts if Path(part.caption).name.startswith("test_")]
    if tests and connection.vendor == "sqlite":
        run_tests(folder, tests)  # on SQLite, whatever the database here


def run_tests(folder, files):
    """Run the tests of a page, such as those of a contract kit, with pytest on SQLite, as a reader does."""
    environment = os.environ | {
        "DATABASE_URL": "",
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--nomigrations",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "tests/pytest.ini"),
        *files,
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def compiled(page, part):
    return compile("\n" * (part.line - 1) + part.code, str(page.relative_to(ROOT)), "exec")


def settings_of(page, part):
    """The settings of a settings snippet. Apps that it adds must be installed in the test project already."""
    namespace = {"BASE_DIR": ROOT / "example_project", "INSTALLED_APPS": []}
    exec(compiled(page, part), namespace)
    for app in namespace["INSTALLED_APPS"]:
        importlib.import_module(app)
    return {
        name: value
        for name, value in namespace.items()
        if name.isupper() and name not in {"BASE_DIR", "INSTALLED_APPS"}
    }


def write_module(folder, part):
    path = folder / part.caption
    path.parent.mkdir(parents=True, exist_ok=True)
    for package in path.relative_to(folder).parents:
        if str(package) != ".":
            (folder / package / "__init__.py").touch()
    path.write_text(part.code, encoding="utf-8")
    importlib.invalidate_caches()


def check_commands(part):
    """Every ``manage.py`` line names a command that exists and arguments that it understands."""
    for line in part.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "manage.py" not in words:
            continue
        name, *arguments = words[words.index("manage.py") + 1 :]
        arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
        command = get_commands()[name]
        parser = (command if not isinstance(command, str) else load_command_class(command, name)).create_parser(
            "manage.py", name
        )
        parser.parse_args(arguments)
