"""The system checks of every package."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

from shop_reference.markdown import escaped, table
from shop_reference.sources import PACKAGES

FILES = ("checks.py", "checks/*.py", "contrib/*/checks.py")


def checks() -> str:
    parts = []
    for package in PACKAGES:
        found: dict[str, list[tuple[str, str, str]]] = {}
        for id_, level, message, hint in checks_of(package):
            found.setdefault(id_, []).append((level, message, hint))
        rows = [
            (f"`{id_}`", level if number == 0 else "", message, hint)
            for id_ in sorted(found)
            for number, (level, message, hint) in enumerate(dict.fromkeys(found[id_]))
        ]
        parts.append(f"## {package}\n\n" + table(("id", "level", "says", "hint"), rows))
    return "\n\n".join(parts)


def checks_of(package: str) -> Iterator[tuple[str, str, str, str]]:
    """Id, level, message and hint of each message of ``check`` in the package and its apps, as the source has them."""
    home = Path(inspect.getfile(importlib.import_module(package))).parent
    files = [path for pattern in FILES for path in sorted(home.glob(pattern))]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    for function in [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]:
        names = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
            given = {word.arg: word.value for word in call.keywords}
            if isinstance(given.get("id"), ast.Constant) and call.args:
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                level = name.removeprefix("Check")
                yield given["id"].value, level, _text(call.args[0], names), _text(given.get("hint"), names)


def _text(node: ast.AST | None, names: Mapping[str, ast.AST]) -> str:
    """The text of an expression, with an ellipsis for what only a run knows."""
    if isinstance(node, ast.Constant):
        return escaped(str(node.value or ""))
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, names) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.Name) and isinstance(names.get(node.id), ast.Constant | ast.JoinedStr):
        return _text(names[node.id], {})
    return "" if node is None else "…"
