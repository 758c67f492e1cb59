"""Functions and classes of the code as Markdown: signatures, fields, docstrings."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from shop_reference.markdown import table, words


def members(class_: type) -> Iterator[str]:
    """A table of fields, then the methods that do not begin with an underscore; of a kit, its checks by name."""
    texts = _attribute_docs(class_)
    rows = [
        (f"`{name}`", f"`{kind}`", " ".join(filter(None, (words(texts.get(name)), default))))
        for name, kind, default in _attributes(class_)
    ]
    if rows:
        yield table(("name", "type", "what"), rows)
    checks, methods, fixtures = [], [], []
    for name, value in vars(class_).items():
        function = getattr(value, "__wrapped__", getattr(value, "__func__", value))
        if name.startswith("test_"):
            checks.append(name.removeprefix("test_").replace("_", " "))
        elif inspect.isfunction(function) and not name.startswith("_"):
            (fixtures if function is not value and _is_fixture(value) else methods).append(
                entry(call(function, name), function)
            )
    yield from methods
    if fixtures:
        yield "Fixtures, with the fixtures that they use:"
        yield from fixtures
    if checks:
        yield "It checks: " + "; ".join(checks) + "."


def _is_fixture(value: object) -> bool:
    return "Fixture" in type(value).__name__ or hasattr(value, "_pytestfixturefunction")


def _attributes(class_: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and default of each annotated attribute and each property."""
    fields = {field.name: field for field in dataclasses.fields(class_)} if dataclasses.is_dataclass(class_) else {}
    for name, kind in inspect.get_annotations(class_).items():
        if name.startswith("_"):
            continue
        if name in fields and fields[name].default is not dataclasses.MISSING:
            default = f"Default `{fields[name].default!r}`."
        elif (
            name not in fields and name in vars(class_) and not isinstance(vars(class_)[name], set | frozenset | dict)
        ):
            default = f"Default `{vars(class_)[name]!r}`." if isinstance(vars(class_)[name], bool | int | str) else ""
        else:
            default = ""
        written = getattr(kind, "__forward_arg__", kind)  # of a NamedTuple
        yield name, re.sub(r"^ClassVar\[(.*)\]$", r"\1", str(written)), default
    for name, value in vars(class_).items():
        if isinstance(value, property | cached_property):
            yield name, type_of(value), ""


def _attribute_docs(class_: type) -> dict[str, str]:
    """The text below an attribute, or the docstring of a property."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(class_))).body[0]
    properties = {name: value for name, value in vars(class_).items() if isinstance(value, property | cached_property)}
    texts = {name: inspect.getdoc(value) or "" for name, value in properties.items()}
    for first, second in itertools.pairwise(body.body if isinstance(body, ast.ClassDef) else []):
        if isinstance(first, ast.AnnAssign) and isinstance(first.target, ast.Name) and isinstance(second, ast.Expr):
            texts[first.target.id] = str(getattr(second.value, "value", ""))
    return texts


def call(function: Callable[..., Any], name: str = "") -> str:
    """Name and signature as they are written, without ``self``."""
    signature = inspect.signature(function)
    kept = [_written(part) for part in signature.parameters.values() if part.name not in {"self", "cls"}]
    returned = signature.return_annotation
    shown = signature.replace(
        parameters=kept, return_annotation=_Written(returned) if isinstance(returned, str) else returned
    )
    return f"{name or function.__name__}{shown}".removesuffix(" -> None")


def _written(parameter: inspect.Parameter) -> inspect.Parameter:
    """The annotation as in the code; a default that is a function by its name, or an ellipsis if it has none."""
    if isinstance(parameter.annotation, str):
        parameter = parameter.replace(annotation=_Written(parameter.annotation))
    if inspect.isfunction(parameter.default):
        name = parameter.default.__name__
        parameter = parameter.replace(default=_Written("..." if name == "<lambda>" else name))
    return parameter


class _Written(str):
    """An annotation that was kept as text: shown as it was written, without quotes around it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def entry(call: str, function: Callable[..., Any]) -> str:
    """A definition: the call, and its docstring with what it raises as a list."""
    text, _, raised = (inspect.getdoc(function) or "").partition("Raises:\n")
    lines = [words(block) for block in re.split(r"\n\s*\n", text.strip()) if block]
    if raised:
        errors = [words(line).split(": ", 1) for line in re.split(r"\n(?!\s{2,})", inspect.cleandoc(raised).strip())]
        lines.append("Raises " + "; ".join(f"*{error[0]}*: {error[-1].rstrip('.')}" for error in errors) + ".")
    return "\n\n  ".join([f"- `{call}`", *lines])


def type_of(prop: property | cached_property[Any]) -> str:
    function = prop.fget if isinstance(prop, property) else prop.func
    return str(inspect.signature(function, eval_str=False).return_annotation).strip("'") if function else ""
