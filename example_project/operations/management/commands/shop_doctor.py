"""``manage.py shop_doctor``: find what is wrong with this installation, and how to fix it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from operations.doctor import CHECKS, Finding, run_check


class Command(BaseCommand):
    help = "Check database, queue, mail, gateways and more; exit code 1 if something does not work."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", nargs="+", choices=CHECKS, metavar="NAME", help=", ".join(CHECKS))
        parser.add_argument("--strict", action="store_true", help="Exit code 1 for warnings too.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [finding for name in options["only"] or CHECKS for finding in self._report(name)]
        wrong = [finding for finding in findings if options["strict"] or not finding.is_warning]
        self.stdout.write(f"{len(findings)} findings." if findings else "No problems found.")
        if wrong:
            sys.exit(1)

    def _report(self, name: str) -> list[Finding]:
        findings = run_check(name)
        if not findings:
            self.stdout.write(f"{self.style.SUCCESS('ok')}       {name}")
        for finding in findings:
            mark = self.style.WARNING("warning") if finding.is_warning else self.style.ERROR("error  ")
            what = finding.what.replace("\n", "\n         ")
            self.stdout.write(f"{mark}  {name}: {what}\n         {finding.fix}")
        return findings
