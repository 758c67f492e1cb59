"""The import rules between and within the packages, and what a migration may depend on."""

import ast
import itertools
from graphlib import TopologicalSorter
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

MOST_LINES, MOST_ENTRIES = 400, 25
FIXED_NAMES = {
    "__init__.py", "__pycache__", "admin", "admin.py", "api", "apps.py", "checks", "checks.py", "conf.py",
    "exceptions.py", "jobs.py", "locale", "management", "managers.py", "migrations", "models", "models.py", "py.typed",
    "signals.py", "static", "templates", "testing", "urls.py", "webhooks.py",
}  # fmt: skip

GROUND, MODELS, EXTENSION_POINTS, ACTIONS, ENTRY_POINTS = range(5)
"""The layers, from below. A module imports its own layer and those below it."""

SHARED = {
    "__init__": GROUND,
    "conf": GROUND,
    "exceptions": GROUND,
    "signals": GROUND,
    "managers": MODELS,
    "models": MODELS,
    "admin": ENTRY_POINTS,
    "api": ENTRY_POINTS,
    "apps": ENTRY_POINTS,
    "checks": ENTRY_POINTS,
    "jobs": ENTRY_POINTS,
    "management": ENTRY_POINTS,
}
"""What every package has, in the same layer."""

LAYERS = {
    "shop_core": dict.fromkeys(
        ["__init__", "addresses", "api", "conf", "db", "exceptions", "hooks", "jobs", "money"], GROUND
    ),
    "shop_catalog": SHARED
    | dict.fromkeys(["bulk", "cursors", "money", "types", "slugs"], GROUND)
    | dict.fromkeys(["search"], EXTENSION_POINTS)
    | dict.fromkeys(
        [
            *("browsing", "categories", "images", "imports", "inventory", "media", "products", "receivers"),
            *("reviews", "statistics"),
        ],
        ACTIONS,
    )
    | dict.fromkeys(["product_source"], ENTRY_POINTS),
    "shop_orders": SHARED
    | dict.fromkeys(["phones", "transactions"], GROUND)
    | dict.fromkeys(["payment_providers", "product_sources"], EXTENSION_POINTS)
    | dict.fromkeys(
        [
            *("carts", "checkout", "crediting", "customers", "events", "guest_links", "idempotency", "lifecycle"),
            *("numbers", "payments", "pricing", "queries", "tracking", "validators"),
        ],
        ACTIONS,
    )
    | dict.fromkeys(["contrib", "pages", "testing", "urls", "views", "webhooks"], ENTRY_POINTS),
    "shop_notify": SHARED
    | dict.fromkeys(["masking", "segments", "storable"], GROUND)
    | dict.fromkeys(["notifiers", "queues"], EXTENSION_POINTS)
    | dict.fromkeys(
        ["delivery", "health", "history", "messages", "outbox", "presets", "pruning", "recipients", "routes"], ACTIONS
    )
    | dict.fromkeys(["anymail_tracking", "tasks", "testing", "urls", "webhooks"], ENTRY_POINTS),
}
"""The layer of every module, by its room or, where a room has several, by its own name. One that is missing fails."""


def source(package):
    return ROOT / "packages" / f"django-{package.replace('_', '-')}" / "src" / package


def modules(package):
    return [
        path for path in sorted(source(package).rglob("*.py")) if not {"migrations", "plugin_template"} & {*path.parts}
    ]


def name_of(path, package):
    """``carts/queries``; a room's ``__init__`` has the room's name."""
    parts = path.relative_to(source(package)).with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def layer(name, package):
    """Of the longest name in the table that is the module's, or its room's."""
    known = LAYERS[package]
    parts = name.split("/")
    return next((known[key] for end in range(len(parts), 0, -1) if (key := "/".join(parts[:end])) in known), None)


def targets(path, package, *, at_load=False):
    """Names of the package's own modules that a module imports."""
    names = {name_of(other, package) for other in modules(package)}
    for dotted in imports(path, at_load=at_load):
        parts = dotted.split(".")
        if parts[0] != package:
            continue
        inner = parts[1:]
        while inner and "/".join(inner) not in names:
            inner.pop()
        yield "/".join(inner) or "__init__"


def imports(path, *, at_load=False):
    """Dotted names that a module imports while it runs, or only those ``at_load``; not those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        or (at_load and isinstance(node, ast.FunctionDef))
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


@pytest.mark.parametrize(
    ("package", "other"), [(p, o) for p, o in itertools.permutations([*PACKAGES, "shop_core"], 2) if o != "shop_core"]
)
def test_no_package_imports_another(package, other):
    names = [(path.name, name) for path in modules(package) for name in imports(path) if package != other]
    assert [(path, name) for path, name in names if name.split(".")[0] == other] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_imports_the_example(package):
    rooms = {path.name for path in (ROOT / "example_project").iterdir() if path.is_dir()}
    crossings = [
        (path.name, name) for path in modules(package) for name in imports(path) if name.split(".")[0] in rooms
    ]
    assert crossings == []


@pytest.mark.parametrize("package", LAYERS)
def test_every_module_has_a_layer(package):
    assert [name for path in modules(package) if layer(name := name_of(path, package), package) is None] == []
    names = {name_of(path, package) for path in modules(package)}
    assert [name for name in LAYERS[package] if name not in names] == []


@pytest.mark.parametrize("package", LAYERS)
def test_imports_lead_downwards(package):
    crossings = []
    for path in modules(package):
        name = name_of(path, package)
        for target in targets(path, package):
            is_api = target.split("/")[0] == "api" and name.split("/")[0] not in {"api", "contrib"}
            if layer(target, package) > layer(name, package) or (is_api and package != "shop_core"):
                crossings.append(f"{name} imports {target}")
    assert crossings == []


@pytest.mark.parametrize("package", LAYERS)
def test_imports_make_no_circle(package):
    """Within a layer too: the face of a room stands above its modules, and they do not go through it."""
    graph = {name_of(path, package): {*targets(path, package, at_load=True)} for path in modules(package)}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_long_and_no_folder_full(package):
    long = {name_of(path, package): lines for path in modules(package) if (lines := length(path)) > MOST_LINES}
    folders = [
        folder
        for folder in source(package).rglob("*/")
        if not {"__pycache__", "locale", "migrations"} & {*folder.parts}
    ]
    full = {
        str(folder.relative_to(source(package))): len(found)
        for folder in [source(package), *folders]
        if len(found := {entry.name for entry in folder.iterdir()} - FIXED_NAMES) > MOST_ENTRIES
    }
    assert (long, full) == ({}, {})


def length(path):
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("package", PACKAGES)
def test_statements_are_run_by_core_and_in_rooms_of_queries(package):
    """No action opens a cursor: what is written by hand stands in a module called ``queries``."""
    strays = [
        f"{name_of(path, package)}:{node.lineno}"
        for path in modules(package)
        if path.stem != "queries" and "testing" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"execute", "executemany", "cursor"}
    ]
    assert strays == []


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
