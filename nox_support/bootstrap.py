"""Run nox on a machine that has only Python and git.

At the first call, nox is installed into a private virtual environment, and it always runs from there. If uv can be
installed and reaches a package index, it creates the environments of the sessions; otherwise pip does. This module
imports only the standard library.
"""

import contextlib
import importlib.util
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRIVATE = ROOT / ".venv-nox"
NOX = "nox>=2025.5.1"
# Use the interpreters and the trusted certificates of the machine.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
os.environ.setdefault("UV_SYSTEM_CERTS", "true")


def run_nox(arguments: Sequence[str]) -> int:
    """Run nox from the private virtual environment, which the first call creates, and return its exit code."""
    python = PRIVATE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    nox = [str(python), "-m", "nox", "-f", str(ROOT / "noxfile.py")]
    try:
        with _one_at_a_time():
            if not _has_nox(python):
                _make_environment(python)
            if "demo" in arguments and not (ROOT / ".nox/demo/installed.stamp").exists():
                subprocess.run([*nox, "-s", "demo", "--install-only"], check=False)
        return subprocess.run([*nox, *arguments], check=False).returncode
    except KeyboardInterrupt:
        return 130


def has_uv() -> bool:
    """Whether uv was installed beside nox."""
    return importlib.util.find_spec("uv") is not None


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Make simultaneous calls install one after the other. SQLite's lock works on every system."""
    folder = ROOT / ".nox"
    folder.mkdir(exist_ok=True)
    with contextlib.closing(
        sqlite3.connect(str(folder / "bootstrap.lock"), timeout=900, isolation_level=None)
    ) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


def _make_environment(python: Path) -> None:
    print(f"Creating a private environment for nox in {PRIVATE.name} (once) ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(PRIVATE)], check=False)
    if made.returncode:
        sys.exit(
            "Python's venv module is missing or incomplete: install it "
            "(on Debian and Ubuntu: apt install python3-venv) and start this command again."
        )
    installed = subprocess.run([str(python), "-m", "pip", "install", "--quiet", NOX], check=False)
    if installed.returncode:
        sys.exit("nox could not be installed into the private environment; pip's message above says why.")
    _try_uv(python)


def _try_uv(python: Path) -> None:
    """Install uv, which is much faster than pip, and remove it if it cannot reach a package index.

    pip may still reach one, because uv does not read pip's settings.
    """
    pip = [str(python), "-m", "pip"]
    probe = ["pip", "install", "--quiet", "--dry-run", "--no-cache", "--python", str(python), "six"]
    for command in ([*pip, "install", "--quiet", "uv"], [str(python), "-m", "uv", *probe]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print("uv cannot reach a package index, so pip creates the environments, which takes longer.", flush=True)
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "uv"], capture_output=True, check=False)
            return


def _has_nox(python: Path) -> bool:
    if not python.exists():
        return False
    return not subprocess.run([str(python), "-c", "import nox"], stderr=subprocess.DEVNULL, check=False).returncode
