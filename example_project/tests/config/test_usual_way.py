"""The usual way of a Django project: migrate, createsuperuser, loaddata, runserver, test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def manage(tmp_path):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DB_", "DATABASE_", "OIDC_"))},
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "true",
        "DATA_DIR": str(tmp_path),
        "DJANGO_SUPERUSER_PASSWORD": "a-long-and-odd-one-42",
    }

    def run(*arguments, start=False):
        command = [sys.executable, "manage.py", *arguments]
        if start:
            return subprocess.Popen(command, cwd=ROOT, env=environment)
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=120
        )

    return run


def page(url):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            raise
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")


@pytest.mark.slow
def test_the_documented_steps_lead_to_a_shop(manage):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    manage("migrate")
    manage("createsuperuser", "--noinput", "--email", "admin@example.org")
    manage("loaddata", "initial_categories", "sample_products", "initial_data")
    manage("schedule_jobs")
    server = manage("runserver", "--noreload", f"127.0.0.1:{port}", start=True)
    try:
        assert "Market mug" in page(f"http://127.0.0.1:{port}/category/mugs-bowls/")
        assert "KES" in page(f"http://127.0.0.1:{port}/api/v1/products/products/")
    finally:
        server.terminate()
        server.wait(10)


def test_the_test_command_hands_over_to_pytest(manage):
    done = manage("test", "tests/config/test_env.py", "-k", "test_flags")

    assert "4 passed" in done.stdout
