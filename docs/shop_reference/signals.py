"""The signals of every package."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
from typing import Any

from shop_reference.markdown import paragraphs, table, words
from shop_reference.sources import PACKAGES


def signals() -> str:
    from django.dispatch import Signal

    parts = []
    for package in PACKAGES:
        module = importlib.import_module(f"{package}.signals")
        texts = _docstrings(module)
        rows = [
            (f"`{package}.signals.{name}`", words(texts.get(name, "")))
            for name, value in vars(module).items()
            if isinstance(value, Signal)
        ]
        parts.append(
            f"## {package}\n\n{paragraphs(inspect.getdoc(module))}\n\n" + table(("signal", "sent when"), rows)
        )
    return "\n\n".join(parts)


def _docstrings(module: Any) -> dict[str, str]:
    """``{name: the text under its assignment}``."""
    body = ast.parse(inspect.getsource(module)).body
    return {
        first.targets[0].id: second.value.value
        for first, second in itertools.pairwise(body)
        if isinstance(first, ast.Assign)
        and isinstance(first.targets[0], ast.Name)
        and isinstance(second, ast.Expr)
        and isinstance(second.value, ast.Constant)
    }
