"""Commands of the project: ``python3 noxfile.py -s demo`` runs the shop, ``-s tests`` runs its tests.

Needs Python 3.11 or newer and git, nothing else: nox_support/bootstrap.py installs nox at the first call.
``python3 noxfile.py -l`` lists all commands; the test matrix itself is in tox.ini.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
from nox_support import bootstrap

if __name__ == "__main__":
    sys.exit(bootstrap.run_nox(sys.argv[1:]))

import nox

from nox_support.environments import APPS, NEWEST, PACKAGES, corners, database, editable, install

nox.needs_version = bootstrap.NOX.removeprefix("nox")
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "uv" if bootstrap.has_uv() else "virtualenv"
nox.options.sessions = ["tests"]


@nox.session
def demo(session: nox.Session) -> None:
    """Run the whole shop on this machine; ``-- --help`` lists the options (--port, --host, --fresh, --check)."""
    session.log("Installing the shop (a minute the first time, nothing afterwards) ...")
    install(session, "-r", "example_project/requirements.txt")
    session.run("python", "example_project/run_demo.py", *session.posargs, interrupt_timeout=30, terminate_timeout=30)


@nox.session(python=NEWEST)
def tests(session: nox.Session) -> None:
    """Run the tests with the oldest and the newest versions of tox.ini that this machine has, and test the wheels.

    The tests of the wheels replace the packages' SQLite tests with the newest versions: they are the same tests with
    the same versions, but each package is installed from its wheel, as users install it.
    """
    install(session, "tox>=4.25", "tox-uv>=1.25")
    environments, path = corners(session)
    with database(session) as url:
        if not url:
            environments = [name for name in environments if not name.endswith("postgres")]
        environment = {"PATH": os.pathsep.join([*path, os.environ["PATH"]])}
        environment |= {"DATABASE_URL": url} if url else {}
        runner = "uv-venv-runner" if session.venv_backend == "uv" else "virtualenv"
        names = ",".join(["wheels", *environments])
        # Two more than the number of cores: many tests wait for processes that they start.
        parallel = str((os.cpu_count() or 1) + 2)
        command = ["tox", "run-parallel", "-p", parallel, "--parallel-no-spinner", "--runner", runner, "-e", names]
        session.run(*command, *session.posargs, env=environment)
    if not url:
        session.error("The SQLite half passed. The PostgreSQL half did NOT run: no server is available, see above.")


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style, formatting and the workflows' schema and security; ``-- --fix`` repairs style and formatting."""
    install(session, "ruff", "check-jsonschema", "zizmor")
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
def audit(session: nox.Session) -> None:
    """Look up known vulnerabilities of the locked libraries in OSV; fails if any look-up fails. ``-- --url URL``."""
    install(session, "pip-audit", "pytest")
    session.run("python", "-m", "pytest", "-q", "nox_support/tests")
    session.run("python", "nox_support/audit.py", *session.posargs)


@nox.session(python=NEWEST)
def types(session: nox.Session) -> None:
    """Check the types of the four packages, the plugins, the example and the bench with mypy, strictly.

    Then those of a shop on the packages as its authors would, with the plugin of django-stubs and without it.
    """
    install(
        session,
        "-r",
        "example_project/requirements.txt",
        "mypy",
        "django-stubs",
        "types-requests",
        "pytest",
        "hypothesis",
    )
    sources = [f"packages/django-shop-{package}/src/shop_{package}" for package in PACKAGES]
    sources += [
        f"example_project/{app}" for app in ("config", "accounts", "backoffice", "demo", "storefront", "operations")
    ]
    sources += ["example_project/drawings", "bench"]
    sources += [str(path) for path in sorted(ROOT.glob("plugins/*/src/*"))]
    session.run("mypy", *sources, *session.posargs, env={"DEBUG": "true"})
    with session.chdir("tests/typed"):
        for name in ("mypy.ini", "mypy_with_plugin.ini"):
            session.run("mypy", "--config-file", name, "--cache-dir", f"../../.mypy_cache/{name}", "bakery")


