"""The import rules between and within the packages, and what a migration may depend on."""

import ast
import itertools
import re
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("shop_catalog", "shop_orders", "shop_notify")
EXTRAS = {
    "allauth": "contrib",
    "django_q": "queues",
    "pillow_heif": "images",
    "africastalking": "notifiers",
    "stripe": "payment_providers",
    "charset_normalizer": "imports",
    "openpyxl": "imports",
    "python_calamine": "imports",
}
"""Optional library: the only module or folder that may import it."""

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
"""Modules that every package has, in the same layer."""

LAYERS = {
    "shop_core": dict.fromkeys(
        [
            *(
                "__init__",
                "addresses",
                "admin_log",
                "api",
                "conf",
                "connections",
                "db",
                "exceptions",
                "hooks",
                "jobs",
                "limits",
            ),
            *("model_admins", "money", "replay"),
        ],
        GROUND,
    ),
    "shop_catalog": SHARED
    | dict.fromkeys(["bulk", "cursors", "money", "types", "wording", "slugs"], GROUND)
    | dict.fromkeys(["search"], EXTENSION_POINTS)
    | dict.fromkeys(
        [
            *(
                "browsing",
                "categories",
                "exports",
                "facets",
                "images",
                "imports",
                "inventory",
                "media",
                "product_changes",
            ),
            *("products", "receivers"),
            *("personal_data", "reviews", "statistics"),
        ],
        ACTIONS,
    )
    | dict.fromkeys(["product_source", "testing"], ENTRY_POINTS),
    "shop_orders": SHARED
    | dict.fromkeys(["emails", "phones", "transactions"], GROUND)
    | dict.fromkeys(["queries"], MODELS)
    | dict.fromkeys(["payment_providers", "product_sources"], EXTENSION_POINTS)
    | dict.fromkeys(
        [
            *("carts", "checkout", "crediting", "customers", "events", "form_tokens", "guest_links", "idempotency"),
            *(
                "lifecycle",
                "numbers",
                "payments",
                "personal_data",
                "pricing",
                "tracking",
                "validators",
                "visitors",
            ),
        ],
        ACTIONS,
    )
    | dict.fromkeys(["contrib", "pages", "testing", "urls", "views", "webhooks"], ENTRY_POINTS),
    "shop_notify": SHARED
    | dict.fromkeys(["masking", "secret_values", "segments", "smtp", "storable"], GROUND)
    | dict.fromkeys(["notifiers", "queues"], EXTENSION_POINTS)
    | dict.fromkeys(
        [
            *("delivery", "health", "history", "messages", "outbox", "personal_data", "presets", "pruning"),
            *("recipients", "routes"),
        ],
        ACTIONS,
    )
    | dict.fromkeys(["anymail_tracking", "tasks", "testing", "urls", "webhooks"], ENTRY_POINTS),
}
"""The layer of every module, by its own name or its folder's. A module without a layer fails the test."""


def source(package):
    return ROOT / "packages" / f"django-{package.replace('_', '-')}" / "src" / package


@cache
def modules(package):
    return [
        path for path in sorted(source(package).rglob("*.py")) if not {"migrations", "plugin_template"} & {*path.parts}
    ]


def name_of(path, package):
    """``carts/queries``; a folder's ``__init__`` has the folder's name."""
    parts = path.relative_to(source(package)).with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def layer(name, package):
    """The layer of the module, or else of the closest folder above it that is in the table."""
    known = LAYERS[package]
    parts = name.split("/")
    return next((known[key] for end in range(len(parts), 0, -1) if (key := "/".join(parts[:end])) in known), None)


@cache
def names_in(package):
    return {name_of(path, package) for path in modules(package)}


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def targets(path, package, *, at_load=False):
    """Names of the package's own modules that a module imports."""
    names = names_in(package)
    for dotted in imports(path, at_load=at_load):
        parts = dotted.split(".")
        if parts[0] != package:
            continue
        inner = parts[1:]
        while inner and "/".join(inner) not in names:
            inner.pop()
        yield "/".join(inner) or "__init__"


@cache
def imports(path, *, at_load=False):
    """Dotted names that a module imports, without those for type checkers. ``at_load``: only at module level."""
    nodes = list(ast.walk(parsed(path)))
    skipped = {
        id(child)
        for node in nodes
        if (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        or (at_load and isinstance(node, ast.FunctionDef))
        for child in ast.walk(node)
    }
    found = []
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}: use absolute imports, so that this test can follow them")
    return found


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
    assert [name for name in LAYERS[package] if name not in names_in(package)] == []


@pytest.mark.parametrize("package", LAYERS)
def test_modules_import_only_their_layer_and_lower_ones(package):
    crossings = []
    for path in modules(package):
        name = name_of(path, package)
        for target in targets(path, package):
            is_api = target.split("/")[0] == "api" and name.split("/")[0] not in {"api", "contrib"}
            if layer(target, package) > layer(name, package) or (is_api and package != "shop_core"):
                crossings.append(f"{name} imports {target}")
    assert crossings == []


