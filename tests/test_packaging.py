"""Package metadata: dependencies, classifiers, and migrations that match the models."""

import io
import json
import re
import tomllib
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[1]
CORE, CORE_WITH_API = "django-shop-core>=0.1.0,<1", "django-shop-core[api]>=0.1.0,<1"
DEPENDENCIES = {
    "core": {"django"},
    "catalog": {CORE_WITH_API, "anyascii", "django-mptt", "pillow"},
    "orders": {CORE_WITH_API, "phonenumberslite"},
    "notify": {CORE},
}
EXTRAS = {
    "core": {"api"},
    "catalog": {"heic", "spreadsheets"},
    "orders": {"allauth", "stripe", "mpesa"},
    "notify": {"africastalking", "api", "django-q2", "anymail", "sms"},
}


LOCKS = sorted((ROOT / "example_project/tests").glob("*/package-lock.json")) + sorted(
    (ROOT / "example_project/tests").glob("*/browser/package-lock.json")
)
LOCKS.append(ROOT / "tests/typescript/package-lock.json")


def project(name):
    return load(ROOT / f"packages/django-shop-{name}")


def is_core(requirement):
    return requirement.startswith("django-shop-core")


def load(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_readme_names_distribution_folder_and_import_of_every_package():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(django-shop-[\w-]+)` \| `packages/([\w-]+)` \| `(\w+)` \|", text, re.MULTILINE)
    folders = [path.parent for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]
    found = {(load(folder)["name"], folder.name, next(folder.glob("src/*")).name) for folder in folders}
    assert len(rows) == len(found)
    assert set(rows) == found


def test_old_name_of_the_catalogue_appears_only_in_its_explanation():
    """On the index the name belongs to another project; as a folder name it follows a slash."""
    name = re.compile(r"(?<![\w/-])django-shop-catalog(?![\w-])")
    patterns = (
        "*.md", "*.py", "*.ini", "*.toml", ".github/**/*.yml", "docs/**/*.md", "deploy/**/*.*", "packages/*/*.*",
        "packages/*/src/**/*.py", "packages/*/src/**/*.po", "packages/*/tests/**/*.py", "plugins/*/*.*", "tests/*.*",
        "example_project/*.*", "example_project/*/*.py",
    )  # fmt: skip
    files = {file for pattern in patterns for file in ROOT.glob(pattern) if file.is_file()} - {Path(__file__)}
    found = {str(file.relative_to(ROOT)) for file in files if name.search(file.read_text(encoding="utf-8"))}
    assert found == {"README.md", "packages/django-shop-catalog/CHANGELOG.md"}


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_package_has_exactly_these_dependencies(name):
    lines = project(name)["dependencies"]
    found = {line if is_core(line) else re.split(r"[^\w.-]", line)[0].lower() for line in lines}
    assert found == DEPENDENCIES[name]


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_dependencies_on_others_have_lower_bounds_only(name):
    lines = project(name)["dependencies"] + [
        line for extra in project(name).get("optional-dependencies", {}).values() for line in extra
    ]
    lines = [line for line in lines if not is_core(line)]
    assert all(re.fullmatch(r"[\w.\-\[\],]+>=[\d.]+", line) for line in lines), lines


def test_the_oldest_python_of_the_matrix_has_the_oldest_django_ninja_that_is_declared():
    [floor] = project("core")["optional-dependencies"]["api"]
    constraints = (ROOT / "tests/constraints.txt").read_text(encoding="utf-8")
    pin = re.search(r'^django-ninja==(\S+) ; python_version < "3.12"$', constraints, re.MULTILINE)[1]
    assert floor == f"django-ninja>={pin}"


def test_the_matrix_has_each_python_that_is_declared_and_chores_know_each_of_the_matrix():
    lines = re.findall(r"^    py3(\d+|\{[\d,]+\})-", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    matrix = {f"3.{minor}" for line in lines for minor in line.strip("{}").split(",")}
    environments = (ROOT / "nox_support/environments.py").read_text(encoding="utf-8")
    supported = re.search(r"^SUPPORTED = \((.*)\)$", environments, re.MULTILINE)[1]
    assert set(re.findall(r'"([\d.]+)"', supported)) == matrix
    for name in DEPENDENCIES:
        declared = re.findall(r"Python :: (3\.\d+)", " ".join(project(name)["classifiers"]))
        assert set(declared) <= matrix, name


def test_api_extra_of_notify_is_that_of_core():
    assert project("notify")["optional-dependencies"]["api"] == ["django-shop-core[api]"]


@pytest.mark.parametrize("name", EXTRAS)
def test_package_has_exactly_the_documented_extras(name):
    assert set(project(name).get("optional-dependencies", {})) == EXTRAS[name]


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_readme_works_without_the_repository(name):
    """An index shows the README alone: relative links would not work."""
    text = (ROOT / f"packages/django-shop-{name}/README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https://)[^)]*\)", text) == []
    assert "not related to the older django-SHOP" in text.split("\n")[3]
    assert "Licence: MIT." in text
    assert all(f"[{extra}]" in text for extra in EXTRAS[name])


def test_the_constraints_name_no_download_address():
    text = (ROOT / "tests/constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--" not in text


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.parent.name)
def test_the_locks_of_node_packages_name_no_download_address(path):
    locked = json.loads(path.read_text(encoding="utf-8"))["packages"]
    assert locked
    assert [name for name, package in locked.items() if "resolved" in package] == []


@pytest.mark.django_db
def test_no_migration_is_missing():
    output = io.StringIO()
    apps = ("shop_catalog", "shop_orders", "shop_notify")
    call_command("makemigrations", *apps, check=True, dry_run=True, stdout=output)
    assert output.getvalue().startswith("No changes detected in apps")


@pytest.mark.parametrize("page", ["README.md", "docs/reference/notify-settings.md"])
def test_table_of_plugins_names_each_distribution_and_its_entry_points(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(django-shop-[\w-]+)` \| `(\w+)` \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    plugins = [load(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    found = [(plugin["name"], name) for plugin in plugins for name in plugin["entry-points"]["shop_notify.notifiers"]]
    assert rows == found
    assert len({name for _distribution, name in found}) == len(found)


def test_every_package_and_plugin_has_a_licence_a_changelog_and_a_tag_that_publishes_it():
    workflow = (ROOT / ".github/workflows/publish.yml").read_text(encoding="utf-8")
    folders = [
        path.parent for path in (*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml"))
    ]
    assert len(folders) == 6
    for folder in folders:
        assert f'"{load(folder)["name"]}-v*"' in workflow
        assert {"LICENSE", "CHANGELOG.md", "README.md"} <= {path.name for path in folder.iterdir()}
