from __future__ import annotations

import keyword
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_orders import payment_providers
from shop_orders.payment_providers import registry

KINDS = {
    "page": ("a page of the service", '{"api_key": "...", "webhook_secrets": ["..."]}'),
    "push": ("a request on the customer's phone", '{"api_key": "..."}'),
    "offline": ("without a service: staff record the payment", '{"place": "the counter"}'),
}
"""Where the customer pays, and the OPTIONS of the skeleton."""
SKELETON = Path(payment_providers.__file__).parent / "skeleton"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MOST = 40


class Command(BaseCommand):
    help = "Write the skeleton of a payment provider's package, with tests that pass and a workflow that publishes it."
    requires_system_checks = ()
    """People often start a provider before the settings of the site are complete."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "name", help="Name of the service, such as acme: the package is django-shop-payments-acme."
        )
        parser.add_argument("--kind", choices=KINDS, help="Where the customer pays. Asked if it is left out.")
        parser.add_argument("--folder", default=".", help="Where to write it (default: here).")

    def handle(self, *args: Any, name: str, kind: str | None, folder: str, **_options: Any) -> None:
        if problem := _problem_of(name):
            raise CommandError(problem)
        package = f"django-shop-payments-{name.replace('_', '-')}"
        target = Path(folder) / package
        if target.exists():
            raise CommandError(f"{target} exists already.")
        kind = kind or self._ask()
        title = "".join(part.capitalize() for part in name.split("_"))
        values = {"name": name, "module": f"shop_payments_{name}", "package": package, "class": f"{title}Provider"}
        _write(target, kind, {**values, "title": name.replace("_", " ").capitalize(), "options": KINDS[kind][1]})
        self.stdout.write(f"Created {target}. Run `pip install -e {target}[test]`, then `pytest` in that folder.")

    def _ask(self) -> str:
        self.stdout.write("Where does the customer pay?")
        for name, (meaning, _options) in KINDS.items():
            self.stdout.write(f"  {name}: {meaning}")
        try:
            answer = input(f"{', '.join(KINDS)}: ").strip()
        except EOFError:
            answer = ""
        if answer not in KINDS:
            raise CommandError(f"Give --kind: one of {', '.join(KINDS)}.")
        return answer


def _problem_of(name: str) -> str:
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > MOST:
        return f"Give a name of at most {MOST} lower-case letters a-z, digits and single underscores, such as acme."
    if name in registry.SHIPPED:
        return f"“{name}” is the name of a provider of django-shop-orders. Give another one."
    return ""


def _write(target: Path, kind: str, values: Mapping[str, str]) -> None:
    """Copy the skeleton. Nothing is left behind if a file cannot be written."""
    try:
        for source, path in _files(kind):
            written = target / path.replace("src/module", f"src/{values['module']}").removesuffix("-tpl")
            written.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            for name, value in values.items():
                text = text.replace(f"{{{{ {name} }}}}", value)
            written.write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from error


def _files(kind: str) -> Iterable[tuple[Path, str]]:
    """Each file of the skeleton with its path in the new package."""
    common = SKELETON / "common"
    for source in sorted(common.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            yield source, source.relative_to(common).as_posix()
    yield SKELETON / kind / "__init__.py-tpl", "src/module/__init__.py"
    yield SKELETON / kind / "test_contract.py-tpl", "tests/test_contract.py"
