"""The shop of a replay: its own database, a mail server, the web server and the queue's worker."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default as email_policy
from pathlib import Path
from typing import Any

import psycopg
from aiosmtpd.controller import Controller

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "tests", ROOT / "example_project"]


class MailServer:
    """An SMTP server that keeps the subject and the body of every mail, by recipient."""

    def __init__(self) -> None:
        self.mails: dict[str, list[str]] = defaultdict(list)
        self.count = 0
        self.lock = threading.Lock()
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=email_policy)
        body = mail.get_body(("plain",))
        text = f"{mail['subject']}\n{body.get_content() if body else ''}"
        with self.lock:
            self.count += 1
            for to in envelope.rcpt_tos:
                self.mails[to].append(text)
        return "250 OK"

    def names(self, number: str, recipient: str) -> bool:
        """Whether an e-mail to this address is about this order."""
        with self.lock:
            return any(number in text for text in self.mails.get(recipient, ()))


@contextlib.contextmanager
def database(server_url: str) -> Iterator[str]:
    """The URL of a fresh database on a running server."""
    name = f"replay_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield server_url.rsplit("/", 1)[0] + f"/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def environment(database_url: str, mail_port: int, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*map(str, SOURCES), os.environ.get("PYTHONPATH", "")]),
        "DJANGO_SETTINGS_MODULE": "replay.settings",
        "DATABASE_URL": database_url,
        "REDIS_URL": "",
        "DATA_DIR": str(folder),
        "MEDIA_ROOT": str(folder / "media"),
        "STATIC_ROOT": str(folder / "static"),
        "SECRET_KEY": "of a replay that nobody else can reach",
        "DEBUG": "false",
        "DEMO": "true",
        "SHOP_CURRENCY": "GBP",
        "SHOP_COUNTRY": "GB",
        "PHONE_REGIONS": "GB",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mail_port),
        "LOG_LEVEL": "WARNING",
    }


@contextlib.contextmanager
def running(settings: dict[str, str], *, workers: int = 2) -> Iterator[str]:
    """The web server and the queue's worker. The block gets the shop's URL."""
    port = free_port()
    web = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    web += ["--workers", str(workers), "--blocking-threads", "4", "--no-ws", "--log-level", "warning"]
    commands = [[*web, "config.wsgi:application"], [sys.executable, "manage.py", "qcluster"]]
    processes = [
        subprocess.Popen(command, cwd=ROOT / "example_project", env=settings, start_new_session=True)
        for command in commands
    ]
    try:
        address = f"http://127.0.0.1:{port}"
        _await(f"{address}/healthz", processes)
        yield address
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    for _attempt in range(300):
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("A process of the shop ended by itself; its messages are above.")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} does not respond.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