@nox.session(venv_backend="none")
def typescript(session: nox.Session) -> None:
    """Compile the TypeScript client of the documentation, with types of the API's document; needs node and npm."""
    if not shutil.which("npm"):
        session.error("npm is not installed. On Debian: apt-get install nodejs npm")
    session.run(sys.executable, "tests/typescript/compile.py")


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html, every warning an error, and test its search."""
    install(session, "sphinx", "furo", "myst-parser", "pytest")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")
    session.run("python", "-m", "pytest", "-q", "docs/tests")
    session.log("Open docs/_build/html/index.html.")


@nox.session(python=NEWEST)
def reference(session: nox.Session) -> None:
    """Write the OpenAPI document and the generated pages of docs/reference again, after a change of public names."""
    install(session, "-r", "example_project/requirements.txt", "openapi-spec-validator", "pytest", *editable(*APPS))
    snapshot = ["-k", "matches_the_snapshot", "tests/test_openapi.py"]
    session.run(
        "python", "-m", "pytest", "-q", "-c", "tests/pytest.ini", *snapshot, env={"SHOP_TEST_SNAPSHOT": "write"}
    )
    session.run("python", "docs/write_reference.py")


@nox.session(python=NEWEST)
def replay(session: nox.Session) -> None:
    """Place the orders of a real shop's invoices over HTTP and compare amounts: ``-- --data PATH --invoices N``."""
    install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "aiosmtpd")
    session.run("python", "-m", "replay", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(python=NEWEST)
def simulate(session: nox.Session) -> None:
    """Simulate a shop many times, with random failures: ``-- --seeds 10000 --database postgres``."""
    install(session, *editable(*PACKAGES), "psycopg[binary,pool]")
    session.run("python", "-m", "simulation", *session.posargs, env={"PYTHONPATH": "tests"})


def expect_chromium(session: nox.Session) -> None:
    if not (os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")):
        session.error("Chromium is not installed, and without it these tests are all skipped.")


@nox.session(python=NEWEST)
def hosts(session: nox.Session) -> None:
    """Run the stories of tests/hosts on sites of each kind, Wagtail among them, on SQLite and on PostgreSQL.

    One story is a guest in headless Chromium, which needs Node.js.
    """
    expect_chromium(session)
    with session.chdir("example_project/tests/storefront/browser"):
        session.run("npm", "ci", "--silent", external=True)
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "celery", "wagtail", "django-money"]
    install(session, "-r", "example_project/requirements.txt", *tools)
    command = ["python", "-m", "pytest", "-c", "tests/pytest.ini", "tests/test_hosts.py", *session.posargs]
    session.run(*command, env={"DATABASE_URL": "", "SHOP_TEST_HOSTS": "all"})
    with database(session) as url:
        session.run(*command, env={"DATABASE_URL": url, "SHOP_TEST_HOSTS": "all"})


@nox.session(python=NEWEST)
def proofs(session: nox.Session) -> None:
    """Run the tests of races, crashes, outages and random sequences at full size: ``-- catalog orders notify``.

    Takes an hour or more. Runs on PostgreSQL; an empty ``DATABASE_URL`` selects SQLite. Other arguments go to pytest:
    ``-- orders -k races``.
    """
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "hypothesis", "aiosmtpd", "celery", "redis"]
    install(session, *editable(*APPS), *tools)
    chosen = [name for name in session.posargs if name in APPS] or APPS
    options = [option for option in session.posargs if option not in APPS] or ["-m", "slow"]
    with database(session) if os.environ.get("DATABASE_URL") != "" else contextlib.nullcontext("") as url:
        environment = {"SHOP_TEST_FULL": "1", "DATABASE_URL": url}
        for name in chosen:
            with session.chdir(f"packages/django-shop-{name}/tests"):
                session.run("python", "-m", "pytest", *options, env=environment)


