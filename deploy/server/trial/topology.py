"""The production topology on one machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from trial.processes import SERVER, Unit, environment_file, replaced, unit_file
from trial.receivers import Gateway, Mailbox
from trial.tools import HOST, PATIENCE_SECONDS, Failed, accepts, expect, free_port, say, wait_for

ROOT = SERVER.parents[1]
EXAMPLE = ROOT / "example_project"
sys.path.insert(0, str(ROOT / "tests"))
import postgres  # noqa: E402

DRAIN_SECONDS = 300
"""Longer than the lease of a killed worker's message and the attempts after it."""
REDIS_AWAY_SECONDS = 4
PREPARE = """
from decimal import Decimal
from shop_catalog import inventory, products
products.create("SMOKE-1", name="Smoke test", price=Decimal("100"))
inventory.receive({"SMOKE-1": 100_000})
"""


class Topology:
    """All processes with their configuration."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.units: dict[str, Unit] = {}
        self.ports = {name: free_port() for name in ("http", "https", "8001", "8002", "redis")}
        self.mailbox, self.gateway = Mailbox(), Gateway()
        os.environ.pop("DATABASE_URL", None)
        (folder / "postgres").mkdir()
        self.postgres = postgres.Server(folder / "postgres")
        self.postgres.start()
        stack.callback(self.postgres.stop, "immediate")
        self.database = self.postgres.url
        self.environment = self._environment()
        self.tls = ssl.create_default_context()

    def _environment(self) -> dict[str, str]:
        folder, redis = self.folder, f"redis://:smoke@127.0.0.1:{self.ports['redis']}/0"
        kept = environment_file(SERVER / "shop.env.example")
        return {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            **kept,
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": self.database,
            "REDIS_URL": redis + "?" + kept["REDIS_URL"].partition("?")[2],
            "DATA_DIR": str(folder / "data"),
            "MEDIA_ROOT": str(folder / "data/media"),
            "STATIC_ROOT": str(folder / "static"),
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(self.mailbox.port),
            "EMAIL_USE_TLS": "false",
            "AFRICAS_TALKING_USERNAME": "sandbox",
            "AFRICAS_TALKING_API_KEY": "smoke",
            "AFRICAS_TALKING_URL": f"http://127.0.0.1:{self.gateway.server_address[1]}",
            "AFRICAS_TALKING_REPORT_SECRET": secrets.token_urlsafe(30),
            "SMS_PER_HOUR": "1000000",
            "THROTTLES": "false",
            "MAX_UNPAID_ORDERS": "1000000",
            "MAX_UNPAID_UNITS": "1000000",
            "METRICS_TOKEN": "smoke-token",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self) -> None:
        self.mailbox.controller.start()
        self.stack.callback(self.mailbox.controller.stop)
        threading.Thread(target=self.gateway.serve_forever, daemon=True).start()
        self.stack.callback(self.gateway.shutdown)
        self._redis()
        say("Migrations, static files, a product ...")
        for command in (["migrate", "--verbosity=0"], ["schedule_jobs"], ["collectstatic", "--no-input", "-v0"]):
            self.manage(*command)
        self.manage("shell", "-v0", "-c", PREPARE)
        for port in ("8001", "8002"):
            self._systemd("shop-web@.service", f"web@{port}", port, self.ports[port])
        for number in ("1", "2"):
            self._systemd("shop-worker@.service", f"worker@{number}", number)
        self._nginx()
        for port in ("8001", "8002"):
            wait_for(f"http://127.0.0.1:{self.ports[port]}/readyz?only=database,migrations", f"web@{port}")

    def is_whole(self) -> bool:
        """Whether every process runs and responds."""
        ports = (self.ports[name] for name in ("8001", "8002", "redis"))
        return all(accepts(port) for port in ports) and all(unit.runs_for() > 1 for unit in self.units.values())

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=EXAMPLE, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"manage.py {arguments[0]} ended with code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def _add(self, name: str, command: list[str], *, pause: float, **options: Any) -> None:
        log = self.folder / f"{name}.log"
        self.units[name] = Unit(name, command, pause=pause, log=log, **options)
        self.stack.callback(self.units[name].stop)

    def _systemd(self, file: str, name: str, instance: str, port: int | None = None) -> None:
        command, more, pause = unit_file(file, instance, self.folder)
        command = [str(port) if port and word == instance else word for word in command]
        self._add(name, command, pause=pause, cwd=EXAMPLE, env={**self.environment, **more})

    def _redis(self) -> None:
        command = ["redis-server", "--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--requirepass", "smoke"]
        command += ["--appendonly", "yes", "--dir", str(self.folder)]
        self._add("redis", command, pause=REDIS_AWAY_SECONDS)

    def _nginx(self) -> None:
        folder = self.folder / "nginx"
        folder.mkdir()
        certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
        command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        self.tls.load_verify_locations(certificate)
        site = replaced(
            (SERVER / "nginx/shop.conf").read_text(encoding="utf-8"),
            {
                "listen 80 default_server": f"listen 127.0.0.1:{self.ports['http']} default_server",
                "listen 443 ssl": f"listen 127.0.0.1:{self.ports['https']} ssl",
                "    listen [::]:80 default_server;\n": "",
                "    listen [::]:443 ssl http2;\n": "",
                "    listen [::]:443 ssl http2 default_server;\n": "",
                "127.0.0.1:8001": f"127.0.0.1:{self.ports['8001']}",
                "127.0.0.1:8002": f"127.0.0.1:{self.ports['8002']}",
                f"/etc/letsencrypt/live/{HOST}": str(folder),
                "/etc/nginx/shop-locations.conf": str(folder / "shop-locations.conf"),
            },
        )
        locations = replaced(
            (SERVER / "nginx/shop-locations.conf").read_text(encoding="utf-8"),
            {"/var/lib/shop/media/": f"{self.folder}/data/media/"},
        )
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi"))
        temporary += f" uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;"
        (folder / "shop.conf").write_text(site, encoding="utf-8")
        (folder / "shop-locations.conf").write_text(locations, encoding="utf-8")
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}"
            f" http {{ {temporary} include {folder}/shop.conf; }}\n",
            encoding="utf-8",
        )
        self._add("nginx", ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], pause=1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.request("GET", "/healthz")[0] == 200:
                    return
            time.sleep(0.1)
        raise Failed("nginx did not come up.")

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send a request over TLS through nginx."""
        plain = socket.create_connection(("127.0.0.1", self.ports["https"]), timeout=30)
        connection = http.client.HTTPConnection(HOST)
        with self.tls.wrap_socket(plain, server_hostname=HOST) as connection.sock:
            sent = {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def drain(self) -> None:
        """Wait until the workers have finished all due work."""
        started = time.monotonic()
        waiting = (
            "SELECT (SELECT count(*) FROM shop_notify_notification WHERE state IN ('queued', 'sending')),"
            " (SELECT count(*) FROM shop_orders_orderevent WHERE announced_at IS NULL AND signal <> '')"
        )
        while (left := self.rows(waiting)[0]) != (0, 0):
            if time.monotonic() - started > DRAIN_SECONDS:
                raise Failed(f"{left[0]} messages and {left[1]} events still wait after {DRAIN_SECONDS} s.")
            time.sleep(0.5)
        say(f"Every message was sent {time.monotonic() - started:.1f} s after the last order.")

    def check_edges(self) -> None:
        """Check /readyz, /metrics, the redirect to https, the logs, and which processes were started again."""
        expect(self.request("GET", "/readyz")[0], 200, "/readyz at the end")
        expect(self.request("GET", "/metrics")[0], 404, "/metrics from outside")
        bearer = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['8001']}/metrics", headers={"Authorization": "Bearer smoke-token"}
        )
        with urllib.request.urlopen(bearer, timeout=10) as response:
            if b"shop_orders_placed_total" not in response.read():
                raise Failed("/metrics of a web process has no figures about orders.")
        plain = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=10)
        plain.request("GET", "/")
        expect(plain.getresponse().getheader("Location"), f"https://{HOST}/", "redirect from http")
        leaking = [
            path.name
            for path in self.folder.glob("*.log")
            if any(canary in path.read_bytes() for canary in (b"smoke-0", b"+2547000", b"Smoke Customer"))
        ]
        expect(leaking, [], "logs with personal data")
        again = {name for name, unit in self.units.items() if unit.starts > 1}
        expect(again, {"web@8001", "worker@1", "redis"}, "processes that were started again")
        say("TLS, redirects, /readyz and /metrics are correct; no personal data in the logs.")
