"""``manage.py shop_doctor``: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from operations.examinations import EXAMINATIONS, Finding, examine


class Command(BaseCommand):
    help = "Examine database, queue, mail, gateways and the rest; exit code 1 if something does not work."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", nargs="+", choices=EXAMINATIONS, metavar="NAME", help=", ".join(EXAMINATIONS))
        parser.add_argument("--strict", action="store_true", help="Exit code 1 for warnings too.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [finding for name in options["only"] or EXAMINATIONS for finding in self._examine(name)]
        wrong = [finding for finding in findings if options["strict"] or not finding.is_warning]
        self.stdout.write(f"{len(findings)} findings." if findings else "All is well.")
        if wrong:
            sys.exit(1)

    def _examine(self, name: str) -> list[Finding]:
        findings = examine(name)
        if not findings:
            self.stdout.write(f"{self.style.SUCCESS('well')}     {name}")
        for finding in findings:
            mark = self.style.WARNING("warning") if finding.is_warning else self.style.ERROR("wrong  ")
            what = finding.what.replace("\n", "\n         ")
            self.stdout.write(f"{mark}  {name}: {what}\n         {finding.mend}")
        return findings
