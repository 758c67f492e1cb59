from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models

from shop_orders.conf import app_settings

NAMES = ("name", "title", "label")
PRICES = ("price", "sale_price", "unit_price", "amount", "fee", "cost")
STOCKS = ("stock", "on_hand", "quantity", "in_stock", "inventory", "stock_quantity", "available", "units")
REFS = ("sku", "isbn", "ean", "code", "article_number", "reference", "slug")
FLAGS = ("is_active", "is_listed", "is_published", "active", "published", "available", "visible", "enabled")


class Command(BaseCommand):
    help = "Look at a model of yours and print the settings that sell it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="app_label.ModelName, such as books.Book")
        parser.add_argument("--currency", default="", help="ISO 4217 code; otherwise the configured one, or KES.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            model = apps.get_model(options["model"])
        except (LookupError, ValueError) as error:
            raise CommandError(f"{error} Write app_label.ModelName, such as books.Book.") from error
        fields = [field for field in model._meta.concrete_fields if not field.is_relation]
        found = self._options(model, fields)
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
        for note in self._notes(model, found):
            self.stderr.write(note)

    def _options(self, model: type[models.Model], fields: list[Any]) -> dict[str, Any]:
        unique = [field for field in fields if field.unique]
        texts = [field for field in fields if isinstance(field, models.CharField) and not field.unique]
        numbers = [field for field in fields if isinstance(field, (models.DecimalField, models.FloatField))]
        counts = [field for field in fields if isinstance(field, models.IntegerField) and not field.primary_key]
        flags = [field for field in fields if isinstance(field, models.BooleanField)]
        price = _pick(numbers, PRICES) or _pick(counts, PRICES, only_known=True)
        if not price:
            names = ", ".join(field.name for field in fields)
            raise CommandError(f"{model._meta.label} has no field that looks like a price. It has: {names}.")
        found: dict[str, Any] = {
            "model": model._meta.label,
            "ref": _pick(unique, REFS) or model._meta.pk.name,
            "name": _pick(texts, NAMES) or _pick(unique, NAMES) or "__str__",
            "price": price,
        }
        stock = _pick([field for field in counts if field.name != price], STOCKS, only_known=True)
        flag = _pick(flags, FLAGS, only_known=True)
        return {
            **found,
            **({"stock": stock} if stock else {}),
            **({"filters": {flag: True}} if flag else {}),
        }

    def _notes(self, model: type[models.Model], found: dict[str, Any]) -> Iterable[str]:
        if "stock" not in found:
            yield 'No field looks like a stock: nobody counts. Add "stock": "<field>" if there is one.'
        if found["ref"] == model._meta.pk.name:
            yield "The primary key is the products' reference: it will show in carts and orders."


def _pick(fields: list[Any], names: tuple[str, ...], *, only_known: bool = False) -> str:
    """The field with the best known name; else the first that is no primary key."""
    known = {field.name: field for field in fields}
    for name in names:
        if name in known:
            return name
    rest = [field for field in fields if not field.primary_key] or fields
    return "" if only_known or not rest else str(rest[0].name)
