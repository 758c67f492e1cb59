"""The import rules between and within the packages, and what a migration may depend on."""

import ast
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("shop_catalog", "shop_orders", "shop_notify")
EXTRAS = {
    "allauth": "contrib",
    "django_q": "queues",
    "africastalking": "notifiers",
    "stripe": "payment_providers",
}
"""Optional library: the only room that may import it."""

BASE = {"conf", "exceptions", "signals", "money", "segments"}
SEAMS = {"product_sources", "payment_providers", "notifiers", "search", "queues"}
EDGES = {
    "api", "admin", "webhooks", "management", "checks", "apps", "urls", "views", "pages", "contrib", "templatetags",
    "context_processors", "testing", "product_source",
}  # fmt: skip
RANKS = ("base", "models", "seams", "verbs", "edges")


def source(package):
    return ROOT / "packages" / f"django-{package.replace('_', '-')}" / "src" / package


def modules(package):
    return [path for path in sorted(source(package).rglob("*.py")) if "migrations" not in path.parts]


def rank(room):
    if room in BASE:
        return RANKS.index("base")
    if room in {"managers", "models"}:
        return RANKS.index("models")
    if room in SEAMS:
        return RANKS.index("seams")
    return RANKS.index("edges" if room in EDGES else "verbs")


def imports(path):
    """Dotted names that a module imports while it runs; imports for type checkers only do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}: relative imports hide the arrow; write the whole name")


@pytest.mark.parametrize(("package", "other"), list(itertools.permutations(PACKAGES, 2)))
def test_no_package_imports_another(package, other):
    crossings = [
        (path.name, name) for path in modules(package) for name in imports(path) if name.split(".")[0] == other
    ]
    assert crossings == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_imports_the_example(package):
    rooms = {path.name for path in (ROOT / "example_project").iterdir() if path.is_dir()}
    crossings = [
        (path.name, name) for path in modules(package) for name in imports(path) if name.split(".")[0] in rooms
    ]
    assert crossings == []


@pytest.mark.parametrize("package", PACKAGES)
def test_inside_a_package_the_arrow_has_no_way_back(package):
    crossings = []
    for path in modules(package):
        parts = path.relative_to(source(package)).with_suffix("").parts
        room = parts[0]
        for name in imports(path):
            target = name.split(".")
            if target[0] != package or len(target) < 2 or target[1] == room:
                continue
            if rank(target[1]) > rank(room) or (target[1] == "api" and room not in {"contrib", "api"}):
                crossings.append(f"{'/'.join(parts)} imports {name}")
    assert crossings == []


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(("library", "room"), EXTRAS.items())
def test_an_optional_library_is_imported_in_one_room_only(package, library, room):
    strays = [
        str(path.relative_to(source(package)))
        for path in modules(package)
        for name in imports(path)
        if name.split(".")[0] == library and path.relative_to(source(package)).with_suffix("").parts[0] != room
    ]
    assert strays == []


@pytest.mark.parametrize("package", PACKAGES)
def test_migrations_know_no_setting_but_the_user_model(package):
    told = []
    for path in (source(package) / "migrations").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and ast.unparse(node).startswith("settings.")
                and node.attr != "AUTH_USER_MODEL"
            ):
                told.append((path.name, ast.unparse(node)))
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").startswith(package)
                and node.module.endswith("conf")
            ):
                told.append((path.name, node.module))
    assert told == []


def test_no_room_is_called_utils():
    forbidden = {"utils.py", "services.py", "common.py", "helpers.py"}
    assert [str(path) for package in PACKAGES for path in modules(package) if path.name in forbidden] == []
