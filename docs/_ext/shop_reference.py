"""Reference pages made from the code: a line such as ``<!-- reference: settings -->`` becomes text at build time.

Each function of PAGES answers Markdown. It needs Django, set up with the example's settings, but not Sphinx, so that
the tests can read the pages too.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shop_catalog", "shop_orders", "shop_notify")
MARK = re.compile(r"^<!-- reference: (?P<name>\w+) -->$", re.MULTILINE)


# Settings


def settings() -> str:
    """Every setting of every package: name, type, default and the words of its property."""
    from django.core.exceptions import ImproperlyConfigured

    parts = []
    for package in PACKAGES:
        reader = importlib.import_module(f"{package}.conf").AppSettings
        empty = type("Empty", (reader,), {"_values": lambda _self: {}})()
        rows = []
        for name, prop in _settings_of(reader):
            try:
                default = _shown(getattr(empty, name))
            except ImproperlyConfigured:
                default = "none, required"
            rows.append((f"`{name}`", f"{_words(inspect.getdoc(prop))}<br>`{_type(prop)}`, default: {default}"))
        parts.append(f"## {reader.setting}\n\n" + table(("setting", "what it says"), rows))
    return "\n\n".join(parts)


def _settings_of(reader: type) -> Iterator[tuple[str, property]]:
    """In the order of the file."""
    lines = {name: prop for base in reversed(reader.__mro__) for name, prop in vars(base).items()}
    yield from ((name, prop) for name, prop in lines.items() if name.isupper() and isinstance(prop, property))


def _type(prop: property) -> str:
    return str(inspect.signature(prop.fget, eval_str=False).return_annotation).strip("'") if prop.fget else ""


def _shown(value: Any) -> str:
    shown = repr(value).replace("datetime.timedelta", "timedelta")
    return f"`{shown}`"


# Signals


def signals() -> str:
    from django.dispatch import Signal

    parts = []
    for package in PACKAGES:
        module = importlib.import_module(f"{package}.signals")
        told = _docstrings(module)
        rows = [
            (f"`{package}.signals.{name}`", _words(told.get(name, "")))
            for name, value in vars(module).items()
            if isinstance(value, Signal)
        ]
        parts.append(
            f"## {package}\n\n{_paragraphs(inspect.getdoc(module))}\n\n" + table(("signal", "sent when"), rows)
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


# Commands


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
        (f"`{' '.join(action.option_strings) or action.metavar or action.dest}`", _words(action.help or ""))
        for action in parser._actions  # noqa: SLF001 - argparse offers no other list
        if action.help != argparse.SUPPRESS
    ]
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    options = "\n\n" + table(("argument", "what"), rows) if rows else ""
    return f"### {name}\n\n{_words(command.help)}\n\n```text\n{usage}\n```{options}"


# Checks


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
    """Id, level, message and hint of each message in the package's ``checks``, as its source writes them."""
    home = Path(inspect.getfile(importlib.import_module(f"{package}.checks")))
    files = sorted(home.parent.glob("*.py")) if home.name == "__init__.py" else [home]
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
        return _escaped(str(node.value or ""))
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, names) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.Name) and isinstance(names.get(node.id), ast.Constant | ast.JoinedStr):
        return _text(names[node.id], {})
    return "" if node is None else "…"


# Problem codes


def problems() -> str:
    modules = {
        "shop_catalog": "shop_catalog.api.problems",
        "shop_orders": "shop_orders.api.problems",
        "shop_orders, accounts": "shop_orders.contrib.allauth.api",
        "shop_notify": "shop_notify.api.problems",
    }
    parts = []
    for title, path in modules.items():
        help_ = importlib.import_module(path).CODES_HELP
        rows = [(f"`{code}`", _words(str(help_[code]))) for code in sorted(help_)]
        parts.append(f"## {title}\n\n" + table(("code", "what it means"), rows))
    return "\n\n".join(parts)


# Python

