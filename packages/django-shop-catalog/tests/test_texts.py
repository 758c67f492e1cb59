"""Texts that are too long, or that a database cannot store, are refused by every public function, on each database."""

import inspect
import io
import re
from contextlib import suppress
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from PIL import Image
from shop_catalog import browsing, categories, images, inventory, products, reviews
from shop_catalog.exceptions import InvalidText, ShopCatalogError
from shop_catalog.models import Category, Product, ProductImage, Review, StockMovement

pytestmark = pytest.mark.django_db
TEXTS = {"long": "a" * 3000, "NUL": "a\0b", "surrogate": "a\ud800b"}
MODULES = {
    "browsing": browsing,
    "categories": categories,
    "images": images,
    "inventory": inventory,
    "products": products,
    "reviews": reviews,
}
VALUES = ("slug", "name", "description", "tax_class", "attributes", "options")
"""The texts in the values of ``products.create`` and ``change``."""
ELSEWHERE = {
    "browsing.attribute_from_text": "reads no database",
    "browsing.attribute_to_text": "reads no database",
    "browsing.place_from_cursor": "reads no database",
    "browsing.place_to_cursor": "reads no database",
    "browsing.list_products": "its ordering is a name of ours",
    "categories.delete": "its choice is a name of ours",
    "inventory.announce_on_commit": "its texts are those of a stored movement",
    "reviews.moderate": "its status is a name of ours",
    "images.check_address": "reads no database",
    "images.fetch": "reads no database",
    "images.open_checked": "takes a file",
    "images.delete_on_commit": "takes a database",
}


def parameters():
    """``(function, parameter)`` of every public function that takes a text, or texts as keys."""
    found = [(f"products.{name}", value) for name in ("create", "change") for value in VALUES]
    for module_name, module in MODULES.items():
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in sorted(names):
            function = getattr(module, name)
            if not inspect.isfunction(function) or not function.__module__.startswith(module.__name__):
                continue
            found += [
                (f"{module_name}.{name}", parameter.name)
                for parameter in inspect.signature(function).parameters.values()
                if re.search(r"\bstr\b", str(parameter.annotation)) and parameter.kind != parameter.VAR_KEYWORD
            ]
    return [row for row in found if row[0] not in ELSEWHERE]


@pytest.fixture
def act():
    """Call a public function with a text as one of its parameters."""
    user = get_user_model().objects.create_user("test-customer", "customer@example.org", "pw")
    numbers = iter(range(1000))

    def product():
        number = next(numbers)
        made = products.create(f"SKU-{number}", name="Tea", price=Decimal(1), stock_quantity=9, slug=f"tea-{number}")
        inventory.reserve({made.sku: 3}, reference=f"R-{number}")
        return made

    def category():
        return categories.create(f"Garden {next(numbers)}")

    def review():
        Review.objects.all().delete()
        return reviews.submit(product(), user=user, rating=5)

    def moves(name, **options):
        def call(quantities=None, changes=None, reference=None, **more):
            given = quantities or changes or {product().sku: 1}
            kept = {"reference": f"M-{next(numbers)}"} if reference is None else {"reference": reference}
            return getattr(inventory, name)(given, **{**options, **kept, **more})

        return call

    def picture():
        file = io.BytesIO()
        Image.new("RGB", (2, 2)).save(file, "PNG")
        file.seek(0)
        return file

    def new(sku=None, kind="simple", **values):
        return products.create(sku or f"NEW-{next(numbers)}", kind=kind, **{"name": "Tea", **values})

    calls = {
        "browsing.find_product": browsing.find_product,
        "browsing.suggest": browsing.suggest,
        "categories.create": lambda name="Garden", **more: categories.create(name, **more),
        "categories.change": lambda **more: categories.change(category(), **more),
        "categories.get": categories.get,
        "categories.reorder": lambda slugs: categories.reorder(None, slugs=[slugs]),
        "images.add": lambda **more: images.add(product(), file=picture(), **more),
        "images.change": lambda **more: images.change(images.add(product(), file=picture()), **more),
        "inventory.adjust": moves("adjust", reason="Found"),
        "inventory.count": moves("count", reason="Counted"),
        "inventory.receive": moves("receive"),
        "inventory.release": moves("release"),
        "inventory.reserve": moves("reserve"),
        "inventory.restock": moves("restock"),
        "inventory.ship": moves("ship"),
        "products.create": new,
        "products.change": lambda **more: products.change(product(), **more),
        "products.get": products.get,
        "reviews.submit": lambda **more: reviews.submit(review().product, user=other(), rating=4, **more),
        "reviews.change": lambda **more: reviews.change(review(), **more),
        "reviews.reply": lambda **more: reviews.reply(review(), **more),
    }

    def other():
        return get_user_model().objects.create_user(f"other-{next(numbers)}", "", "pw")

    def call(name, parameter, text):
        value = {text: 5} if parameter in ("quantities", "changes") else text
        value = {"colour": text} if parameter in ("attributes", "options") else value
        return calls[name](**{parameter: value})

    call.names = set(calls)
    return call


def test_every_function_is_tried(act):
    known = {name for name, _parameter in parameters()}
    assert known - act.names == set()
    assert set(ELSEWHERE) & act.names == set()


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize(("name", "parameter"), parameters())
def test_text_that_cannot_be_stored_is_refused(act, name, parameter, kind):
    with suppress(ShopCatalogError):
        act(name, parameter, TEXTS[kind])
    for model in (Category, Product, ProductImage, Review, StockMovement):
        for row in model.objects.all():
            for column in model._meta.concrete_fields:
                value = getattr(row, column.attname)
                if isinstance(value, str):
                    assert "\0" not in value
                    assert "\ud800" not in value
                    assert column.max_length is None or len(value) <= column.max_length, (name, column)


@pytest.mark.parametrize(("kind", "says"), [("long", "enter at most 200"), ("NUL", "cannot be stored")])
def test_error_names_the_field_and_says_what_to_do(act, kind, says):
    with pytest.raises(InvalidText, match=says) as caught:
        act("products.create", "name", TEXTS[kind] * 2)
    assert caught.value.field == "name"
