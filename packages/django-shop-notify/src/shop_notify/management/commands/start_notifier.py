from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

import shop_notify


class Command(BaseCommand):
    help = "Write the skeleton of a notifier package, with tests that pass and a workflow that publishes it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="Name of the provider, such as acme: the package is django-shop-notify-acme.")
        parser.add_argument("--folder", default=".", help="Where to write it (default: here).")

    def handle(self, *args: Any, name: str, folder: str, **_options: Any) -> None:
        if not (name.isidentifier() and name.islower()):
            raise CommandError("Give a name of lower-case letters, digits and underscores, such as acme.")
        target = Path(folder) / f"django-shop-notify-{name.replace('_', '-')}"
        if target.exists():
            raise CommandError(f"{target} exists already.")
        template = Path(shop_notify.__file__).parent / "plugin_template"
        module = f"shop_notify_{name}"
        # startapp refuses a folder whose name is not an identifier, and a name that can already be imported, as this
        # one could be in the project's own folder.
        with tempfile.TemporaryDirectory(dir=folder) as elsewhere:
            written = Path(elsewhere) / module
            written.mkdir()
            # With any `exclude`, startapp copies .github too.
            options = {"template": str(template), "extensions": ["py", "toml", "md"], "exclude": ["__pycache__"]}
            call_command("startapp", module, str(written), **options)
            _use_short_name(written, module, name)
            written.rename(target)
        self.stdout.write(f"Created {target}. Run `pip install -e {target}[test]`, then `pytest` in that folder.")


def _use_short_name(folder: Path, module: str, name: str) -> None:
    """Use the provider's short name where people read it, since startapp writes the module's name everywhere."""
    title = "".join(part.capitalize() for part in name.split("_"))
    names = {
        f"django-{module}": f"django-shop-notify-{name.replace('_', '-')}",
        f'"{module}" = ': f"{name} = ",
        f'"BACKEND": "{module}"': f'"BACKEND": "{name}"',
        f'channel = "{module}"': f'channel = "{name}"',
        f"ShopNotify{title}": title,
    }
    for file in folder.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            for long, short in names.items():
                text = text.replace(long, short)
            file.write_text(text, encoding="utf-8")