def test_pages_of_the_package_use_public_names_only():
    """A site can write the same pages: they use what the reference lists, models, exceptions, settings, and Draft."""
    sys.path.insert(0, str(ROOT / "docs"))
    from shop_reference.python import CORE, FUNCTIONS

    listed = {f"shop_core.{name}.{thing}" for name, things in CORE.items() for thing in things.split()}
    listed |= {
        f"shop_orders.{name}.{thing}" for name, row in FUNCTIONS["shop_orders"].items() for thing in row.split()
    }
    listed |= {"shop_orders.conf.app_settings", "shop_orders.pricing.Draft"}
    places = ("shop_orders.contrib.pages", "shop_orders.models.", "shop_orders.exceptions.")
    used = set()
    for path in source("shop_orders").glob("contrib/pages/**/*.py"):
        known = {name.rpartition(".")[2]: name for name in imports(path) if name.startswith("shop_")}
        modules_of = {short: name for short, name in known.items() if name.removeprefix("shop_orders.") in ROOMS}
        used |= set(known.values()) - set(modules_of.values())
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Attribute(value=ast.Name(id=short), attr=name) if short in modules_of:
                    used.add(f"{modules_of[short]}.{name}")
    assert len(used) > 40
    assert [name for name in sorted(used - listed) if not name.startswith(places) and name != "shop_core.limits"] == []


ROOMS = {name for name in LAYERS["shop_orders"] if name not in {"__init__", "models", "exceptions", "conf"}}


@pytest.mark.parametrize("package", LAYERS)
def test_imports_are_acyclic(package):
    """Within a layer too: a folder's ``__init__`` imports its modules, and they do not import from it."""
    graph = {name_of(path, package): {*targets(path, package, at_load=True)} for path in modules(package)}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", PACKAGES)
def test_files_and_folders_stay_within_their_limits(package):
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


def test_the_tree_in_decision_10_is_that_of_the_packages():
    text = (ROOT / "docs/decisions/0010-rooms.md").read_text(encoding="utf-8").partition("## After")[2]
    for package in LAYERS:
        drawn = re.search(rf"^{package}/\n((?:  .*\n)+)", text, re.MULTILINE)[1]
        found = {path.stem for path in modules(package) if "management" not in path.parts} - {"__init__"}
        assert {name for name in drawn.split() if not name.endswith("/")} == found, package


def test_core_stays_small():
    """Decision 1 (docs/decisions/0001-one-core.md) has the reason and the number."""
    lines = [line for path in modules("shop_core") for line in path.read_text(encoding="utf-8").splitlines()]
    assert 1000 < len([line for line in lines if line.strip()]) <= 1500


def length(path):
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("package", PACKAGES)
def test_only_core_and_queries_modules_run_sql(package):
    """Hand-written SQL belongs in modules called ``queries``; other modules open no cursor."""
    strays = [
        f"{name_of(path, package)}:{node.lineno}"
        for path in modules(package)
        if path.stem != "queries" and "testing" not in path.parts
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"execute", "executemany", "cursor"}
    ]
    assert strays == []


@pytest.mark.parametrize("package", [*PACKAGES, "shop_core"])
def test_every_transaction_names_its_database(package):
    """A router may keep the app in another database than ``default``, which Django uses where none is named."""
    strays = []
    for path in modules(package):
        place = name_of(path, package)
        strays += [place for name in imports(path) if name in {"django.db.connection", "django.db.DEFAULT_DB_ALIAS"}]
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="transaction"), attr=name)):
                    has_database = name == "non_atomic_requests" or "using" in {word.arg for word in node.keywords}
                    strays += [] if has_database else [f"{place}:{node.lineno}"]
                case ast.FunctionDef(decorator_list=decorators):
                    names = [ast.unparse(decorator) for decorator in decorators]
                    strays += [f"{place}:{node.lineno}" for name in names if name == "transaction.atomic"]
    assert [stray for stray in strays if stray != "routes"] == []  # the senders of routes may be no models


@pytest.mark.parametrize("package", PACKAGES)
def test_what_runs_after_a_commit_is_a_function(package):
    """Django 5.2 logs the failure of such a call with its qualified name, which a ``partial`` or an object lacks."""
    strays = []
    for path in modules(package):
        functions = {node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Call(func=ast.Attribute(attr="on_commit"), args=[function, *_], keywords=[*words]):
                    is_function = isinstance(function, ast.Lambda | ast.Attribute)
                    is_function |= isinstance(function, ast.Name) and function.id in functions
                    is_robust = "robust" in {word.arg for word in words}
                    strays += [f"{path.name}:{node.lineno}"] if is_robust and not is_function else []
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
def test_migrations_use_no_setting_except_the_user_model(package):
    violations = []
    for path in (source(package) / "migrations").glob("*.py"):
        for node in ast.walk(parsed(path)):
            if (
                isinstance(node, ast.Attribute)
                and ast.unparse(node).startswith("settings.")
                and node.attr != "AUTH_USER_MODEL"
            ):
                violations.append((path.name, ast.unparse(node)))
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").startswith(package)
                and node.module.endswith("conf")
            ):
                violations.append((path.name, node.module))
    assert violations == []


def test_no_module_has_a_catch_all_name():
    forbidden = {"utils.py", "services.py", "common.py", "helpers.py"}
    assert [str(path) for package in PACKAGES for path in modules(package) if path.name in forbidden] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_links_of_the_admin_name_their_admin_site(package):
    """Without ``current_app``, a page of a second AdminSite leads to the first one, or to none."""
    strays = []
    for path in modules(package):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and "admin:" in ast.unparse(node.args[0] if node.args else node.func):
                is_reverse = ast.unparse(node.func) == "reverse"
                if is_reverse and not any(keyword.arg == "current_app" for keyword in node.keywords):
                    strays.append(f"{path.name}:{node.lineno}")
                if ast.unparse(node.func) in {"redirect", "reverse_lazy", "resolve_url"}:
                    strays.append(f"{path.name}:{node.lineno}")
    assert strays == []