VERBS: Mapping[str, Mapping[str, str]] = {
    "shop_catalog": {
        "categories": "create change move reorder delete get check repair",
        "category_tree": "current version",
        "category_import": "import_paths",
        "products": "create change set_price delete get lowest_recent_price",
        "product_import": "import_rows",
        "row_readers": "read_rows",
        "inventory": "receive adjust count reserve release ship restock differences",
        "images": "add make_primary reorder remove set_of_category remove_of_category",
        "reviews": "submit change moderate reply delete get",
        "listing": "Filters page count cursor_of place_of",
        "facets": "of",
        "suggestions": "suggest",
        "product_page": "find",
        "statistics": "of_category",
        "media": "serve",
        "jobs": "run_due overdue",
        "api.problems": "register",
    },
    "shop_orders": {
        "carts": (
            "CartView LineView MergeReport MergeChange find find_or_open add_to_cart add_item set_quantity "
            "remove_item clear view merge prune"
        ),
        "checkout": "Contact place_order",
        "lifecycle": "allowed confirm start_processing ship deliver cancel note",
        "payments": (
            "ways_to_pay start record_payment capture resolve refund queue_refund ask note_state reconcile expire_due"
        ),
        "customers": "for_request for_user user_of update set_addresses claim_orders anonymise",
        "tracking": "Tracking of",
        "guest_links": "token_for is_valid",
        "pages": "current_cart current_view own_cart own_order add_to_cart cart cart_token forget",
        "pricing": "price",
        "events": "order_payload announce_due muted",
        "phones": "normalise",
        "product_sources": "product_source",
        "payment_providers": "aliases payment_provider",
        "money": "quantise as_text exponent minor_units from_minor_units",
        "jobs": "run_due overdue",
        "api.problems": "register",
    },
    "shop_notify": {
        "delivery": "wake_up",
        "outbox": "resend",
        "notifiers": "get_notifier installed",
        "queues": "wake",
        "history": "deliveries label",
        "previews": "Preview of_signal of_notification",
        "preferences": "groups choices read write",
        "suppressions": "suppress lift suppressed",
        "overrides": "validate",
        "samples": "values_for",
        "segments": "count_segments",
        "health": "notifiers oldest_due_at",
        "pruning": "prune",
        "jobs": "run overdue",
        "api.problems": "register",
    },
}
"""Functions that a site may call, module by module, in the order in which they are met; classes that they answer."""


def python() -> str:
    """The functions of VERBS with their docstrings, and every exception."""
    parts = []
    for package, modules in VERBS.items():
        parts.append(f"## {package}")
        for name, functions in modules.items():
            module = importlib.import_module(f"{package}.{name}")
            entries = [_public(getattr(module, function)) for function in functions.split()]
            parts += [f"### {package}.{name}", _words(_first(module)), *entries]
        parts += [f"### {package}.exceptions", table(("exception", "code", "what it says"), _exceptions(package))]
    return "\n\n".join(parts)


def _public(thing: Any) -> str:
    """A function's definition, or a class with the table of its fields."""
    if not isinstance(thing, type):
        return _entry(_call(thing), thing)
    return "\n\n".join([f"`{thing.__name__}`", _paragraphs(inspect.getdoc(thing)), *_members(thing)])


def _exceptions(package: str) -> Iterator[tuple[str, str, str]]:
    for name, error in vars(importlib.import_module(f"{package}.exceptions")).items():
        if isinstance(error, type) and issubclass(error, Exception):
            parent = "" if error.__base__ is Exception else f"<br>a {error.__base__.__name__}"
            default = getattr(error, "default_message", None)
            words = _words(vars(error).get("__doc__")) or (str(default()) if default else "")
            yield f"`{name}`{parent}", f"`{error.code}`", words


SEAMS: Mapping[str, tuple[str, str]] = {
    "Product sources": ("shop_orders.product_sources", "ProductSource SourceProduct"),
    "Payment providers": (
        "shop_orders.payment_providers",
        "PaymentProvider PaymentRequest PaymentStart PaymentState PaymentEvent RefundRequest RefundResult",
    ),
    "Pricing hooks and validators": ("shop_orders.pricing", "Draft DraftLine Charge"),
    "Kits and stand-ins of shop_orders": (
        "shop_orders.testing",
        "ProductSourceContract PaymentProviderContract MemoryProductSource MemoryProduct MemoryPaymentProvider",
    ),
    "Notifiers": ("shop_notify.notifiers", "Notifier Message Receipt Report"),
    "Kits of shop_notify": ("shop_notify.testing", "NotifierContract ReportContract Transport"),
    "Search backends": ("shop_catalog.search", "SearchBackend"),
}
"""Classes that a plugin fills or is given: title, module and names."""


