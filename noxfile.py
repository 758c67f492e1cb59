"""The chores: ``python3 noxfile.py -s demo`` runs the shop, ``python3 noxfile.py -s tests`` passes its tests.

Needs Python 3.11 or newer and git, nothing else: without nox it makes a private virtual environment, installs nox into
it and runs on there. Where uv can be had and reaches a package index it makes the environments, else pip.
``python3 noxfile.py -l`` lists every chore; the test matrix itself is in tox.ini.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PRIVATE = ROOT / ".venv-nox"
NOX = "nox>=2025.5.1"
# What the machine has is used: its interpreters, and the certificates that it trusts.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
os.environ.setdefault("UV_SYSTEM_CERTS", "true")


def bootstrap() -> int:
    """Run nox from the private virtual environment, which is made at the first call."""
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit("This project needs Python 3.11 or newer; this is Python {}.{}.".format(*sys.version_info[:2]))
    python = PRIVATE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _has_nox(python):
        print(f"Making a private environment for nox in {PRIVATE.name} (once) ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(PRIVATE)], check=False)
        if made.returncode:
            sys.exit(
                "Python's venv module is missing or incomplete: install it "
                "(on Debian and Ubuntu: apt install python3-venv) and start this command again."
            )
        installed = subprocess.run([str(python), "-m", "pip", "install", "--quiet", NOX], check=False)
        if installed.returncode:
            sys.exit("nox could not be installed into the private environment; pip's message above says why.")
        _try_uv(python)
    command = [str(python), "-m", "nox", "-f", str(ROOT / "noxfile.py"), *sys.argv[1:]]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


def _try_uv(python: Path) -> None:
    """Give nox uv, which takes a fraction of pip's time; pip has settings of its own by which it may reach more."""
    pip = [str(python), "-m", "pip"]
    probe = ["pip", "install", "--quiet", "--dry-run", "--no-cache", "--python", str(python), "six"]
    for command in ([*pip, "install", "--quiet", "uv"], [str(python), "-m", "uv", *probe]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print("uv reaches no package index here: pip makes the environments, which takes longer.", flush=True)
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "uv"], capture_output=True, check=False)
            return


