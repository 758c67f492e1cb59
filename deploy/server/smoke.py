"""Run the shop as in production and break it while it sells: ``python deploy/server/smoke.py [--orders 200]``.

PostgreSQL, Redis, nginx with TLS, two web processes and two workers run on this machine, on ports of their own, by the
very files of this folder; only ports and folders are replaced in them. While customers order, a web process, a worker
and Redis are killed as by ``kill -9`` and started again as systemd would: one at a time, the next when what was killed
is up again. It passes if every order that was answered is there once, every message arrived, and no answer was an
error but 503.

Needs an environment with deploy/requirements.txt and the three packages, and postgresql, redis-server, nginx and
openssl of the distribution. A killed worker's messages wait for their lease to run out, so it takes four minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psycopg
from aiosmtpd.controller import Controller

SERVER = Path(__file__).resolve().parent
ROOT = SERVER.parents[1]
EXAMPLE = ROOT / "example_project"
sys.path.insert(0, str(ROOT / "tests"))
import postgres  # noqa: E402

HOST = "shop.example.org"
CLIENTS = 4
PATIENCE_SECONDS = 60
"""How long one customer tries again, and how long a process may take to start."""
DRAIN_SECONDS = 300
"""Longer than the lease of a message whose worker was killed, and the attempts after it."""
REDIS_AWAY_SECONDS = 4
PREPARE = """
from decimal import Decimal
from shop_catalog import inventory, products
products.create("SMOKE-1", name="Smoke test", price=Decimal("100"))
inventory.receive({"SMOKE-1": 100_000})
"""


class Failed(Exception):
    """What should hold does not; the message says what."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    if missing := [name for name in ("redis-server", "nginx", "openssl") if not shutil.which(name)]:
        sys.exit(f"Not installed: {', '.join(missing)}. On Debian: apt install postgresql redis-server nginx openssl")
    folder = Path(tempfile.mkdtemp(prefix="shop-smoke-"))
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as stack:
            run(Topology(folder, stack), options.orders)
    except (Failed, postgres.Unavailable) as error:
        say(f"FAILED: {error}\nThe logs are in {folder}.")
        return 1
    if not options.keep:
        shutil.rmtree(folder)
    say("Passed.")
    return 0


def run(topology: Topology, number: int) -> None:
    topology.start()
    customers = Customers(topology, number)
    say(f"{number} orders by {CLIENTS} customers at a time, over TLS:")
    customers.order(
        {
            "web@8001": "a web process is killed",
            "worker@1": "a worker is killed",
            "redis": f"Redis is killed and stays away for {REDIS_AWAY_SECONDS} s",
        }
    )
    customers.report()
    topology.drain()
    Books(topology, customers).check()
    topology.check_edges()


# The files of this folder, and what is replaced in them because this machine is no server of its own


def replaced(text: str, replacements: Mapping[str, str]) -> str:
    """The text with every replacement made.

    Raises:
        Failed: something to replace is not there, so the file is not the one this script was written for.
    """
    for old, new in replacements.items():
        if old not in text:
            raise Failed(f"{old!r} is not in the file any more.")
        text = text.replace(old, new)
    return text


def unit_file(name: str, instance: str, folder: Path) -> tuple[list[str], dict[str, str], float]:
    """Command, environment and pause before a restart of a systemd unit."""
    text = (SERVER / "systemd" / name).read_text(encoding="utf-8")
    paths = {"/srv/shop/current/venv/bin": str(Path(sys.executable).parent)}
    text = replaced(text, paths).replace("%i", instance).replace("/run/", f"{folder}/run/")
    lines = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
    values = {key: value for key, _equals, value in lines}
    if "RuntimeDirectory" in values:
        (folder / "run" / values["RuntimeDirectory"]).mkdir(parents=True)
    environment = dict(part.split("=", 1) for part in values["Environment"].split())
    return values["ExecStart"].split(), environment, float(values["RestartSec"])


def environment_file(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, _equals, value in (line.partition("=") for line in lines)}