def seams() -> str:
    """The classes of SEAMS: what they say, their fields and their methods."""
    parts = []
    for title, (path, names) in SEAMS.items():
        module = importlib.import_module(path)
        parts.append(f"## {title}")
        for name in names.split():
            class_ = getattr(module, name)
            parts += [f"### {name}", f"`{path}.{name}`", _paragraphs(inspect.getdoc(class_)), *_members(class_)]
    return "\n\n".join(part for part in parts if part)


def _members(class_: type) -> Iterator[str]:
    """A table of fields, then the methods that do not begin with an underscore; of a kit, its checks by name."""
    told = _attribute_docs(class_)
    rows = [
        (f"`{name}`", f"`{kind}`", " ".join(filter(None, (_words(told.get(name)), default))))
        for name, kind, default in _attributes(class_)
    ]
    if rows:
        yield table(("name", "type", "what"), rows)
    checks = []
    for name, value in vars(class_).items():
        function = getattr(value, "__wrapped__", getattr(value, "__func__", value))
        if name.startswith("test_"):
            checks.append(name.removeprefix("test_").replace("_", " "))
        elif inspect.isfunction(function) and not name.startswith("_"):
            yield _entry(_call(function, name), function)
    if checks:
        yield "It checks: " + "; ".join(checks) + "."


