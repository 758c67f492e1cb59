"""Lighthouse over a shop that is started for it, with the static files of production: ``python run.py``.

Needs node, Chromium (``CHROMIUM`` names another path) and ``npm ci`` in this folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1]
PORT = int(os.environ.get("PORT", "8151"))
TIMEOUT_SECONDS = 120


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as folder:
        environment = surroundings(Path(folder))
        for command in (["migrate", "--verbosity=0"], ["collectstatic", "--noinput", "--verbosity=0"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=EXAMPLE, env=environment, check=True)
        sample = [sys.executable, "manage.py", "load_sample_data", "--without-orders"]
        subprocess.run(sample, cwd=EXAMPLE, env=environment, check=True)
        command = [sys.executable, "-m", "granian", "--interface=wsgi", "--no-ws", f"--port={PORT}", "--workers=1"]
        server = subprocess.Popen(
            [*command, "--blocking-threads=2", "config.wsgi:application"], cwd=EXAMPLE, env=environment
        )
        try:
            wait(server)
            audit = ["node", "audit.mjs", f"http://127.0.0.1:{PORT}"]
            return subprocess.run(audit, cwd=HERE, check=False).returncode
        finally:
            server.terminate()
            server.wait(timeout=30)


def surroundings(folder: Path) -> dict[str, str]:
    """Production's settings, but for a database in a file and no TLS."""
    foreign = dict.fromkeys(
        ("DATABASE_URL", "DB_HOST", "DB_NAME", "REDIS_URL", "DEMO", "EMAIL_HOST", "OIDC_PROVIDER"), ""
    )
    return {
        **os.environ,
        **foreign,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "false",
        "SECRET_KEY": "a-key-that-is-thrown-away-with-the-folder-after-the-run-of-lighthouse",
        "SITE_URL": f"http://127.0.0.1:{PORT}",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATA_DIR": str(folder),
        "STATIC_ROOT": str(folder / "static"),
        "MEDIA_ROOT": str(folder / "media"),
        "SERVE_MEDIA": "true",
        "LOG_LEVEL": "ERROR",
    }


def wait(server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit("The shop did not start; its messages are above.")


if __name__ == "__main__":
    sys.exit(main())
