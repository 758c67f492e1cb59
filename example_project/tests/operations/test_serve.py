"""The web server of the image, with real processes: a worker that dies twice at once does not end the others."""

import contextlib
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings
from tests.operations.test_caches import free_port

ROOT = Path(settings.BASE_DIR).parent
IMAGE = (ROOT / "deploy/Dockerfile").read_text("utf-8")
COMMAND = re.search(r'^CMD \["(.*)"\]$', IMAGE, re.MULTILINE)[1].split('", "')
OPTIONS = dict(re.findall(r"(GRANIAN_\w+)=(\S+)", IMAGE))


def children(process):
    """The process ids of the workers."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(process)], capture_output=True, text=True, check=False
    )
    return [
        int(line.split()[0]) for line in listed.stdout.splitlines() if "tracker" not in line and "ps -o" not in line
    ]


def status(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def wait_for(condition):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.05)
    raise TimeoutError


def test_granian_is_the_version_for_which_the_override_was_written():
    """Its private methods may change in any version. Before you change this one, read the new ``_respawn_workers`` and
    its callers, and run the test below."""
    written_for = "2.8.7"
    server = pytest.importorskip("granian.server.common")
    from granian import __version__

    assert __version__ == written_for
    for pins in ("deploy/requirements.txt", "tests/constraints.txt"):
        assert re.findall(r"^granian==(\S+)", (ROOT / pins).read_text("utf-8"), re.MULTILINE) == [written_for]
    method = server.AbstractServer._respawn_workers
    assert [*inspect.signature(method).parameters] == ["self", "workers", "spawn_target", "target_loader", "delay"]


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("SHOP_TEST_FULL"), reason="takes a minute: `nox -s refusals` runs it")
def test_two_workers_survive_one_that_dies_twice_within_five_seconds(tmp_path):
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}},
        **OPTIONS,
        "GRANIAN_HOST": "127.0.0.1",
        "GRANIAN_PORT": str(port),
        "DATA_DIR": str(tmp_path),
        "DEBUG": "true",
    }
    assert OPTIONS["GRANIAN_WORKERS"] == "2"
    command = [sys.executable, "-m", COMMAND[0]] if COMMAND[0] == "granian" else [sys.executable]
    server = subprocess.Popen([*command, *COMMAND[1:]], cwd=ROOT / "example_project", env=environment)
    try:
        wait_for(lambda: status(port) == 200)
        first = wait_for(lambda: len(found := children(server.pid)) == 2 and found)
        responses, over = [], threading.Event()

        def visit():
            while not over.wait(0.05):
                try:
                    responses.append(status(port))
                except OSError:
                    responses.append("reset")

        visitor = threading.Thread(target=visit)
        visitor.start()
        started = time.monotonic()
        os.kill(first[0], signal.SIGKILL)
        second = wait_for(lambda: len(found := children(server.pid)) == 2 and set(found) != set(first) and found)
        os.kill(next(iter({*second} - {*first})), signal.SIGKILL)
        assert time.monotonic() - started < 5
        third = wait_for(lambda: len(found := children(server.pid)) == 2 and set(found) != set(second) and found)
        assert first[1] in third, "the healthy worker goes on"
        before = len(responses)
        wait_for(lambda: len(responses) > before + 20)
        over.set()
        visitor.join()
    finally:
        server.terminate()
        server.wait(30)
    assert server.returncode in {0, -signal.SIGTERM}
    assert {*responses[before:]} == {200}
    assert responses.count("reset") <= 2, "only requests that the killed worker had accepted"
