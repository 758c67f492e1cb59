"""The interpreters that this machine has, what is installed into a session, and the corners of the matrix."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import postgres

CONSTRAINTS = "tests/constraints.txt"
SUPPORTED = ("3.11", "3.12", "3.13")
APPS = ("catalog", "orders", "notify")
PACKAGES = ("core", *APPS)
SUITES = ("suite", "orders", "notify", "catalog", "core")
"""The longest first, so that none runs alone at the end."""


def _interpreters() -> dict[str, str]:
    """Version: path of every supported Python that really runs here, the oldest first; pyenv's are found too."""
    found = {}
    for version in SUPPORTED:
        homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
        candidates = [shutil.which(f"python{version}")]
        candidates += [
            str(path) for home in homes for path in sorted(home.glob(f"{version}.*/bin/python"), reverse=True)
        ]
        if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
            candidates.insert(0, getattr(sys, "_base_executable", sys.executable))
        for candidate in filter(None, candidates):
            asked = subprocess.run(
                [candidate, "-c", "import sys; print(sys.executable)"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0:
                found[version] = asked.stdout.strip()
                break
    return found


INTERPRETERS = _interpreters()
NEWEST = list(INTERPRETERS.values())[-1] if INTERPRETERS else None


def install(session: nox.Session, *arguments: str) -> None:
    """Install unless nothing that the installation depends on has changed since the last time."""
    files = [ROOT / CONSTRAINTS, ROOT / "example_project/requirements.txt"]
    files += sorted(ROOT.glob("packages/*/pyproject.toml"))
    digest = hashlib.sha256(repr((ROOT, arguments)).encode())
    for file in files:
        digest.update(file.read_bytes())
    stamp = Path(session.virtualenv.location) / "installed.stamp"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    session.install("-c", CONSTRAINTS, *arguments)
    stamp.write_text(digest.hexdigest())


def editable(*apps: str) -> list[str]:
    """The core and these apps, so that a change in the tree is seen at once."""
    extras = {"core": "[api]", "orders": "[allauth,stripe,mpesa]", "notify": "[africastalking,api,django-q2,anymail]"}
    return [
        part
        for package in ("core", *apps)
        for part in ("-e", f"packages/django-shop-{package}{extras.get(package, '')}")
    ]


def corners(session: nox.Session) -> tuple[list[str], list[str]]:
    """The environments of both corners, without what the wheels run, and the folders of their interpreters."""
    missing = [version for version in SUPPORTED if version not in INTERPRETERS]
    if missing:
        session.warn(f"Not on this machine, so not tested: Python {', '.join(missing)}.")
    if not INTERPRETERS:
        session.warn("None of the supported versions is here: testing with the Python that runs this.")
        pairs = ["py-django61"]
    else:
        oldest, newest = min(INTERPRETERS, key=SUPPORTED.index), max(INTERPRETERS, key=SUPPORTED.index)
        pairs = [f"py{oldest.replace('.', '')}-django52"]
        if newest != "3.11":
            pairs.append(f"py{newest.replace('.', '')}-django61")
    names = [f"{pair}-{suite}-{database}" for suite in SUITES for pair in pairs for database in ("postgres", "sqlite")]
    by_wheels = {f"{pairs[-1]}-{package}-sqlite" for package in PACKAGES}
    names = [name for name in names if name not in by_wheels]
    return names, [str(Path(python).parent) for python in INTERPRETERS.values()]


@contextlib.contextmanager
def database(session: nox.Session) -> Iterator[str]:
    """The URL of a PostgreSQL server while the block runs, or an empty text and a loud line where none can be had."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.server())
        except postgres.Unavailable as error:
            session.warn(f"NO POSTGRESQL: {error} Only the SQLite half of the tests will run.")
            url = ""
        yield url
