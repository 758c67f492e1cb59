from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models

from shop_orders.conf import app_settings

NAMES = ("name", "title", "label")
PRICES = ("price", "sale_price", "unit_price", "amount", "fee")
NO_PRICES = ("cost", "purchase", "old", "compare", "discount", "tax", "vat", "rate", "weight", "cents", "minor")
"""A number field with one of these words in its name is not the price to pay."""
STOCKS = ("stock", "on_hand", "quantity", "in_stock", "inventory", "stock_quantity", "available", "units")
REFS = ("sku", "isbn", "ean", "code", "article_number", "reference", "slug")
IMAGES = ("image", "picture", "photo", "cover", "thumbnail")
UNSOLD = ("draft", "deleted", "hidden", "archived", "removed", "private", "discontinued", "status", "state")
"""A flag or a choice with one of these words in its name may say that a row is not on sale."""
FLAGS = ("live", "is_active", "is_listed", "is_published", "active", "published", "available", "visible", "enabled")


class Command(BaseCommand):
    help = "Print the settings with which the shop sells the rows of a model."
    requires_system_checks = ()
    """The checks would fail without the settings that this prints."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="app_label.ModelName, such as books.Book")
        parser.add_argument("--currency", default="", help="ISO 4217 code; otherwise the configured one, or KES.")
        parser.add_argument(
            "--price", default="", help="The field or property with the price, if its name does not show it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        model = _model(options["model"])
        fields = [field for field in model._meta.concrete_fields if not field.is_relation]
        found = self._options(model, fields, options["price"] or _price(model, fields))
        currency = options["currency"] or app_settings.get("CURRENCY", "KES")
        lines = "\n".join(f"            {name!r}: {value!r}," for name, value in found.items())
        self.stdout.write(
            f"""# Paste into settings.py, and add "shop_orders" to INSTALLED_APPS.
