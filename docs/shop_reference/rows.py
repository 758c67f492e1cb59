"""The fields of the rows that receivers, hooks and a site's own queries read."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from shop_reference.definitions import type_of
from shop_reference.markdown import table, words

MODELS: Mapping[str, str] = {
    "shop_catalog": "Category Product ProductImage PriceChange Review StockMovement",
    "shop_orders": (
        "Customer Address Cart CartItem CartReminder Order OrderLine Charge Payment Refund Shipment ShipmentLine "
        "Credit OrderEvent IncomingPayment"
    ),
    "shop_notify": "Notification Attempt Preference Suppression",
}
INTERNAL = frozenset(
    {
        *("lft", "rght", "tree_id", "level", "renditions", "renditions_for", "search_text", "is_scheduled"),
        *("email_key", "token_hash", "visitor", "reservations", "data", "request", "request_id", "lease"),
        *("next_check_at", "next_attempt_at", "checks", "unknown_starts", "refused_starts", "is_announced"),
    }
)
"""Fields that only the packages' own code reads; they may change in any release."""

KINDS = (
    ("ForeignKey", "`{related}`"),
    ("DateTimeField", "time"),
    ("DateField", "date"),
    ("DecimalField", "`Decimal`"),
    ("BooleanField", "`bool`"),
    ("UUIDField", "`UUID`"),
    ("JSONField", "JSON"),
    ("IntegerField", "`int`"),
    ("AutoField", "`int`"),
    ("FloatField", "`float`"),
    ("BinaryField", "`bytes`"),
    ("CharField", "text, at most {length}"),
    ("TextField", "text"),
    ("FileField", "file"),
)


def rows() -> str:
    """The fields and properties of the models of MODELS."""
    from django.utils import translation

    parts = []
    with translation.override("en"):
        for package, names in MODELS.items():
            parts.append(f"## {package}")
            models = importlib.import_module(f"{package}.models")
            for model in (getattr(models, name) for name in names.split()):
                text = words(inspect.cleandoc(vars(model)["__doc__"]).split("\n\n")[0])
                parts += [f"### {package}.{model.__name__}", text]
                parts.append(table(("name", "type", "what"), [*_fields(model), *_properties(model), *_lists(model)]))
    return "\n\n".join(parts)


def _fields(model: Any) -> Iterator[tuple[str, str, str]]:
    for field in model._meta.concrete_fields:
        if field.name not in INTERNAL and not field.primary_key:
            yield f"`{field.name}`", _kind(field), f"{_what(field)} {_choices(field)}".strip()


def _what(field: Any) -> str:
    """The field's help text, or its label where that says more than its name."""
    label = str(field.verbose_name)
    is_repeated = label.replace("'s", "").lower() == field.name.replace("_", " ")
    return words(str(field.help_text)) or ("" if is_repeated else f"{label[:1].upper()}{label[1:]}.")


def _kind(field: Any) -> str:
    classes = {class_.__name__ for class_ in type(field).__mro__}
    text = next((text for name, text in KINDS if name in classes), "`object`")
    related = field.related_model.__name__ if field.related_model else ""
    return text.format(related=related, length=field.max_length) + (" or `None`" if field.null else "")


def _choices(field: Any) -> str:
    return "One of " + ", ".join(f"`{value}`" for value, _label in field.flatchoices) + "." if field.choices else ""


def _properties(model: Any) -> Iterator[tuple[str, str, str]]:
    for name, value in vars(model).items():
        if isinstance(value, property) and not name.startswith("_"):
            yield f"`{name}`", f"`{type_of(value)}`", f"Computed. {words(inspect.getdoc(value))}".strip()


def _lists(model: Any) -> Iterator[tuple[str, str, str]]:
    """The related rows of the models of MODELS."""
    named = {name for names in MODELS.values() for name in names.split()}
    for relation in model._meta.related_objects:
        name, target = relation.get_accessor_name(), relation.related_model.__name__
        if target in named and not relation.hidden:
            yield f"`{name}`", f"rows of `{target}`", ""