class Unit:
    """A process that is started again when it ends, as systemd does with Restart=always."""

    def __init__(self, name: str, command: list[str], *, pause: float, log: Path, **options: Any) -> None:
        self.name, self.command, self.pause, self.options = name, command, pause, options
        self.log = log.open("ab")
        self.is_wanted = True
        self.starts = 0
        self._start()
        self.guard = threading.Thread(target=self._guard, daemon=True)
        self.guard.start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True, **self.options
        )
        self.starts += 1
        self.started = time.monotonic()

    def runs_for(self) -> float:
        """Seconds since the last start, 0 while it is down."""
        return time.monotonic() - self.started if self.process.poll() is None else 0

    def _guard(self) -> None:
        while True:
            self.process.wait()
            self._end_group()
            if not self.is_wanted:
                return
            time.sleep(self.pause)
            if self.is_wanted:
                self._start()

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """The main process dies at once; what it leaves is ended, as systemd does with what is left of a unit."""
        self.process.kill()

    def stop(self) -> None:
        self.is_wanted = False
        self.process.terminate()
        self.guard.join(60)
        if self.guard.is_alive():
            self._end_group()
            self.guard.join()
        self.log.close()


class Mailbox:
    """A mail server that keeps the addressees and subject of each message."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str]] = []
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        text = message.get_body(("plain",))
        words = f"{message['subject']} {text.get_content() if text else ''}"
        self.received += [(address, words) for address in envelope.rcpt_tos]
        return "250 OK"


class Gateway(ThreadingHTTPServer):
    """An SMS gateway that answers as Africa's Talking documents and keeps each phone and text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GatewayHandler)
        self.received: list[tuple[str, str]] = []