SHOP_ORDERS = {{
    "CURRENCY": {currency!r},
    "PRODUCT_SOURCE": {{
        "BACKEND": "shop_orders.product_sources.ModelProductSource",
        "OPTIONS": {{
{lines}
        }},
    }},
}}""".replace("'", '"')
        )
        if not options["price"] and any(word in found["price"] for word in NO_PRICES):
            self.stderr.write(
                f"{found['price']} may not be the price that customers pay. Name the right one with --price."
            )
        if not options["price"] and (others := [name for name in _prices(model) if name != found["price"]]):
            self.stderr.write(f"{', '.join(others)} may be the price too. If so, name it with --price.")
        for hint in self._hints(model, found):
            self.stderr.write(hint)
        if not options["currency"] and not app_settings.get("CURRENCY", ""):
            self.stderr.write(f"{currency} is an example: replace it with the currency of your prices.")

    def _options(self, model: type[models.Model], fields: list[Any], price: str) -> dict[str, Any]:
        unique = [field for field in fields if field.unique]
        texts = [field for field in fields if isinstance(field, models.CharField) and not field.unique]
        long_texts = [field for field in fields if isinstance(field, models.TextField)]
        counts = [field for field in fields if isinstance(field, models.IntegerField) and not field.primary_key]
        flags = [field for field in fields if isinstance(field, models.BooleanField)]
        if not hasattr(model, price):
            raise CommandError(f"{model._meta.label} has no {price}.")
        found: dict[str, Any] = {
            "model": model._meta.label,
            # Another unique column may be a position, such as the path of a tree: it then names another row.
            "ref": _pick(unique, REFS, only_known=True) or model._meta.pk.name,
            "name": _pick([*texts, *long_texts, *unique], NAMES, only_known=True) or _text(model, texts),
            "price": price,
        }
        stock = _pick([field for field in counts if field.name != price], STOCKS, only_known=True, part="stock")
        flag = _pick(flags, FLAGS, only_known=True)
        return {
            **found,
            **({"stock": stock} if stock else {}),
            **({"image": image} if (image := _image(model)) else {}),
            **({"filters": {flag: True}} if flag else {}),
        }

    def _hints(self, model: type[models.Model], found: dict[str, Any]) -> Iterable[str]:
        if found["name"] not in NAMES:
            yield f"No field looks like a name: the name is {found['name']}. Change it if customers read another."
        if unsold := [name for name in _flags(model) if name not in found.get("filters", {})]:
            yield f'{", ".join(unsold)} may say which rows are on sale. If so, add a condition to "filters".'
        if "stock" not in found:
            yield 'No field looks like a stock, so stock is not tracked. Add "stock": "<field>" if there is one.'
        fields = {field.name: field for field in model._meta.concrete_fields}
        if found["price"] in fields and hasattr(fields[found["price"]], "currency_field_name"):
            yield f"{found['price']} has a currency of its own: only amounts in the shop's currency are sold."
        if "stock" in found and found["stock"] in fields and fields[found["stock"]].editable:
            yield (
                f"A form or a revision that was opened before a sale writes {found['stock']} back to the old number. "
                'Make it read-only in forms, or keep the stock in a table of its own: see "Sell your own model".'
            )
        if found["ref"] == model._meta.pk.name:
            yield "The primary key is the products' reference: it will be visible in carts and orders."


def _model(text: str) -> type[models.Model]:
    app_label, _dot, name = text.partition(".")
    try:
        config = apps.get_app_config(app_label)
    except LookupError as error:
        raise CommandError(f"{error} Write app_label.ModelName, such as books.Book.") from error
    try:
        return config.get_model(name)
    except LookupError as error:
        names = ", ".join(sorted(model._meta.label for model in config.get_models())) or "no model"
        raise CommandError(f"There is no model {text}. {app_label} has: {names}.") from error


def _price(model: type[models.Model], fields: list[Any]) -> str:
    numbers = [field for field in fields if isinstance(field, (models.DecimalField, models.FloatField))]
    counts = [field for field in fields if isinstance(field, models.IntegerField)]
    likely = _prices(model)
    properties = [name for name in PRICES if isinstance(getattr(model, name, None), property)]
    known = next((name for name in PRICES if name in likely), "")
    if len(likely) > 1 and not known:
        raise CommandError(
            f"More than one field of {model._meta.label} may be the price: {', '.join(likely)}. Name one with --price."
        )
    found = (
        known
        or next(iter(likely), "")
        or _pick(counts, PRICES, only_known=True)
        or next(iter(properties), "")
        or _pick(numbers, ("cost",), only_known=True)
    )
    if not found:
        names = ", ".join(field.name for field in fields)
        raise CommandError(
            f"{model._meta.label} has no field that looks like a price. It has: {names}. Name it with --price."
        )
    return found


def _prices(model: Any) -> list[str]:
    """The number fields that may be the price to pay."""
    numbers = [
        field for field in model._meta.concrete_fields if isinstance(field, (models.DecimalField, models.FloatField))
    ]
    names = [field.name for field in numbers if not any(word in field.name for word in NO_PRICES)]
    return [name for name in names if name in PRICES or "price" in name]


def _flags(model: Any) -> list[str]:
    """The fields that may say which rows are on sale."""
    flags = [field for field in model._meta.concrete_fields if isinstance(field, models.BooleanField) or field.choices]
    return [field.name for field in flags if field.name in FLAGS or any(word in field.name for word in UNSOLD)]


def _text(model: type[models.Model], texts: list[Any]) -> str:
    """The name of a row if no field looks like a name: the text of ``__str__``, else the first text field."""
    has_text = model.__str__ is not models.Model.__str__
    return "__str__" if has_text or not texts else str(texts[0].name)


def _image(model: type[models.Model]) -> str:
    """The file of the product's picture, which may be in a table of its own: ``picture.file``."""
    for field in model._meta.concrete_fields:
        if not any(name in field.name for name in IMAGES):
            continue
        if isinstance(field, models.FileField):
            return field.name
        related: Any = field.related_model._meta.concrete_fields if isinstance(field, models.ForeignKey) else []
        for file in related:
            if isinstance(file, models.FileField):
                return f"{field.name}.{file.name}"
    return ""


def _pick(fields: list[Any], names: tuple[str, ...], *, only_known: bool = False, part: str = "") -> str:
    """The field with the earliest of ``names``, else one with ``part`` in its name, else the first that is not the
    key."""
    known = {field.name: field for field in fields}
    for name in names:
        if name in known:
            return name
    for name in known:
        if part and part in name:
            return str(name)
    rest = [field for field in fields if not field.primary_key] or fields
    return "" if only_known or not rest else str(rest[0].name)
