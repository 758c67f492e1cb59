"""Run every documented command that installs one of our packages, each in an empty environment without an index.

uv runs them instead of pip because it is faster. Dependencies come from a folder of wheels that is filled once. The
repository's address is replaced by a ``git+file://`` clone of this tree. The distribution names, which the pages will
use after a release, are installed from wheels. Exits 1 with the reason at the first failure.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import wheels
from wheels import DISTRIBUTIONS, ROOT, Broken

PAGES = ("*.md", "docs/**/*.md", "packages/*/README.md", "plugins/*/README.md")
ADDRESS = "git+https://example.org/django-shop.git"
LINE = re.compile(r"pip install (?:\\\n|\n(?=-e )|[^`\n\\])+")
OURS = re.compile(r"(?:packages|plugins)/(django-shop-[\w-]+)")
EXTRAS = re.compile(r"django-shop-[\w-]+\[([\w,-]+)\]")


def main() -> int:
    lines = sorted(set(install_commands()))
    with tempfile.TemporaryDirectory(prefix="shop-install-lines-") as name:
        folder = Path(name)
        clone = folder / "django-shop"
        try:
            copy_tree(clone)
            download(folder / "wheels", lines)
            for number, line in enumerate(lines):
                install(line, clone, folder / f"environment-{number}", folder / "wheels")
            for package in DISTRIBUTIONS:
                wheels.build(ROOT / f"packages/django-shop-{package}", folder)
            for wheel in (folder / "dist").glob("*.whl"):
                shutil.copy(wheel, folder / "wheels")
            for package, distribution in DISTRIBUTIONS.items():
                line = f"pip install {distribution}"
                install(line, clone, folder / f"environment-{package}", folder / "wheels", {"core", package})
        except Broken as error:
            print(f"install lines: {error}", file=sys.stderr)
            return 1
    return 0


def install_commands() -> Iterator[str]:
    """The install commands, each on one line."""
    for pattern in PAGES:
        for page in ROOT.glob(pattern):
            if "_build" in page.parts or page.name == "checks.md":  # hints of `check`, for sites that have the package
                continue
            for line in LINE.findall(page.read_text(encoding="utf-8")):
                if "django-shop-" in line:
                    yield " ".join(line.replace("\\\n", " ").split())


def copy_tree(clone: Path) -> None:
    """A repository with the packages of the working tree, including uncommitted changes."""
    leave = shutil.ignore_patterns("__pycache__", "dist", "node_modules", ".*")
    for name in ("packages", "plugins"):
        shutil.copytree(ROOT / name, clone / name, ignore=leave)
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgSign=false"]
    wheels.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=clone, quiet=True)
    wheels.run(["git", "add", "--all", "--force"], cwd=clone, quiet=True)
    wheels.run(["git", *identity, "commit", "--quiet", "--no-verify", "--message=tree"], cwd=clone, quiet=True)


def download(folder: Path, lines: list[str]) -> None:
    """Fill a folder with the third-party wheels that the lines need."""
    extras = {extra for line in lines for names in EXTRAS.findall(line) for extra in names.split(",")} | {"api"}
    needed = {word for line in lines for word in shlex.split(line)[2:] if re.fullmatch(r"[\w.-]+", word)}
    for file in (*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")):
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        needed |= {*document["build-system"]["requires"], *document["project"]["dependencies"]}
        optional = document["project"].get("optional-dependencies", {})
        needed |= {line for extra in extras & optional.keys() for line in optional[extra]}
    needed.add("editables>=0.3")  # hatchling needs it for packages installed with -e
    third_party = sorted(line for line in needed if not line.startswith("django-shop-") and line != "-e")
    pip = [sys.executable, "-m", "pip"]
    if not importlib.util.find_spec("pip"):  # in an environment that uv made
        pip = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--with", "pip", "python", "-m", "pip"]
    constraints = str(ROOT / "tests/constraints.txt")
    options = ["--quiet", "--only-binary=:all:", "--dest", str(folder), "-c", constraints]
    wheels.run([*pip, "download", *options, *third_party], cwd=ROOT, quiet=True)


def install(line: str, clone: Path, environment: Path, links: Path, expected: set[str] | None = None) -> None:
    """Run the line. Check that exactly its packages of ours are installed and that dependencies are compatible."""
    words = [word.replace(ADDRESS, f"git+file://{clone}") for word in shlex.split(line)[2:]]
    python = wheels.new_environment(environment)
    uv = [sys.executable, "-m", "uv", "--quiet", "--no-config", "--cache-dir", str(links.parent / "cache"), "pip"]
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    cwd = clone.parent if "./django-shop/" in line else clone
    sources = ["--no-index", "--find-links", str(links)]
    wheels.run([*uv, "install", "--python", str(python), *sources, *words], cwd=cwd, quiet=True, env=surroundings)
    wheels.run([*uv, "check", "--python", str(python)], cwd=cwd, quiet=True, env=surroundings)
    listed = [*uv, "list", "--python", str(python), "--format", "json"]
    found = json.loads(subprocess.run(listed, capture_output=True, check=True, env=surroundings).stdout)
    ours = {package["name"] for package in found if package["name"].startswith("django-shop-")}
    names = {f"django-shop-{name}" for name in expected} if expected else set(OURS.findall(line))
    names = {DISTRIBUTIONS.get(name.removeprefix("django-shop-"), name) for name in names}
    if ours != names:
        raise Broken(f"`{line}` installs {sorted(ours)}, not {sorted(names)}")
    print(f"{line}: {', '.join(sorted(ours))}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
