"""The management commands of every package and of the example project."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from shop_reference.markdown import table, words
from shop_reference.sources import PACKAGES, ROOT


def commands() -> str:
    parts = []
    examples = {path.parents[2].name for path in ROOT.glob("example_project/*/management/commands/[a-z]*.py")}
    for app in (*PACKAGES, *sorted(examples)):
        title = app if app in PACKAGES else f"The example's {app}"
        entries = [_command(name, command) for name, command in commands_of(app)]
        parts.append(f"## {title}\n\n" + "\n\n".join(entries))
    return "\n\n".join(parts)


def commands_of(app: str) -> Iterator[tuple[str, Any]]:
    from django.core.management import get_commands, load_command_class

    for name, source in sorted(get_commands().items()):
        if source == app:
            yield name, load_command_class(source, name)


def _command(name: str, command: Any) -> str:
    parser = argparse.ArgumentParser(prog=f"manage.py {name}", add_help=False)
    command.add_arguments(parser)
    rows = [
        (f"`{' '.join(action.option_strings) or action.metavar or action.dest}`", words(action.help or ""))
        for action in parser._actions  # noqa: SLF001 - argparse offers no other list
        if action.help != argparse.SUPPRESS
    ]
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    options = "\n\n" + table(("argument", "what"), rows) if rows else ""
    return f"### {name}\n\n{words(command.help)}\n\n```text\n{usage}\n```{options}"
