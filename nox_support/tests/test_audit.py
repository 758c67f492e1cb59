"""The audit of the locked libraries is green only if the service was asked about every one of them."""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VULNERABLE = {
    "vulns": [
        {
            "id": "GHSA-0000-0000-0000",
            "aliases": ["CVE-2026-0001"],
            "summary": "A fault",
            "affected": [
                {
                    "package": {"name": "hatchling", "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
                }
            ],
        }
    ]
}


class Service(ThreadingHTTPServer):
    """A stand-in for OSV. ``responses`` has a body or a status for a library, else nothing is known against it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.responses = {"django": VULNERABLE}
        self.everything = None
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        self.server.asked.append(f"{name}=={asked['version']}")
        found = self.server.everything or self.server.responses.get(name, {})
        if found == "silence":
            self.rfile.read(1)
        body = (
            found.encode() if isinstance(found, str) else b"" if isinstance(found, int) else json.dumps(found).encode()
        )
        self.send_response(found if isinstance(found, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def service():
    server = Service()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# a comment\nhatchling==1.2.3 \\\n    --hash=sha256:0\nwcwidth==0.1 ; sys_platform == 'nothing' \\\n"
        "    --hash=sha256:0\nPackaging==24.0 ; python_version > '3' \\\n    --hash=sha256:0\n"
    )
    return path


def audit(url, *arguments):
    command = [sys.executable, str(ROOT / "nox_support/audit.py"), "--url", url, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def of(service):
    return f"http://127.0.0.1:{service.server_port}/v1/query"


def test_every_locked_library_is_asked_about_and_none_is_affected(service, lock):
    done = audit(of(service), lock)
    assert (done.returncode, done.stdout) == (0, "0 of 2 libraries have known vulnerabilities.\n"), done.stderr
    assert sorted(service.asked) == ["django==3.2.0", "hatchling==1.2.3", "packaging==24.0"]


def test_a_vulnerability_is_named_with_the_version_that_repairs_it(service, lock):
    service.responses["hatchling"] = VULNERABLE
    done = audit(of(service), lock)
    assert done.returncode == 1
    assert "hatchling==1.2.3: CVE-2026-0001 GHSA-0000-0000-0000; repaired in 99.1\n" in done.stdout


@pytest.mark.parametrize("response", [500, "<html>Log in to this network</html>", {}])
def test_a_service_that_does_not_answer_the_question_is_an_error_of_its_own(service, lock, response):
    """Without the check of an affected version, a proxy that responds to everything with {} would be green."""
    service.everything = response if response != {} else {"vulns": []}
    done = audit(of(service), lock)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("NOT AUDITED: the service for known vulnerabilities could not be asked: ")
    assert "libraries have known" not in done.stdout


def test_one_library_without_a_response_is_not_passed_over(service, lock):
    service.responses["hatchling"] = 404
    assert audit(of(service), lock).returncode == 2


def test_a_network_that_is_down_is_an_error_of_its_own(lock):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = audit(f"http://127.0.0.1:{closed.getsockname()[1]}/v1/query", lock)
    assert done.returncode == 2
    assert "could not be asked" in done.stderr


def test_a_service_that_is_silent_ends_at_the_time_out(service, lock):
    service.everything = "silence"
    done = audit(of(service), "--timeout", "3", lock)
    assert done.returncode == 2
    assert "longer than 3 seconds" in done.stderr


def test_the_lists_of_production_are_read():
    from nox_support.audit import LOCKS, locked

    found = locked(LOCKS)
    assert {name.partition("==")[0] for name in found} >= {"django", "granian", "psycopg", "hatchling"}
    assert not [name for name in found if "==" not in name]
