"""The operations and bodies of the API, from the committed OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shop_reference.markdown import table, words
from shop_reference.sources import ROOT


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
    parts = [f"Besides what its row names, every operation may respond with {common} and a problem document."]
    parts += [
        f"## {tag}\n\n" + table(("operation", "does", "for", "takes", "responses"), rows)
        for tag, rows in by_tag.items()
    ]
    parts.append("## Bodies")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(f"### {name}\n\n{words(schema.get('description', ''))}\n\n{_fields(schema)}".rstrip())
    return "\n\n".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any], everywhere: set[str]) -> tuple[str, ...]:
    takes = [f"`{parameter['name']}`" for parameter in operation.get("parameters", []) if parameter["in"] != "path"]
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    takes += [_schema(content.get("schema", {})) for content in bodies]
    responses = []
    for status, response in operation["responses"].items():
        if status in everywhere:
            continue
        schemas = [
            _schema(content["schema"]) for content in response.get("content", {}).values() if "schema" in content
        ]
        named = [schema for schema in schemas if schema not in {"", "[Problem](#problem)"}]
        responses.append(f"{status} {named[0]}" if named else status)
    return (
        f"`{method.upper()} {path}`",
        f"{operation['summary']}<br>`{operation['operationId']}`",
        _allowed(operation),
        ", ".join(dict.fromkeys(part for part in takes if part)),
        ", ".join(responses),
    )


def _allowed(operation: Mapping[str, Any]) -> str:
    security = operation.get("security")
    if not security:
        return "everyone"
    return "guests and logged-in users" if {} in security else "logged-in users"


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
    if schema.get("title") == "Code" and "enum" in schema:
        return "a [problem code](problems.md)"
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
        what = [words(field.get("description", "")), ", ".join(limits)]
        rows.append(
            (f"`{name}`{'' if name in required else ' (optional)'}", _schema(field), " ".join(filter(None, what)))
        )
    return table(("field", "type", "what"), rows)
