"""The rules that keep core small: it imports only Django, has no text for users and is not an app."""

import ast
from pathlib import Path

import shop_core

SOURCE = Path(shop_core.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 1500


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_core_has_a_limited_number_of_lines():
    assert len(FILES) > 10
    lines = [line for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if line.strip()]) <= MAX_LINES  # decision 1 does not count blank lines


def test_core_has_no_translated_text():
    assert [(path.name, name) for path in FILES for name in imports(path) if "gettext" in name] == []
    assert [path.name for path in SOURCE.rglob("*") if path.name in {"locale", "templates", "migrations"}] == []


def test_core_imports_only_django_and_ninja_only_in_api():
    allowed = {"django", "shop_core", *__import__("sys").stdlib_module_names}
    unexpected = [
        (str(path.relative_to(SOURCE)), name)
        for path in FILES
        for name in imports(path)
        if name.partition(".")[0] not in allowed | ({"ninja", "pydantic"} if "api" in path.parts else set())
    ]
    assert unexpected == []


def test_core_has_no_models():
    assert [path for path in FILES if path.name in {"models.py", "apps.py", "admin.py"}] == []
