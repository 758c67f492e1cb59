"""The usual steps of a Django project, as its page in the documentation describes them, in a copy of this folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT.parent / "docs/howto/example-usual-way.md"
SECONDS = 90
TOGETHER = """
import json, os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
for arguments in json.loads(sys.argv[1]):
    execute_from_command_line(arguments)
"""
"""Several commands in one process, which is faster."""


@pytest.fixture
def database():
    """An empty database like that of `createdb shop`, by its URL; "" if the tests run on SQLite."""
    if connection.vendor != "postgresql":
        yield ""
        return
    name, server = f"usual_way_{os.getpid()}", connection.settings_dict
    login = {"host": server["HOST"], "port": server["PORT"], "user": server["USER"], "password": server["PASSWORD"]}
    given = {word: value for word, value in login.items() if value}
    with psycopg.connect(dbname="postgres", autocommit=True, **given) as session:
        session.execute(f'CREATE DATABASE "{name}"')
        yield "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**server) + name
        session.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def project(tmp_path, database):
    """A fresh copy with its .env, in which processes can be started; what still runs at the end is stopped."""
    folder = tmp_path / "example_project"
    shutil.copytree(
        ROOT, folder, ignore=shutil.ignore_patterns("tests", "var", "media", "__pycache__", ".env", "htmlcov")
    )
    text = (folder / ".env.example").read_text(encoding="utf-8")
    (folder / ".env").write_text(text + f"\nDATABASE_URL={database}\n" * bool(database), encoding="utf-8")
    mine = {name for name in os.environ if name in text or name.startswith(("DB_", "OIDC_", "DJANGO_"))}
    environment = {name: value for name, value in os.environ.items() if name not in mine}
    environment |= {"DJANGO_SUPERUSER_PASSWORD": "a-long-and-odd-one-42", "PYTHONUNBUFFERED": "1"}
    running = []

    def start(*arguments, log="log.txt"):
        with (tmp_path / log).open("w") as output:
            command = [sys.executable, *arguments]
            running.append(
                subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
            )
        return running[-1], tmp_path / log

    yield start
    for process in running:
        process.terminate()
        process.wait(SECONDS)


def steps():
    """The page's commands that end by themselves, with arguments instead of a person's input."""
    if not PAGE.exists():
        pytest.skip("the documentation is not here")
    for line in re.findall(r"^\$ python manage.py (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        name, *arguments = shlex.split(line)
        if name == "createsuperuser":
            arguments = ["--noinput", "--email", "admin@example.org"]
        if name not in {"runserver", "qcluster", "load_pictures", "test"}:
            yield ["manage.py", name, *arguments]


def ask(address, body=None, **headers):
    """The response's headers and JSON; waits for a starting server."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json", **headers})
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.headers, json.load(response)
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < deadline, f"{address} did not respond"
            time.sleep(0.2)


def wait_for(text, file):
    deadline = time.monotonic() + SECONDS
    while text not in file.read_text(errors="replace"):
        assert time.monotonic() < deadline, file.read_text(errors="replace")[-2000:]
        time.sleep(0.2)


@pytest.mark.slow
def test_the_documented_steps_lead_to_a_shop_that_sells_and_writes(project):
    commands = list(steps())
    assert [words[1] for words in commands] == ["migrate", "createsuperuser", "loaddata", "schedule_jobs"]
    process, log = project("-c", TOGETHER, json.dumps(commands))
    assert process.wait(SECONDS * 2) == 0, log.read_text()

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}", log="web.txt")
    _worker, printed = project("manage.py", "qcluster", log="worker.txt")
    api = f"http://127.0.0.1:{port}/api/v1"
    _headers, products = ask(f"{api}/products/products/?in_stock=true&category=mugs-bowls")
    sku = next(item["sku"] for item in products["items"] if item["kind"] == "simple")
    headers, cart = ask(f"{api}/orders/cart/add_item/", {"product": sku, "quantity": 1})
    order = {
        "contact": {"name": "Test Customer", "email": "customer@example.org"},
        "delivery": "home",
        "payment_provider": "on_delivery",
        "shipping_address": {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"},
    }
    _headers, placed = ask(f"{api}/orders/orders/", order, **{"X-Cart-Token": headers["X-Cart-Token"]})
    assert cart["currency"] == placed["currency"] == "KES"
    wait_for(f"Subject: Your order {placed['number']}", printed)


def test_the_test_command_hands_over_to_pytest():
    environment = {**os.environ, "DEBUG": "true", "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "manage.py", "test", "tests/config/test_env.py", "-k", "test_flags"],
        cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "4 passed" in done.stdout