def _attributes(class_: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and default of each annotated attribute and each property."""
    fields = {field.name: field for field in dataclasses.fields(class_)} if dataclasses.is_dataclass(class_) else {}
    for name, kind in inspect.get_annotations(class_).items():
        if name in fields and fields[name].default is not dataclasses.MISSING:
            default = f"Default `{fields[name].default!r}`."
        elif (
            name not in fields and name in vars(class_) and not isinstance(vars(class_)[name], set | frozenset | dict)
        ):
            default = f"Default `{vars(class_)[name]!r}`." if isinstance(vars(class_)[name], bool | int | str) else ""
        else:
            default = ""
        yield name, re.sub(r"^ClassVar\[(.*)\]$", r"\1", str(kind)), default
    for name, value in vars(class_).items():
        if isinstance(value, property):
            yield name, _type(value), ""


def _attribute_docs(class_: type) -> dict[str, str]:
    """What stands under an attribute, or in the docstring of a property."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(class_))).body[0]
    told = {name: inspect.getdoc(value) or "" for name, value in vars(class_).items() if isinstance(value, property)}
    for first, second in itertools.pairwise(body.body if isinstance(body, ast.ClassDef) else []):
        if isinstance(first, ast.AnnAssign) and isinstance(first.target, ast.Name) and isinstance(second, ast.Expr):
            told[first.target.id] = str(getattr(second.value, "value", ""))
    return told


def _call(function: Callable[..., Any], name: str = "") -> str:
    """Name and signature as they are written, without ``self``."""
    signature = inspect.signature(function)
    kept = [
        parameter.replace(annotation=_Written(parameter.annotation))
        if isinstance(parameter.annotation, str)
        else parameter
        for parameter in signature.parameters.values()
        if parameter.name not in {"self", "cls"}
    ]
    returned = signature.return_annotation
    shown = signature.replace(
        parameters=kept, return_annotation=_Written(returned) if isinstance(returned, str) else returned
    )
    return f"{name or function.__name__}{shown}".removesuffix(" -> None")


class _Written(str):
    """An annotation that was kept as text: shown as it was written, without quotes around it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _entry(call: str, function: Callable[..., Any]) -> str:
    """A definition: the call, and its docstring with what it raises as a list."""
    words, _, raised = (inspect.getdoc(function) or "").partition("Raises:\n")
    lines = [_words(block) for block in re.split(r"\n\s*\n", words.strip()) if block]
    if raised:
        errors = [_words(line).split(": ", 1) for line in re.split(r"\n(?!\s{2,})", inspect.cleandoc(raised).strip())]
        lines.append("Raises " + "; ".join(f"*{error[0]}*: {error[-1].rstrip('.')}" for error in errors) + ".")
    return f"`{call}`\n: " + "\n\n  ".join(lines) if lines else f"`{call}`"


def _first(module: Any) -> str:
    """The first paragraph of a module's docstring."""
    return (inspect.getdoc(module) or "").split("\n\n")[0]


# The API


def api() -> str:
    """Every operation and every body, from the OpenAPI document that the tests hold in step with the code."""
    document = json.loads((ROOT / "tests/openapi.json").read_text(encoding="utf-8"))
    operations = [
        (path.removeprefix("/api/v1"), method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    everywhere = set.intersection(*(set(operation["responses"]) for _path, _method, operation in operations))
    by_tag: dict[str, list[tuple[str, ...]]] = {}
    for path, method, operation in operations:
        tag = ", ".join(operation.get("tags", ["other"]))
        by_tag.setdefault(tag, []).append(_operation(path, method, operation, everywhere))
    common = ", ".join(sorted(everywhere))
    parts = [f"Besides what its row names, every operation may answer {common} with a problem document."]
    parts += [
        f"## {tag}\n\n" + table(("operation", "does", "who", "takes", "answers"), rows) for tag, rows in by_tag.items()
    ]
    parts.append("## Bodies")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(f"### {name}\n\n{_words(schema.get('description', ''))}\n\n{_fields(schema)}".rstrip())
    return "\n\n".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any], everywhere: set[str]) -> tuple[str, ...]:
    takes = [f"`{parameter['name']}`" for parameter in operation.get("parameters", []) if parameter["in"] != "path"]
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    takes += [_schema(content.get("schema", {})) for content in bodies]
    answers = []
    for status, answer in operation["responses"].items():
        if status in everywhere:
            continue
        schemas = [_schema(content["schema"]) for content in answer.get("content", {}).values() if "schema" in content]
        told = [schema for schema in schemas if schema not in {"", "[Problem](#problem)"}]
        answers.append(f"{status} {told[0]}" if told else status)
    return (
        f"`{method.upper()} {path}`",
        f"{operation['summary']}<br>`{operation['operationId']}`",
        _who(operation),
        ", ".join(dict.fromkeys(part for part in takes if part)),
        ", ".join(answers),
    )


def _who(operation: Mapping[str, Any]) -> str:
    security = operation.get("security")
    if not security:
        return "anyone"
    return "a guest, or who is logged in" if {} in security else "who is logged in"


def _schema(schema: Mapping[str, Any]) -> str:
    """A schema in a few words; a named one is a link to its table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(filter(None, (_schema(part) for part in schema[key]))))
    if schema.get("type") == "array":
        return f"list of {_schema(schema.get('items', {})) or 'values'}"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", ""))
    return f"{kind} ({schema['format']})" if kind and "format" in schema else kind


LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


def _fields(schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f"One of: {_schema(schema)}." if "enum" in schema else ""
    required = set(schema.get("required", []))
    rows = []
    for name, field in schema["properties"].items():
        limits = [text.format(field[key]) for key, text in LIMITS.items() if key in field]
        words = [_words(field.get("description", "")), ", ".join(limits)]
        rows.append(
            (f"`{name}`{'' if name in required else ' (optional)'}", _schema(field), " ".join(filter(None, words)))
        )
    return table(("field", "type", "what"), rows)


PAGES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "signals": signals,
    "commands": commands,
    "checks": checks,
    "problems": problems,
    "api": api,
    "python": python,
    "seams": seams,
}


# Markdown


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def _words(text: str | None) -> str:
    """A docstring as one line of Markdown: its double backticks become single ones."""
    return " ".join((text or "").replace("``", "`").split())


def _paragraphs(text: str | None) -> str:
    """A module's docstring; a block that is indented or set in columns stays as it is."""
    blocks = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(
        f"```text\n{block.replace('``', '')}\n```"
        if re.search(r"^(\s|``\w+`` {2,})", block, re.MULTILINE)
        else _words(block)
        for block in blocks
    )


def _escaped(text: str) -> str:
    return re.sub(r"([*_<>\[\]`])", r"\\\1", text)


# Sphinx


def fill(text: str) -> str:
    """A page's source with its marks replaced."""
    return MARK.sub(lambda mark: PAGES[mark["name"]](), text)


def _set_up_django() -> None:
    import django
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DEBUG", "true")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        sys.path.insert(0, str(ROOT / "example_project"))
        django.setup()


def _read(_app: Sphinx, _docname: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def _outdated(_app: Sphinx, env: Any, *_changes: Any) -> list[str]:
    """Pages with a mark are read at each build: the code changes without them."""
    return [name for name in env.found_docs if MARK.search(Path(env.doc2path(name)).read_text(encoding="utf-8"))]


def setup(app: Sphinx) -> dict[str, bool]:
    _set_up_django()
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
