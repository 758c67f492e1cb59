"""Build the wheels, check them, install each app with only the core, and run its suite from outside the tree.

The plugins are installed together, with only notify and the core.
``python tests/wheels.py [core|catalog|orders|notify|plugins ...]``; exits 1 with the reason at the first failure.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = {
    "core": "django-shop-core",
    "catalog": "django-shop-catalogue",
    "orders": "django-shop-orders",
    "notify": "django-shop-notify",
}
"""The names on the package index."""

DEPENDENCIES = {
    "core": {"django"},
    "catalog": {"django-shop-core", "anyascii", "django-mptt", "pillow"},
    "orders": {"django-shop-core", "phonenumberslite"},
    "notify": {"django-shop-core"},
}
"""The exact dependencies of each package."""

EXTRAS = {
    "core": "[api]",
    "catalog": "[heic,spreadsheets]",
    "orders": "[stripe,mpesa]",
    "notify": "[africastalking,api,django-q2,anymail]",
}
TEST_TOOLS = ["pytest", "pytest-django", "hypothesis", "psycopg[binary,pool]"]
MORE_TEST_TOOLS = {"core": [], "catalog": [], "orders": [], "notify": ["aiosmtpd", "celery", "redis"]}
CONTENTS = ("py.typed", "migrations/0001_initial.py", "templates/", "locale/")
NOT_IN_CORE = CONTENTS[1:]
"""The core is a library without models, templates and user-visible text."""
IMPORT_CORE = """
import importlib, pkgutil
from django.conf import settings
settings.configure()
import shop_core
names = [module.name for module in pkgutil.walk_packages(shop_core.__path__, "shop_core.", onerror=lambda name: None)]
for name in names:
    if not (name + ".").startswith("shop_core.api."):
        importlib.import_module(name)
