"""The rate limits of the log-in, with two web processes that share a cache, and with forged headers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from django.db import connection
from django.test import Client

EXAMPLE = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-and-odd-one-42"
LOGIN = "/api/v1/auth/customers/login/"
QUICK_SETTINGS = """
from config.settings import *
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
"""The site's settings with a cheap hash: attempts are counted here, and each would cost a third of a second."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(is_there: Callable[[], bool]) -> None:
    for _attempt in range(300):
        if is_there():
            return
        time.sleep(0.1)
    raise AssertionError("it did not start")


def responds(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def database_url() -> str:
    """The URL of the test database, for another process."""
    parameters = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{parameters['NAME']}"
    host = f"{parameters['USER']}:{parameters['PASSWORD']}@{parameters['HOST']}:{parameters['PORT']}"
    return f"postgres://{host}/{parameters['NAME']}"


@pytest.fixture
def start(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Start web processes with one Redis; return their URLs."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    port = free_port()
    redis = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    processes = [subprocess.Popen(redis, stdout=subprocess.DEVNULL)]
    (tmp_path / "quick_settings.py").write_text(QUICK_SETTINGS, encoding="utf-8")

    def run(count: int = 2, **environment: str) -> list[str]:
        ports = [free_port() for _number in range(count)]
        for web in ports:
            command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{web}"]
            variables = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "quick_settings",
                "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])),
                "DEBUG": "true",
                "DATABASE_URL": database_url(),
                "DB_POOL_SIZE": "0",
                "REDIS_URL": f"redis://127.0.0.1:{port}/0",
                **environment,
            }
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            processes.append(subprocess.Popen(command, cwd=EXAMPLE, env=variables, **quiet))
        urls = [f"http://127.0.0.1:{web}" for web in ports]
        for url in urls:
            wait_for(lambda url=url: responds(url))
        return urls

    yield run
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def log_in(url: str, email: str, **headers: str) -> requests.Response:
    body = {"email": email, "password": "wrong"}
    return requests.post(url + LOGIN, json=body, headers=headers, timeout=30)


@pytest.mark.slow
def test_two_processes_count_together(start, make_user):
    user = make_user()
    urls = start(count=2)

    one_address = [log_in(urls[number % 2], user.email).status_code for number in range(8)]

    assert one_address == [400] * 5 + [429] * 3
    with ThreadPoolExecutor(8) as pool:
        lying = {"X-Forwarded-For": "198.51.100.{}", "X-Real-IP": "198.51.100.{}", "Forwarded": "for=198.51.100.{}"}
        many = list(
            pool.map(
                lambda number: log_in(
                    urls[number % 2],
                    f"nobody{number}@example.org",
                    **{name: value.format(number) for name, value in lying.items()},
                ),
                range(40),
            )
        )
    counted = Counter(response.status_code for response in many)
    assert counted[400] <= 10  # of one host in a minute; a rival that waits too long for the count is refused
    assert counted[400] + counted[429] == 40
    assert all(int(response.headers["Retry-After"]) > 0 for response in many if response.status_code == 429)


@pytest.mark.slow
def test_behind_a_proxy_only_what_it_added_is_believed(start):
    (url,) = start(count=1, PROXY_COUNT="1")

    same = [
        log_in(url, f"a{number}@example.org", **{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.1"}).status_code
        for number in range(12)
    ]
    other = log_in(url, "b@example.org", **{"X-Forwarded-For": "203.0.113.1, 203.0.113.2"}).status_code

    assert same == [400] * 10 + [429] * 2
    assert other == 400


@pytest.mark.django_db
def test_another_port_in_the_host_header_is_no_new_count(api, user):
    body = {"email": user.email, "password": "wrong"}
    statuses = [api.post(LOGIN, body, Host=f"localhost:{number}").status_code for number in range(1, 8)]
    capitals = api.post(LOGIN, {"email": user.email.upper(), "password": "wrong"}).status_code

    assert statuses == [400] * 5 + [429] * 2
    assert capitals == 429


@pytest.mark.django_db
def test_twenty_bad_log_ins_to_the_admin_are_stopped(make_user):
    boss = make_user("boss@example.org", is_staff=True, is_superuser=True)
    browser = Client()
    asked = browser.get("/admin/login/?next=/admin/")
    assert asked["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    tried = [browser.post(asked["Location"], {"login": boss.email, "password": "wrong"}) for _time in range(20)]

    assert [response.status_code for response in tried] == [200] * 5 + [429] * 15
    assert {response["Retry-After"] for response in tried[5:]} == {"300"}
    right = browser.post(asked["Location"], {"login": boss.email, "password": PASSWORD})
    assert right.status_code == 429
    assert browser.get("/admin/").status_code == 302


@pytest.mark.django_db
def test_the_admins_own_form_logs_nobody_in(make_user):
    boss = make_user("boss@example.org", is_staff=True, is_superuser=True)
    browser = Client()

    for _time in range(20):
        response = browser.post("/admin/login/?next=/admin/", {"username": boss.email, "password": PASSWORD})
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")

    assert browser.get("/admin/")["Location"].startswith("/admin/login/")


@pytest.mark.django_db
def test_the_page_after_too_many_attempts_is_the_shops(client):
    tried = [
        client.post("/accounts/login/", {"login": f"x{number}@example.org", "password": "x"}) for number in range(31)
    ]

    last = tried[-1]
    assert last.status_code == 429
    assert last["Retry-After"] in {"60", "300"}
    assert "Too many" in last.content.decode()
    assert "Acacia" in last.content.decode()
