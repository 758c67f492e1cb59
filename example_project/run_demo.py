"""Run the whole shop on this machine: web server, queue worker, mail server, SMS gateway and a simulated M-Pesa.

    python run_demo.py [--port 8000] [--host 127.0.0.1] [--till] [--fresh] [--data-dir var/demo] [--check]

Only the installed requirements are needed. Ctrl-C stops everything. Several demos can run side by side, in one
folder or in several; each uses its own ports.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from demo.processes import WINDOWS, Processes, say, wait_until

HERE = Path(__file__).resolve().parent
FOREIGN = [
    "DATABASE_URL",
    "DB_HOST",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "REDIS_URL",
    "PROXY_COUNT",
    "CSRF_TRUSTED_ORIGINS",
    "STATIC_ROOT",
    "EMAIL_HOST_USER",
    "EMAIL_HOST_PASSWORD",
    "EMAIL_USE_TLS",
    "EMAIL_USE_SSL",
    "EMAIL_SMTPUTF8",
    "EMAIL_VERIFICATION",
    "OIDC_PROVIDER",
    "OIDC_PROVIDER_OLD_KEY",
    "OIDC_PROVIDERS",
    "OIDC_ISSUER",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "STRIPE_URL",
    "MPESA_ENVIRONMENT",
    "MPESA_KIND",
    "MPESA_TILL_NUMBER",
]
"""Variables of a real site that the demo must ignore."""
LOCAL = {
    # All requests stay on this machine, so no proxy is used. Otherwise macOS looks up the system's proxies, which
    # crashes a forked process such as the worker.
    "NO_PROXY": "*",
    "no_proxy": "*",
    "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    # Windows uses another encoding for files and pipes.
    "PYTHONUTF8": "1",
}
PORTS = {"web": 8000, "mail": 8025, "sms": 8026, "mpesa": 8027}
LOCK = "preparation.lock"


def main() -> int:
    options = read_options()
    os.environ |= LOCAL
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console may not support a character of a message
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    try:
        with contextlib.ExitStack() as stack:
            if options.check:
                # On Windows an open file cannot be deleted, and an ended process needs a moment to close its files.
                folder = tempfile.TemporaryDirectory(prefix="shop-demo-", ignore_cleanup_errors=WINDOWS)
                options.data_dir = Path(stack.enter_context(folder))
                options.port = 0
            return run(options)
    except KeyboardInterrupt:
        say("Stopped.")
        return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the example shop on this machine.")
    parser.add_argument("--port", type=int, default=PORTS["web"], help="port of the shop; 0 picks a free one")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 allows access from other machines"
    )
    parser.add_argument("--till", action="store_true", help="take M-Pesa with a till, not with a paybill")
    parser.add_argument("--fresh", action="store_true", help="delete the demo's data and start again")
    parser.add_argument("--data-dir", type=Path, default=HERE / "var" / "demo", help="where the demo keeps its data")
    parser.add_argument("--check", action="store_true", help="place two orders with a temporary folder, then stop")
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    options.data_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as reservations:
        with step("Database and sample data"):
            ports, environment = prepare(options, reservations)
        with Processes(environment) as processes:
            with step("Web server, worker, mail server, SMS gateway and M-Pesa"):
                start_all(processes, options.host, ports)
                for name in ("mail", "sms", "mpesa"):
                    wait_until(partial(connect, ports[name]), f"Port {ports[name]}", processes)
                healthz = f"http://127.0.0.1:{ports['web']}/healthz"
                wait_until(partial(read, healthz), healthz, processes)
            if options.check:
                return check(ports["web"])
            welcome(options, ports)
            return processes.wait()


def prepare(options: argparse.Namespace, reservations: contextlib.ExitStack) -> tuple[dict[str, int], dict[str, str]]:
    """Choose ports, create and fill the database, and return the ports and the processes' environment.

    Links in the sample data contain the port, so it is chosen first. If another program takes it during the
    preparation, the preparation is repeated with another port, which is quick once the data is there.
    """
    with alone_in(options.data_dir):
        if options.fresh:
            empty(options.data_dir)
        while True:
            ports = choose_ports(options, reservations)
            environment = demo_environment(options.data_dir, ports, is_till=options.till)
            done = subprocess.run(
                [sys.executable, "manage.py", "prepare_demo"], cwd=HERE, env=environment, check=False
            )
            if done.returncode:
                raise SystemExit(
                    "FAILED: the database could not be prepared; see the messages above. "
                    "--fresh starts with an empty one."
                )
            if all(is_free(address(options, name), port) for name, port in ports.items()):
                return ports, environment
            reservations.close()


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Allow one start at a time to prepare a folder. SQLite's lock works on every system and ends with its process."""
    with contextlib.closing(sqlite3.connect(folder / LOCK, timeout=600, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith(LOCK):
            with contextlib.suppress(OSError):
                path.unlink()


def start_all(processes: Processes, host: str, ports: dict[str, int]) -> None:
    manage = [sys.executable, "manage.py"]
    callback = (
        f"http://127.0.0.1:{ports['web']}/notify/reports/sms/{processes.environment['AFRICAS_TALKING_REPORT_SECRET']}/"
    )
    services = [f"--smtp-port={ports['mail']}", f"--gateway-port={ports['sms']}", f"--mpesa-port={ports['mpesa']}"]
    processes.start("mail server and gateways", [*manage, "demo_services", *services, f"--callback-url={callback}"])
    processes.start("worker", [*manage, "qcluster"], stdout=subprocess.DEVNULL)  # the output of periodic commands
    server = f"--host={host}", f"--port={ports['web']}", "--workers=1", "--blocking-threads=4", "--log-level=warning"
    granian = [sys.executable, "-m", "granian", "--interface=wsgi", "--no-ws"]
    processes.start("web server", [*granian, *server, "config.wsgi:application"])


def demo_environment(data_dir: Path, ports: dict[str, int], *, is_till: bool) -> dict[str, str]:
    """The environment of the processes. Databases and servers of the machine are not used."""
    return {
        **os.environ,
        **dict.fromkeys(FOREIGN, ""),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "DEMO": "true",
        "DEBUG": "false",
        "DATA_DIR": str(data_dir.resolve()),
        "MEDIA_ROOT": str(data_dir.resolve() / "media"),
        "SECRET_KEY": kept_secret(data_dir / "secret_key"),
        "SITE_URL": f"http://127.0.0.1:{ports['web']}",
        "ALLOWED_HOSTS": "*",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(ports["mail"]),
        "OIDC_PROVIDER_KEY": str(kept_key(data_dir.resolve() / "oidc.pem")),
        "AFRICAS_TALKING_USERNAME": "sandbox",
        "AFRICAS_TALKING_API_KEY": "demo",
        "AFRICAS_TALKING_FROM": "ACACIA",
        "AFRICAS_TALKING_URL": f"http://127.0.0.1:{ports['sms']}",
        "AFRICAS_TALKING_REPORT_SECRET": kept_secret(data_dir / "report_secret"),
        "MPESA_CONSUMER_KEY": "demo",
        "MPESA_CONSUMER_SECRET": kept_secret(data_dir / "consumer_secret"),
        "MPESA_SHORT_CODE": "174379",
        "MPESA_KIND": "till" if is_till else "paybill",
        "MPESA_TILL_NUMBER": "5084320" if is_till else "",
        "MPESA_PASSKEY": "demo",
        "MPESA_WEBHOOK_SECRET": kept_secret(data_dir / "mpesa_secret"),
        "MPESA_INITIATOR": "demo",
        "MPESA_INITIATOR_SECRET": "demo",
        "MPESA_URL": f"http://127.0.0.1:{ports['mpesa']}",
    }


def kept_secret(path: Path) -> str:
    """A random text that is kept between starts."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(40))  # without the words that Safaricom refuses in a URL
    return path.read_text()


def kept_key(path: Path) -> Path:
    """The RSA key of the OpenID Provider, which is kept between starts."""
    if not path.exists():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return path


def choose_ports(options: argparse.Namespace, reservations: contextlib.ExitStack) -> dict[str, int]:
    """The usual ports, or free ones if these are taken. Other demos do not use them until the stack is closed."""
    wanted = {**PORTS, "web": options.port} if not options.check else dict.fromkeys(PORTS, 0)
    ports: dict[str, int] = {}
    for name, port in wanted.items():
        host = address(options, name)
        ports[name] = port
        while not (ports[name] and is_free(host, ports[name]) and reserve(ports[name], reservations)):
            ports[name] = free_port(host)
        if port and ports[name] != port:
            say(f"Port {port} is taken; using {ports[name]} instead.")
    return ports


def address(options: argparse.Namespace, name: str) -> str:
    return str(options.host) if name == "web" else "127.0.0.1"


def reserve(port: int, reservations: contextlib.ExitStack) -> bool:
    """Bind the UDP port of the same number, so that another demo that starts now chooses a different one.

    The TCP port itself cannot be held, because the web server must open it. The web server would not find out that the
    port is taken either: with SO_REUSEPORT two of them share one.
    """
    sign = socket.socket(type=socket.SOCK_DGRAM)
    try:
        sign.bind(("127.0.0.1", port))
    except OSError:
        sign.close()
        return False
    reservations.enter_context(sign)
    return True


def is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        if not WINDOWS:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def read(url: str) -> None:
    urllib.request.urlopen(url, timeout=5).close()  # noqa: S310


def check(port: int) -> int:
    """Place two orders over HTTP and report the result."""
    sys.path.insert(0, str(HERE))
    from demo.journey import Failed, Journey

    say("Placing two orders:")
    try:
        Journey(f"http://127.0.0.1:{port}", say=lambda text: say(f"  {text}")).run()
    except Failed as error:
        say(f"FAILED: {error}")
        return 1
    say("All steps succeeded.")
    return 0


def welcome(options: argparse.Namespace, ports: dict[str, int]) -> None:
    site = f"http://{'127.0.0.1' if options.host == '0.0.0.0' else options.host}:{ports['web']}"  # noqa: S104
    say(
        f"""
  The shop        {site}/
  Mails, SMS and the phone with M-Pesa
                  {site}/demo/inbox/
  Admin           {site}/admin/
  API             {site}/swagger/  {site}/redoc/  {site}/swagger.json

  Log in as       admin@example.org      the whole admin
                  staff@example.org      a shopkeeper: orders, products, messages
                  customer@example.org   a customer with orders
  Password        acacia-demo  (for all three)

  Ctrl-C stops everything. Data stays in {options.data_dir}; --fresh starts again.
"""
    )


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    say(f"{name} ...")
    started = time.monotonic()
    yield
    say(f"{name}: done in {time.monotonic() - started:.1f} s")


def _interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