"""
SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:sk|rk)_live_\w{8,}|\bwhsec_[\w+/]{16,}|\bAKIA[0-9A-Z]{16}\b"
    rb"|\batsk_\w{16,}|\bgh[pousr]_\w{20,}|\bpypi-\w{20,}|://[^/\s:@]+:[^/\s@{}<]+@"
)
"""Keys and tokens in their usual forms, and addresses with a password."""


class Broken(Exception):
    """A check of a wheel failed."""


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="shop-wheels-") as folder:
        try:
            core = build(ROOT / "packages/django-shop-core", Path(folder))
            for name in names or [*DEPENDENCIES, "plugins"]:
                if name == "plugins":
                    check_plugins(core, Path(folder))
                else:
                    check(name, core, Path(folder))
        except Broken as error:
            print(f"wheels: {error}", file=sys.stderr)
            return 1
    return 0


def check(name: str, core: Path, folder: Path) -> None:
    """Build, check, install, start, and run the package's suite on the installed wheel."""
    wheel = core if name == "core" else build(ROOT / f"packages/django-shop-{name}", folder)
    _check_contents(name, wheel)
    python = new_environment(folder / f"env-{name}")
    _install(python, str(core), str(wheel))
    run(_pip("check", python), cwd=folder, quiet=True)
    _check_starts_alone(name, python, folder)
    _install(python, str(core), f"{wheel}{EXTRAS[name]}", *TEST_TOOLS, *MORE_TEST_TOOLS[name])
    source, suite = ROOT / f"packages/django-shop-{name}", folder / f"suite-{name}/tests"
    shutil.copytree(source / "tests", suite, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "CHANGELOG.md", suite.parent)  # a test imports the moved paths that it lists
    environment = {**os.environ}
    real_data = ROOT.parent / "shared/data"
    if real_data.is_dir():  # the copied suite would not find it by its relative path
        environment.setdefault("SHOP_TEST_DATA", str(real_data))
    run([str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=suite, env=environment)


def check_plugins(core: Path, folder: Path) -> None:
    """Build and check the plugins' wheels, install them beside notify, and run their suites on them."""
    sources = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
    built = [build(source, folder) for source in sources]
    for source, wheel in zip(sources, built, strict=True):
        _check_plugin_contents(source, wheel)
    python = new_environment(folder / "env-plugins")
    notify = build(ROOT / "packages/django-shop-notify", folder)
    _install(python, str(core), str(notify), *map(str, built))
    run(_pip("check", python), cwd=folder, quiet=True)
    _install(python, "pytest", "pytest-django")
    for source in sources:
        suite = folder / "suite-plugins" / source.name
        shutil.copytree(source / "tests", suite / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(source / "pyproject.toml", suite)  # the settings of pytest
        shutil.copy(source / "README.md", suite)  # a test compares its tables with the code
        run([str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=suite)


def _check_plugin_contents(source: Path, wheel: Path) -> None:
    """The package with its types, the licence, nothing else, and no secret."""
    (package,) = (path.name for path in source.glob("src/*") if path.is_dir())
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
        leaking = [file for file in files if SECRETS.search(archive.read(file))]
    information = f"{wheel.name.rpartition('-py3')[0]}.dist-info"
    strange = {file.partition("/")[0] for file in files} - {package, information}
    missing = {f"{package}/py.typed", f"{information}/licenses/LICENSE", f"{information}/entry_points.txt"} - {*files}
    if strange or missing or leaking:
        raise Broken(f"{wheel.name}: brings along {strange}, lacks {missing}, leaks {leaking}")
    print(f"{wheel.name}: {len(files)} files", flush=True)


def build(source: Path, folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(source),
    ]
    run(command, cwd=folder, quiet=True)
    name = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    return next((folder / "dist").glob(f"{name.replace('-', '_')}-*.whl"))


def _check_contents(name: str, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
        leaking = [file for file in files if SECRETS.search(archive.read(file))]
        metadata = Parser().parsestr(archive.read(next(f for f in files if f.endswith("/METADATA"))).decode())
    for content in CONTENTS:
        has = any(file.startswith(f"shop_{name}/{content}") for file in files)
        if has == (name == "core" and content in NOT_IN_CORE):
            raise Broken(f"{wheel.name} has {content}" if has else f"{wheel.name} has no {content}")
    strange = {file.partition("/")[0] for file in files} - {
        f"shop_{name}",
        f"{wheel.name.rpartition('-py3')[0]}.dist-info",
    }
    if strange:
        raise Broken(f"{wheel.name} brings along {', '.join(sorted(strange))}")
    if leaking:
        raise Broken(f"{wheel.name} holds something like a key or a password in {', '.join(leaking)}")
    required = metadata.get_all("Requires-Dist", [])
    hard = {re.split(r"[^\w.-]", line)[0].lower() for line in required if "extra ==" not in line}
    if hard != DEPENDENCIES[name]:
        raise Broken(f"{wheel.name} depends on {sorted(hard)}, not on {sorted(DEPENDENCIES[name])}")
    print(f"{wheel.name}: {len(files)} files, depends on {', '.join(sorted(hard))}", flush=True)


def new_environment(folder: Path) -> Path:
    venv.create(folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(python: Path, *what: str) -> None:
    constraints = str(ROOT / "tests/constraints.txt")
    run([*_pip("install", python), "--quiet", "-c", constraints, *what], cwd=python.parent, quiet=True)


def _pip(command: str, python: Path) -> list[str]:
    """The installer for another environment: pip if this one has it, else uv."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", str(python), command]
    return [sys.executable, "-m", "uv", "pip", command, "--python", str(python)]


def _check_starts_alone(name: str, python: Path, folder: Path) -> None:
    """With only the wheel and its hard dependencies, Django starts with the app and finds its migrations.

    Of the core, every module but the API's can be imported, although django-ninja is not installed.
    """
    if name == "core":
        run([str(python), "-c", IMPORT_CORE], cwd=folder)
        return
    program = f"""
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "shop_{name}"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    SHOP_{name.upper()}={{"CURRENCY": "KES"}} if "{name}" != "notify" else {{}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="alone",
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
"""
    run([str(python), "-c", program], cwd=folder)


def run(command: list[str], *, cwd: Path, quiet: bool = False, env: dict[str, str] | None = None) -> None:
    output = subprocess.PIPE if quiet else None
    completed = subprocess.run(
        command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT if quiet else None, check=False
    )
    if completed.returncode:
        printed = completed.stdout.decode(errors="replace") if quiet else ""
        raise Broken(f"{' '.join(command[:6])} ... failed with exit code {completed.returncode}.\n{printed}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
