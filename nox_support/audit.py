"""Ask OSV for known vulnerabilities of the libraries that production installs: ``python nox_support/audit.py``.

Exit code 0: every library was looked up and none is affected; 1: some are, with the versions that repair them; 2: the
service could not be asked about all of them, which says nothing about their safety. pip-audit itself exits with 0
after it has skipped a library, and with 1 for both other cases, so its report is read instead. An old Django with
known vulnerabilities is looked up as well: if the service reports none for it, the service does not work.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
LOCKS = (DEPLOY / "requirements.txt", DEPLOY / "requirements-build.txt")
AFFECTED = "django==3.2.0"
"""Has known vulnerabilities (CVE-2021-31542 and others)."""
TIMEOUT_SECONDS = 300

Report = dict[str, dict[str, Any]]


class AuditIncomplete(Exception):
    """The service, or pip-audit, did not respond for every library; the message says how far it got."""


def locked(files: Iterable[Path]) -> set[str]:
    """The libraries of requirements files that this platform installs, as ``name==version``."""
    found = set()
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith((" ", "#")):
                requirement = Requirement(line.rstrip("\\ "))
                if requirement.marker is None or requirement.marker.evaluate():
                    found.add(f"{requirement.name.lower()}{requirement.specifier}")
    return found


def ask(names: set[str], url: str, *, timeout: float) -> Report:
    """What the service knows about each library, in one process of pip-audit.

    Raises:
        AuditIncomplete: it did not respond, or not about every library.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "requirements.txt")
        lock.write_text("\n".join(sorted({*names, AFFECTED})), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--vulnerability-service=osv",
            "--strict",
            "--no-deps",
            "--disable-pip",
        ]
        command += ["--requirement", str(lock), "--cache-dir", folder, "--format=json", "--progress-spinner=off"]
        command += ["--osv-url", url] if url else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise AuditIncomplete(f"it took longer than {timeout:.0f} seconds") from None
    try:
        entries = [entry for entry in json.loads(done.stdout)["dependencies"] if "vulns" in entry]
        report: Report = {f"{entry['name'].lower()}=={entry['version']}": entry for entry in entries}
    except (ValueError, KeyError, TypeError):
        raise AuditIncomplete((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]) from None
    if missing := sorted({*names, AFFECTED} - report.keys()):
        raise AuditIncomplete(f"no response about {', '.join(missing)}")
    if not report.pop(AFFECTED)["vulns"]:
        raise AuditIncomplete(f"the service reports nothing for {AFFECTED}, which has known vulnerabilities")
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="", help="another OSV API, such as that of a mirror")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds for all of it")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS)
    options = parser.parse_args(arguments)
    names = locked(options.locks)
    try:
        report = ask(names, options.url, timeout=options.timeout)
    except AuditIncomplete as error:
        print(
            f"NOT AUDITED: the service for known vulnerabilities could not be asked: {error}.",
            file=sys.stderr,
        )
        print("This says nothing about the libraries. Check the network and run it again.", file=sys.stderr)
        return 2
    affected = {name: entry["vulns"] for name, entry in sorted(report.items()) if entry["vulns"]}
    for name, vulnerabilities in affected.items():
        for found in vulnerabilities:
            repaired = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{name}: {found['id']} {' '.join(found['aliases'])}; repaired in {repaired}")
    print(f"{len(affected)} of {len(names)} libraries have known vulnerabilities.")
    return 1 if affected else 0


if __name__ == "__main__":
    sys.exit(main())
