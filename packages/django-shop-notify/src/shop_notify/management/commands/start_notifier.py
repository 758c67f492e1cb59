from __future__ import annotations

import keyword
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.commands import startapp

import shop_notify
from shop_notify.notifiers import registry

KINDS: Mapping[str, str] = {
    "sms": "goes to a phone and costs money: limited by SMS_LIMITS, not sent again if the outcome is unknown",
    "chat": "goes to a chat and costs nothing: sent again if the outcome is unknown",
    "push": "goes to an app on a device and costs nothing: expires after hours, sent again if the outcome is unknown",
    "other": "anything else: costs nothing, and is sent again if the outcome is unknown",
}
"""What ``--kind`` may be, with what it means for the notifier."""
LONGEST_NAME = registry.MOST_OF_CHANNEL
PLUGINS = frozenset({"telegram", "whatsapp", "whatsapp_cloud"})
"""Notifiers of this project's own plugins, whether they are installed or not."""
RECIPIENT_KEYS = frozenset({"key", "name", "language"})
"""Keys of a recipient that hold no address. The name of a notifier is also the key of its address."""
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class _WithKind(startapp.Command):
    """``startapp`` whose template may use ``kind``."""

    stealth_options = (*startapp.Command.stealth_options, "kind")


class Command(BaseCommand):
    help = "Write the skeleton of a notifier package, with tests that pass and a workflow that publishes it."
    requires_system_checks = ()
    """A notifier is often started before the settings of the site are complete."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="Name of the provider, such as acme: the package is django-shop-notify-acme.")
        parser.add_argument("--folder", default=".", help="Where to write it (default: here).")
        parser.add_argument(
            "--kind", choices=[*KINDS], help="What it sends; asked for if it is not given. " + self._kinds("; ")
        )

    def handle(self, *args: Any, name: str, folder: str, kind: str | None, **_options: Any) -> None:
        _check_name(name)
        target = Path(folder) / f"django-shop-notify-{name.replace('_', '-')}"
        if target.exists():
            raise CommandError(f"{target} exists already.")
        kind = kind or self._ask_kind()
        template = Path(shop_notify.__file__).parent / "plugin_template"
        module = f"shop_notify_{name}"
        # startapp refuses a folder whose name is not an identifier, and a name that can already be imported, as this
        # one could be in the project's own folder.
        with tempfile.TemporaryDirectory(dir=folder) as elsewhere:
            written = Path(elsewhere) / module
            written.mkdir()
            # With any `exclude`, startapp copies .github too.
            options = {"template": str(template), "extensions": ["py", "toml", "md"], "exclude": ["__pycache__"]}
            call_command(_WithKind(), module, str(written), kind=kind, **options)
            _use_short_name(written, module, name)
            written.rename(target)
        self.stdout.write(f"Created {target} ({kind}: {KINDS[kind]}).")
        self.stdout.write(f"Run `pip install -e {target}[test]`, then `pytest` in that folder.")

    def _ask_kind(self) -> str:
        if not sys.stdin.isatty():
            raise CommandError(f"Say what it sends with --kind. {self._kinds('; ')}")
        self.stdout.write(self._kinds("\n"))
        answer = ""
        while answer not in KINDS:
            answer = input(f"What does it send ({', '.join(KINDS)})? ").strip().lower()
        return answer

    @staticmethod
    def _kinds(separator: str) -> str:
        return separator.join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())


def _check_name(name: str) -> None:
    """Refuse a name that cannot be that of a package, a notifier and a channel, or that is taken.

    Raises:
        CommandError: the message names the reason.
    """
    if not _NAME.fullmatch(name):
        raise CommandError(
            "Give a name of lower-case letters a-z, digits and single underscores, such as acme or acme_chat."
        )
    if len(name) > LONGEST_NAME:
        raise CommandError(f"Give a name of at most {LONGEST_NAME} characters.")
    if name.startswith(("shop_notify", "django_")):
        raise CommandError(f"Give the provider's name only: the package will be django-shop-notify-{name}.")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in sys.stdlib_module_names:
        raise CommandError(f"“{name}” is a keyword or a module of Python. Give another name, such as {name}_messages.")
    if name in {*registry.installed(), *PLUGINS, "sms", "phone"}:
        raise CommandError(
            f"“{name}” is already the name of a notifier or a channel. Give another one, such as {name}_own."
        )
    if name in RECIPIENT_KEYS:
        raise CommandError(f"“{name}” is already a key of recipients. Give another name, such as {name}_messages.")


def _use_short_name(folder: Path, module: str, name: str) -> None:
    """Use the provider's short name where people read it, since startapp writes the module's name everywhere."""
    title = "".join(part.capitalize() for part in name.split("_"))
    names = {
        f"django-{module}": f"django-shop-notify-{name.replace('_', '-')}",
        f'"{module}" = ': f"{name} = ",
        f'"BACKEND": "{module}"': f'"BACKEND": "{name}"',
        f'channel = "{module}"': f'channel = "{name}"',
        f'address_field = "{module}"': f'address_field = "{name}"',
        f"`{module}`": f"`{name}`",
        f"ShopNotify{title}": title,
    }
    for file in folder.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            for long, short in names.items():
                text = text.replace(long, short)
            file.write_text(text, encoding="utf-8")