class GatewayHandler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        phone = fields["to"][0]
        self.server.received.append((phone, fields["message"][0]))
        recipient = {"statusCode": 101, "number": phone, "status": "Success", "cost": "KES 0.8000", "messageParts": 1}
        recipient["messageId"] = f"ATXid_{secrets.token_hex(8)}"
        body = json.dumps({"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [recipient]}}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on the terminal."""


class Topology:
    """Everything that runs, and what it is told."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.units: dict[str, Unit] = {}
        self.ports = {name: free_port() for name in ("http", "https", "8001", "8002", "redis")}
        self.mailbox, self.gateway = Mailbox(), Gateway()
        os.environ.pop("DATABASE_URL", None)
        self.database = stack.enter_context(postgres.server())
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
        """Whether every process runs and answers."""
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
        """One request by TLS through nginx."""
        plain = socket.create_connection(("127.0.0.1", self.ports["https"]), timeout=30)
        connection = http.client.HTTPConnection(HOST)
        with self.tls.wrap_socket(plain, server_hostname=HOST) as connection.sock:
            told = {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
            connection.request(method, path, json.dumps(body) if body is not None else None, told)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def drain(self) -> None:
        """Wait until the workers have done what is to be done."""
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
        """What nginx and the web processes answer to machines."""
        expect(self.request("GET", "/readyz")[0], 200, "/readyz at the end")
        expect(self.request("GET", "/metrics")[0], 404, "/metrics from outside")
        bearer = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['8001']}/metrics", headers={"Authorization": "Bearer smoke-token"}
        )
        with urllib.request.urlopen(bearer, timeout=10) as answer:
            if b"shop_orders_placed_total" not in answer.read():
                raise Failed("/metrics of a web process does not tell of orders.")
        plain = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=10)
        plain.request("GET", "/")
        expect(plain.getresponse().getheader("Location"), f"https://{HOST}/", "redirect from http")
        told = [
            path.name
            for path in self.folder.glob("*.log")
            if any(canary in path.read_bytes() for canary in (b"smoke-0", b"+2547000", b"Smoke Customer"))
        ]
        expect(told, [], "logs with personal data")
        again = {name for name, unit in self.units.items() if unit.starts > 1}
        expect(again, {"web@8001", "worker@1", "redis"}, "processes that were started again")
        say("TLS, redirects, /readyz, /metrics are as they should be; no personal data in the logs.")


class Customers:
    """Guests who each order one piece, and try again with the same key while the shop says 503."""

    def __init__(self, topology: Topology, number: int) -> None:
        self.topology, self.number = topology, number
        self.waiting: queue.Queue[int] = queue.Queue()
        self.placed: dict[int, str] = {}
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.errors: list[str] = []
        for index in range(number):
            self.waiting.put(index)

    @staticmethod
    def email(index: int) -> str:
        return f"smoke-{index:04d}@example.org"

    @staticmethod
    def phone(index: int) -> str:
        return f"+2547000{index:05d}"

    def order(self, faults: Mapping[str, str]) -> None:
        """Place all orders, with a fault after each equal part of them."""
        threads = [threading.Thread(target=self._client) for _client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for count, (name, what) in enumerate(faults.items(), start=1):
            unit = self.topology.units[name]
            while len(self.placed) < count * self.number / (len(faults) + 1) and not self.errors:
                time.sleep(0.01)
            say(f"  after {len(self.placed)} orders {what}")
            unit.kill()
            while not self.errors and not (unit.starts > 1 and self.topology.is_whole()):
                time.sleep(0.1)
        for thread in threads:
            thread.join()

    def _client(self) -> None:
        with contextlib.suppress(queue.Empty):
            while not self.errors:
                index = self.waiting.get_nowait()
                started = time.monotonic()
                try:
                    self._one(index)
                except Failed as error:
                    self.errors.append(str(error))
                self.slowest = max(self.slowest, time.monotonic() - started)

    def _one(self, index: int) -> None:
        item = {"product": "SMOKE-1", "quantity": 1}
        headers, _body = self._until(200, "/api/v1/orders/cart/add_item/", item, {})
        order = {
            "contact": {"name": "Smoke Customer", "email": self.email(index), "phone": self.phone(index)},
            "shipping_address": {
                "name": "Smoke Customer",
                "line1": "Moi Avenue 1",
                "city": "Nairobi",
                "country": "KE",
            },
        }
        keys = {"X-Cart-Token": str(headers["X-Cart-Token"]), "Idempotency-Key": secrets.token_hex(16)}
        _headers, body = self._until(201, "/api/v1/orders/orders/", order, keys)
        self.placed[index] = str(json.loads(body)["number"])

    def _until(
        self, wanted: int, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPMessage, bytes]:
        """The answer with the wanted status; 503 and 409 with Retry-After are tried again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status, told, answer = self.topology.request("POST", path, body, headers)
            self.statuses[status] += 1
            if status == wanted:
                return told, answer
            if status != 503 and not (status == 409 and told["Retry-After"]):
                raise Failed(f"{path} answered {status}: {answer[:500]!r}")
            time.sleep(0.5)
        raise Failed(f"{path} did not answer {wanted} within {PATIENCE_SECONDS} s.")

    def report(self) -> None:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        say(f"  {len(self.placed)} orders; answers: {statuses}; the slowest order took {self.slowest:.1f} s")
        if self.errors:
            raise Failed(self.errors[0])


class Books:
    """What customers were told against what is in the database, in the mailbox and at the gateway."""

    def __init__(self, topology: Topology, customers: Customers) -> None:
        self.topology, self.customers = topology, customers

    def check(self) -> None:
        rows = dict(self.topology.rows("SELECT email, number FROM shop_orders_order"))
        answered = {self.customers.email(index): number for index, number in self.customers.placed.items()}
        expect(rows, answered, "orders in the database and orders that were answered")
        expect(self.topology.rows("SELECT count(*) FROM shop_orders_order"), [(len(answered),)], "number of orders")
        reserved = "SELECT reserved_quantity FROM shop_catalog_product WHERE sku = 'SMOKE-1'"
        expect(self.topology.rows(reserved), [(len(answered),)], "reserved stock")
        self.topology.manage("check_stock")
        say(f"Every order is there once ({len(answered)}), and the stock agrees.")
        mails, texts = self.topology.mailbox.received, self.topology.gateway.received
        self._each_arrived("e-mails to customers", mails, self.customers.email)
        self._each_arrived("e-mails to the shop", mails, lambda _index: "admin@example.org")
        self._each_arrived("SMS", texts, self.customers.phone, unknown=self._unknown())

    def _unknown(self) -> set[str]:
        """Phones of SMS whose worker died between sending and noting it: not repeated, unless told to."""
        return {
            str(row[0])
            for row in self.topology.rows("SELECT address FROM shop_notify_notification WHERE state = 'unknown'")
        }

    def _each_arrived(
        self,
        what: str,
        received: list[tuple[str, str]],
        address: Callable[[int], str],
        unknown: set[str] | frozenset[str] = frozenset(),
    ) -> None:
        arrived = Counter(
            index
            for index, number in self.customers.placed.items()
            for to, text in received
            if to == address(index) and number in text
        )
        lost = [index for index in self.customers.placed if not arrived[index] and address(index) not in unknown]
        twice = sum(count - 1 for count in arrived.values())
        say(f"{what}: {len(arrived)} of {len(self.customers.placed)}, {len(unknown)} unknown, {twice} sent again.")
        expect(lost, [], f"lost {what}")
        if twice > CLIENTS:
            raise Failed(f"{what}: {twice} were sent again, more than the killed worker had in hand.")


def expect(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise Failed(f"{what}: {found!r} instead of {wanted!r}")


def wait_for(url: str, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    request = urllib.request.Request(url, headers={"Host": HOST})
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5):
            return
        time.sleep(0.2)
    raise Failed(f"{what} did not come up.")


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
