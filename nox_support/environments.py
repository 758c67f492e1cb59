"""The interpreters of this machine, the packages of a session, and the environments of the test matrix to run.

The corners of the matrix are the oldest Python with the oldest Django, and the newest with the newest.
"""

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
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
APPS = ("catalog", "orders", "notify")
PACKAGES = ("core", *APPS)
SUITES = ("suite", "orders", "notify", "catalog", "core")
"""The slowest suite comes first, so that it does not run alone at the end."""


def _interpreters() -> dict[str, str]:
    """``{version: path}`` of each supported Python that can be run, oldest first; includes those of pyenv."""
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
    """Install if the arguments or the files that the installation depends on have changed since the last call."""
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
    """pip arguments that install the core and these apps in editable mode, with their extras."""
    extras = {
        "core": "[api]",
        "catalog": "[heic]",
        "orders": "[allauth,stripe,mpesa]",
        "notify": "[africastalking,api,django-q2,anymail]",
    }
    return [
        part
        for package in ("core", *apps)
        for part in ("-e", f"packages/django-shop-{package}{extras.get(package, '')}")
    ]


def corners(session: nox.Session) -> tuple[list[str], list[str]]:
    """The environments of both corners, and the interpreters' folders.

    Those that the wheels' tests cover are left out. With two corners, so is the oldest suite on PostgreSQL, which
    ``tox`` runs: there the packages run alone with the oldest versions, and the suite with the newest.
    """
    missing = [version for version in SUPPORTED if version not in INTERPRETERS]
    if missing:
        session.warn(f"Not installed here, and therefore not tested: Python {', '.join(missing)}.")
    if not INTERPRETERS:
        session.warn("No supported version is installed: testing with the Python that runs nox.")
        pairs = ["py-django61"]
    else:
        oldest, newest = min(INTERPRETERS, key=SUPPORTED.index), max(INTERPRETERS, key=SUPPORTED.index)
        pairs = [f"py{oldest.replace('.', '')}-django52"]
        if newest != "3.11":
            pairs.append(f"py{newest.replace('.', '')}-django61")
    names = [f"{pair}-{suite}-{database}" for suite in SUITES for pair in pairs for database in ("postgres", "sqlite")]
    left_out = {f"{pairs[-1]}-{package}-sqlite" for package in PACKAGES}
    if len(pairs) > 1:
        left_out.add(f"{pairs[0]}-suite-postgres")
    names = [name for name in names if name not in left_out]
    return names, [str(Path(python).parent) for python in INTERPRETERS.values()]


@contextlib.contextmanager
def database(session: nox.Session) -> Iterator[str]:
    """Run a PostgreSQL server during the block and yield its URL. Without one, warn and yield an empty text."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.server())
        except postgres.Unavailable as error:
            session.warn(f"NO POSTGRESQL: {error} Only the SQLite half of the tests will run.")
            url = ""
        yield url
