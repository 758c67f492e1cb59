"""The demo: its ports and its folder, and one complete order through all of its processes."""

import argparse
import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import django
import pytest

ROOT = Path(__file__).resolve().parents[1]
NEWEST = sys.version_info >= (3, 13) and django.VERSION >= (6, 1)


@pytest.fixture(scope="module")
def run_demo():
    spec = importlib.util.spec_from_file_location("run_demo", ROOT / "example_project/run_demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reservations():
    with contextlib.ExitStack() as stack:
        yield stack


def options(folder, port=0):
    return argparse.Namespace(port=port, host="127.0.0.1", till=False, data_dir=folder, fresh=False, check=False)


def test_demos_starting_at_the_same_time_choose_different_ports(run_demo, tmp_path, reservations):
    """The first demo has reserved its ports but does not listen on them yet."""
    port = run_demo.free_port("127.0.0.1")
    first = run_demo.choose_ports(options(tmp_path, port), reservations)
    second = run_demo.choose_ports(options(tmp_path, port), reservations)
    assert first["web"] == port
    assert len({*first.values(), *second.values()}) == 8


def test_port_taken_during_preparation_is_replaced(run_demo, tmp_path, reservations, monkeypatch):
    other = socket.socket()
    ports_tried = []

    def prepare(command, *, env, **_options):
        port = int(env["SITE_URL"].rpartition(":")[2])
        if not ports_tried:
            other.bind(("127.0.0.1", port))
            other.listen()
        ports_tried.append(port)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(run_demo.subprocess, "run", prepare)
    with other:
        ports, environment = run_demo.prepare(options(tmp_path, run_demo.free_port("127.0.0.1")), reservations)
        assert ports_tried[0] == other.getsockname()[1] != ports_tried[1]
    assert ports_tried[1:] == [ports["web"]]
    assert environment["SITE_URL"] == f"http://127.0.0.1:{ports['web']}"


def test_only_one_demo_at_a_time_prepares_a_folder(run_demo, tmp_path):
    is_second_in = threading.Event()

    def second():
        with run_demo.alone_in(tmp_path):
            is_second_in.set()

    thread = threading.Thread(target=second)
    with run_demo.alone_in(tmp_path):
        thread.start()
        assert not is_second_in.wait(0.3)
    assert is_second_in.wait(10)
    thread.join()


def test_fresh_start_deletes_everything_except_the_lock(run_demo, tmp_path):
    (tmp_path / "media").mkdir()
    (tmp_path / "media/picture.webp").touch()
    (tmp_path / "db.sqlite3").touch()
    with run_demo.alone_in(tmp_path):
        run_demo.empty(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [run_demo.LOCK]


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("SHOP_TEST_FULL") != "1", reason="starts two whole demos: set SHOP_TEST_FULL=1")
@pytest.mark.parametrize("folders", [("one", "one"), ("one", "other")], ids=["one folder", "a folder each"])
def test_two_demos_starting_at_the_same_time_both_serve_the_shop(tmp_path, folders):
    command = [sys.executable, "-u", str(ROOT / "example_project/run_demo.py"), "--data-dir"]
    demos = [
        subprocess.Popen(
            [*command, str(tmp_path / folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for folder in folders
    ]
    try:
        for demo in demos:
            output = []
            for line in demo.stdout:
                output.append(line)
                if found := re.search(r"The shop +(\S+)/$", line):
                    with urllib.request.urlopen(f"{found[1]}/api/v1/products/products/", timeout=10) as response:
                        assert response.status == 200
                    break
            else:
                pytest.fail("".join(output))
        assert [demo.poll() for demo in demos] == [None, None]
    finally:
        for demo in demos:
            demo.terminate()
        for demo in demos:
            demo.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(NEWEST, reason="`noxfile.py -s demo -- --check` does the same with the newest Python and Django")
@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the demo always uses its own SQLite database")
def test_demo_check_completes_one_order():
    command = [sys.executable, str(ROOT / "example_project/run_demo.py"), "--check"]
    # A proxy in the environment cannot reach this machine's own addresses; it must not be used.
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert completed.returncode == 0, completed.stdout[-4000:] + completed.stderr[-4000:]
    assert "All steps succeeded." in completed.stdout