def _has_nox(python: Path) -> bool:
    if not python.exists():
        return False
    return not subprocess.run([str(python), "-c", "import nox"], stderr=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(bootstrap())


import contextlib  # noqa: E402
import hashlib  # noqa: E402
import importlib.util  # noqa: E402
import shutil  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import nox  # noqa: E402

sys.path.insert(0, str(ROOT / "tests"))
import postgres  # noqa: E402

nox.needs_version = ">=2025.5.1"
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "uv" if importlib.util.find_spec("uv") else "virtualenv"
nox.options.sessions = ["tests"]

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


def _install(session: nox.Session, *arguments: str) -> None:
    """Install unless nothing that the installation depends on has changed since the last time."""
    files = [ROOT / CONSTRAINTS, ROOT / "noxfile.py", ROOT / "example_project/requirements.txt"]
    files += sorted(ROOT.glob("packages/*/pyproject.toml"))
    digest = hashlib.sha256(repr((ROOT, arguments)).encode())
    for file in files:
        digest.update(file.read_bytes())
    stamp = Path(session.virtualenv.location) / "installed.stamp"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    session.install("-c", CONSTRAINTS, *arguments)
    stamp.write_text(digest.hexdigest())


def _editable(*apps: str) -> list[str]:
    """The core and these apps, so that a change in the tree is seen at once."""
    extras = {"core": "[api]", "orders": "[allauth,stripe,mpesa]", "notify": "[africastalking,api,django-q2,anymail]"}
    return [
        part
        for package in ("core", *apps)
        for part in ("-e", f"packages/django-shop-{package}{extras.get(package, '')}")
    ]


@nox.session
def demo(session: nox.Session) -> None:
    """Run the whole shop on this machine; ``-- --help`` lists the options (--port, --host, --fresh, --check)."""
    session.log("Installing the shop (a minute the first time, nothing afterwards) ...")
    _install(session, "-r", "example_project/requirements.txt")
    session.run("python", "example_project/run_demo.py", *session.posargs, interrupt_timeout=30, terminate_timeout=30)


@nox.session(python=NEWEST)
def tests(session: nox.Session) -> None:
    """Run the oldest and the newest corner of tox.ini that this machine has, and the wheels' own tests.

    The wheels' suites are the packages' SQLite half of the newest corner: the same tests with the same versions, only
    that the package is installed as its users get it. So that half is not run a second time from the tree.
    """
    _install(session, "tox>=4.25", "tox-uv>=1.25")
    environments, path = _corners(session)
    with _database(session) as url:
        if not url:
            environments = [name for name in environments if not name.endswith("postgres")]
        environment = {"PATH": os.pathsep.join([*path, os.environ["PATH"]])}
        environment |= {"DATABASE_URL": url} if url else {}
        runner = "uv-venv-runner" if session.venv_backend == "uv" else "virtualenv"
        names = ",".join(["wheels", *environments])
        # One more than there are cores: many tests wait for a process of theirs.
        parallel = str((os.cpu_count() or 1) + 1)
        command = ["tox", "run-parallel", "-p", parallel, "--parallel-no-spinner", "--runner", runner, "-e", names]
        session.run(*command, *session.posargs, env=environment)
    if not url:
        session.error("The SQLite half passed. The PostgreSQL half did NOT run: no server could be had, see above.")


def _corners(session: nox.Session) -> tuple[list[str], list[str]]:
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
def _database(session: nox.Session) -> Iterator[str]:
    """The URL of a PostgreSQL server while the block runs, or an empty text and a loud line where none can be had."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.server())
        except postgres.Unavailable as error:
            session.warn(f"NO POSTGRESQL: {error} Only the SQLite half of the tests will run.")
            url = ""
        yield url


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style, formatting and the workflows' schema and security; ``-- --fix`` mends what can be mended."""
    _install(session, "ruff", "check-jsonschema", "zizmor")
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    workflows = [str(path) for path in sorted(ROOT.glob(".github/workflows/*.yml"))]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")
    session.run("zizmor", "--offline", "--persona", "pedantic", ".github")


@nox.session(python=NEWEST)
def types(session: nox.Session) -> None:
    """Check the types of the four packages, the example and the bench with mypy, strictly."""
    _install(session, "-r", "example_project/requirements.txt", "mypy", "django-stubs", "types-requests", "pytest")
    sources = [f"packages/django-shop-{package}/src/shop_{package}" for package in PACKAGES]
    sources += [
        f"example_project/{app}" for app in ("config", "accounts", "backoffice", "demo", "storefront", "operations")
    ]
    sources += ["example_project/drawings", "bench"]
    session.run("mypy", *sources, *session.posargs, env={"DEBUG": "true"})


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html, every warning an error."""
    _install(
        session,
        "sphinx",
        "furo",
        "myst-parser",
        "pytest",
        "-r",
        "example_project/requirements.txt",
        *_editable(*APPS),
    )
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")
    session.log("Open docs/_build/html/index.html.")


@nox.session(python=NEWEST)
def replay(session: nox.Session) -> None:
    """Place the invoices of a real shop over HTTP and compare the books: ``-- --data PATH --invoices N``."""
    _install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "aiosmtpd")
    session.run("python", "-m", "replay", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(python=NEWEST)
def proofs(session: nox.Session) -> None:
    """Run the tests of races, crashes, outages and random lives at their full sizes: ``-- catalog orders notify``.

    Takes an hour or more; on PostgreSQL, or with ``DATABASE_URL`` set to nothing on SQLite. Other words go to pytest:
    ``-- orders -k races``.
    """
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "hypothesis", "aiosmtpd", "celery", "redis"]
    _install(session, *_editable(*APPS), *tools)
    chosen = [name for name in session.posargs if name in APPS] or APPS
    options = [option for option in session.posargs if option not in APPS] or ["-m", "slow"]
    with _database(session) if os.environ.get("DATABASE_URL") != "" else contextlib.nullcontext("") as url:
        environment = {"SHOP_TEST_FULL": "1", "DATABASE_URL": url}
        for name in chosen:
            with session.chdir(f"packages/django-shop-{name}/tests"):
                session.run("python", "-m", "pytest", *options, env=environment)


@nox.session(python=NEWEST)
def fuzz(session: nox.Session) -> None:
    """Send generated requests to every operation and shop with a generated client, on SQLite and PostgreSQL."""
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "hypothesis", "schemathesis", "openapi-python-client"]
    _install(session, "-r", "example_project/requirements.txt", *tools)
    command = ["python", "-m", "pytest", "-c", "tests/pytest.ini", "tests/test_fuzz.py"]
    session.run(*command, "tests/test_client.py", *session.posargs, env={"SHOP_TEST_FULL": "1", "DATABASE_URL": ""})
    with _database(session) as url:
        if url:
            session.run(*command, *session.posargs, env={"SHOP_TEST_FULL": "1", "DATABASE_URL": url})


@nox.session(python=NEWEST)
def browser(session: nox.Session) -> None:
    """Drive shop and accounts in headless Chromium; needs node and Chromium (``CHROMIUM`` names another path)."""
    if not (os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")):
        session.error("Chromium is not here, and without it these tests would pass by doing nothing.")
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "authlib>=1.6"]
    _install(session, "-r", "example_project/requirements.txt", *tools)
    for folder in ("storefront/browser", "oidc"):
        with session.chdir(f"example_project/tests/{folder}"):
            session.run("npm", "ci", "--silent", external=True)
    session.run("python", "-m", "pytest", "-c", "example_project/pytest.ini", "-m", "browser", *session.posargs)


@nox.session(python=NEWEST)
def lighthouse(session: nox.Session) -> None:
    """Measure four pages with Lighthouse against 95 of 100; needs node and Chromium, and a machine that is idle."""
    _install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]")
    with session.chdir("example_project/tests/lighthouse"):
        session.run("npm", "ci", "--silent", external=True)
        session.run("python", "run.py", *session.posargs)


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure the hot reads beside hand-written SQL and the usual way; needs wrk. ``-- --help`` lists the options.

    ``-- orders`` measures cart and checkout, beside a shop in Django REST framework too; with ``--oscar`` django-oscar
    and its API are installed and set beside it.
    """
    tools = ["psycopg[binary,pool]", "granian", "orjson", "djangorestframework"]
    tools += ["django-oscar", "django-oscar-api"] if "--oscar" in session.posargs else []
    _install(session, *_editable("catalog", "orders"), *tools)
    if session.posargs[:1] == ["orders"]:
        session.run("python", "-m", "bench.orders", *session.posargs[1:])
    else:
        session.run("python", "-m", "bench", *session.posargs)


@nox.session(name="production-smoke", python=NEWEST)
def production_smoke(session: nox.Session) -> None:
    """Run the production topology with the files of deploy/server and kill its parts while it sells; needs root."""
    _install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "redis", "aiosmtpd")
    session.run("python", "deploy/server/smoke.py", *session.posargs)


@nox.session(python=NEWEST)
def soak(session: nox.Session) -> None:
    """Load the production topology evenly for half an hour and watch its memory: ``-- --minutes 30 --rate 10``."""
    _install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "redis", "aiosmtpd")
    session.run("python", "deploy/server/soak.py", *session.posargs)
