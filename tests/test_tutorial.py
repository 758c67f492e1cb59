"""The tutorial, followed exactly in an empty folder: its files, commands and requests."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/tutorial/first-order.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```\{code-block\} \w+\n:caption: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
START_SECONDS = 60
MANAGE = """
import json, os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
for arguments in json.loads(sys.argv[1]):
    execute_from_command_line(arguments)
"""


class Site:
    """The reader's setup: a folder and two terminals."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        unset = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "PYTHONPATH"}
        self.environment = {name: value for name, value in os.environ.items() if name not in unset}
        self.environment |= {"DJANGO_SUPERUSER_PASSWORD": "tutorial-password", "PYTHONUNBUFFERED": "1"}

    def run(self, *arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def manage(self, lines):
        """All commands in one process, which is faster."""
        commands = [shlex.split(line)[1:] for line in lines]
        for words in commands:
            if "createsuperuser" in words:
                words += ["--no-input", "--username", "admin", "--email", "admin@example.org"]
        return self.run("-c", MANAGE, json.dumps(commands))

    def serve(self):
        self.log = (self.folder / "terminal.txt").open("w+")
        command = [sys.executable, "manage.py", "runserver", "--noreload", str(self.port)]
        self.server = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT
        )
        for _attempt in range(START_SECONDS * 5):
            try:
                return urlopen(f"http://127.0.0.1:{self.port}/api/products/products/").close()
            except URLError:
                time.sleep(0.2)
        raise AssertionError(self.terminal())

    def curl(self, line, **variables):
        """Send a request as the page's ``curl`` does."""
        for name, value in variables.items():
            line = line.replace(f"${name}", value)
        words = shlex.split(line.replace(":8000/", f":{self.port}/"))
        headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
        address = next(word for word in words if word.startswith("http://"))
        request = Request(address, data=words[words.index("-d") + 1].encode(), headers=headers)
        with urlopen(request) as response:
            return response.headers, json.load(response)

    def terminal(self):
        self.log.flush()
        return Path(self.log.name).read_text()

    def stop(self):
        if hasattr(self, "server"):
            self.server.terminate()
            self.server.wait(timeout=20)
            self.log.close()


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.stop()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the tutorial's site uses its own SQLite database")
def test_the_tutorial_ends_with_an_order_and_its_messages(site):
    site.run("-m", "django", "startproject", "mysite", ".")
    with (site.folder / "mysite/settings.py").open("a") as settings:
        settings.write('\nEMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"\n' * is_django_52())
    for caption, code in FILE.findall(PAGE):
        with (site.folder / caption).open("a" if caption.endswith("settings.py") else "w") as file:
            file.write(code)
    output = site.manage([line for line in LINES if "manage.py" in line and "runserver" not in line])
    assert "no issues (0 silenced)" in output
    assert "3 categories added, 0 errors" in output
    assert "3 created, 0 updated, 0 failed" in output

    site.serve()
    add, order = [line for line in LINES if line.startswith("curl")]
    headers, cart = site.curl(add)
    assert cart["total"] == "2500.00"
    _headers, placed = site.curl(order, TOKEN=headers["X-Cart-Token"])
    assert (placed["status"], placed["total"]) == ("confirmed", "2500.00")
    assert placed["contact"]["phone"] == "+254712345678"
    shown = site.terminal()
    for text in (
        f"Subject: Your order {placed['number']}",
        f"Subject: New order {placed['number']}",
        "My shop: Thank you",
    ):
        assert text in shown


def is_django_52():
    import django

    return django.VERSION < (6, 1)
