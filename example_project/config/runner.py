"""Make ``manage.py test`` run pytest, so that there is only one way to run the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings


class PytestRunner:
    """A Django test runner that calls pytest with the options that ``manage.py test`` and pytest both have."""

    def __init__(self, *, verbosity: int = 1, failfast: bool = False, keepdb: bool = False, **options: Any) -> None:
        self.arguments = [
            *(["-q"] if verbosity < 1 else ["-v"] if verbosity > 1 else []),
            *(["--exitfirst"] if failfast else []),
            *(["--reuse-db"] if keepdb else []),
            *options.get("pytest_arguments", []),
        ]

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--keepdb", action="store_true", help="Keep the test database for the next run.")
        parser.add_argument("-k", dest="pytest_arguments", type=lambda text: ["-k", text], default=[], metavar="EXPR")

    def run_tests(self, test_labels: Sequence[str]) -> int:
        """Run pytest in a separate process, with the settings of pytest.ini instead of the site's."""
        command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", *self.arguments, *test_labels]
        environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=False).returncode  # noqa: S603