@nox.session(python=NEWEST)
def fuzz(session: nox.Session) -> None:
    """Send generated requests to every operation and shop with a generated client, on SQLite and PostgreSQL."""
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "hypothesis", "schemathesis", "openapi-python-client"]
    install(session, "-r", "example_project/requirements.txt", *tools)
    command = ["python", "-m", "pytest", "-c", "tests/pytest.ini", "tests/test_fuzz.py"]
    session.run(*command, "tests/test_client.py", *session.posargs, env={"SHOP_TEST_FULL": "1", "DATABASE_URL": ""})
    with database(session) as url:
        if url:
            session.run(*command, *session.posargs, env={"SHOP_TEST_FULL": "1", "DATABASE_URL": url})


@nox.session(python=NEWEST)
def browser(session: nox.Session) -> None:
    """Drive shop and accounts in headless Chromium; needs node and Chromium (``CHROMIUM`` names another path)."""
    expect_chromium(session)
    tools = ["psycopg[binary,pool]", "pytest", "pytest-django", "authlib>=1.6"]
    install(session, "-r", "example_project/requirements.txt", *tools)
    for folder in ("storefront/browser", "oidc"):
        with session.chdir(f"example_project/tests/{folder}"):
            session.run("npm", "ci", "--silent", external=True)
    session.run("python", "-m", "pytest", "-c", "example_project/pytest.ini", "-m", "browser", *session.posargs)


@nox.session(python=NEWEST)
def lighthouse(session: nox.Session) -> None:
    """Measure four pages with Lighthouse against 95 of 100; needs node, Chromium and an idle machine."""
    install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]")
    with session.chdir("example_project/tests/lighthouse"):
        session.run("npm", "ci", "--silent", external=True)
        session.run("python", "run.py", *session.posargs)


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Compare frequent reads with hand-written SQL and plain Django; needs wrk. ``-- --help`` lists the options.

    ``-- orders`` measures cart and checkout, and compares them with a shop in Django REST framework too; ``--oscar``
    adds django-oscar and its API to the comparison. ``-- pages`` measures the pages of the example project,
    ``-- staff`` those of its admin and staff API with millions of rows.
    """
    tools = ["psycopg[binary,pool]", "granian", "orjson", "djangorestframework"]
    tools += ["django-oscar", "django-oscar-api"] if "--oscar" in session.posargs else []
    tools += ["-r", "example_project/requirements.txt"] if session.posargs[:1] in (["pages"], ["staff"]) else []
    install(session, *editable("catalog", "orders"), *tools)
    if session.posargs[:1] in (["orders"], ["pages"], ["staff"]):
        session.run("python", "-m", f"bench.{session.posargs[0]}", *session.posargs[1:])
    else:
        session.run("python", "-m", "bench", *session.posargs)


@nox.session(name="production-smoke", python=NEWEST)
def production_smoke(session: nox.Session) -> None:
    """Run the production topology with the files of deploy/server and kill its parts while it sells; needs root."""
    install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "redis", "aiosmtpd")
    session.run("python", "deploy/server/smoke.py", *session.posargs)


@nox.session(python=NEWEST)
def refusals(session: nox.Session) -> None:
    """Run the production topology against slow clients, processes that die twice and a PostgreSQL that refuses."""
    install(
        session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "redis", "aiosmtpd", "pytest-django"
    )
    command = ["python", "-m", "pytest", "-c", "example_project/pytest.ini"]
    tests = ["example_project/tests/operations/test_serve.py"]
    session.run(*command, *tests, env={"SHOP_TEST_FULL": "1", "DATABASE_URL": ""})
    session.run("python", "deploy/server/refusals.py", *session.posargs)


@nox.session(python=NEWEST)
def soak(session: nox.Session) -> None:
    """Load the production topology evenly for half an hour and measure its memory: ``-- --minutes 30 --rate 10``."""
    install(session, "-r", "example_project/requirements.txt", "psycopg[binary,pool]", "redis", "aiosmtpd")
    session.run("python", "deploy/server/soak.py", *session.posargs)
