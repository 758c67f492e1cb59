"""``manage.py load_sample_data``: fill an empty shop with sample data."""

from __future__ import annotations

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from accounts.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction
from shop_catalog import categories, inventory, products, reviews
from shop_catalog.models import Category, Product, ProductKind, ReviewStatus

from demo import sample_orders, sample_users
from demo.catalogue import CATEGORIES, DESCRIPTIONS, PRODUCTS, REVIEWS, Item

LOW_STOCK = 5


class Command(BaseCommand):
    help = (
        "Fill an empty shop with categories, products, users, reviews and orders. A shop with products is not changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--without-orders", action="store_true", help="No orders, and accounts with unusable passwords."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if Product.objects.exists():
            self.stdout.write("The shop has products already; nothing was changed.")
            return
        with transaction.atomic():
            by_name = _load_categories()
            for item in PRODUCTS:
                _load_product(item, by_name[item.category])
            users = sample_users.load(with_passwords=not options["without_orders"])
            if not options["without_orders"]:
                sample_orders.place()
            _load_reviews(users)
        self.stdout.write(
            f"{len(CATEGORIES) + len(by_name)} categories, {len(PRODUCTS)} products, {len(users)} users."
        )
        call_command("load_pictures", stdout=self.stdout)


def _load_categories() -> dict[str, Category]:
    """Create the categories and return the lowest ones by name."""
    leaves = {}
    for position, (name, children) in enumerate(CATEGORIES.items()):
        root = categories.create(name, description=DESCRIPTIONS[name], position=position)
        for place, (child, description) in enumerate(children.items()):
            leaves[child] = categories.create(child, parent=root, description=description, position=place)
    return leaves


def _load_product(item: Item, category: Category) -> Product:
    values: dict[str, Any] = {
        "name": item.name,
        "description": item.description,
        "compare_at_price": Decimal(item.compare_at) if item.compare_at else None,
        "is_featured": item.featured,
        "attributes": item.attributes,
        "categories": [category],
    }
    if not item.sizes:
        product = products.create(item.sku, price=item.amount, low_stock_threshold=LOW_STOCK, **values)
        _receive({item.sku: item.stock})
        return product
    group = products.create(item.sku, kind=ProductKind.GROUP, **values)
    for position, size in enumerate(item.sizes):
        products.create(
            f"{item.sku}-{size}",
            kind=ProductKind.VARIANT,
            parent=group,
            options={"size": size},
            price=item.amount,
            compare_at_price=values["compare_at_price"],
            position=position,
            low_stock_threshold=LOW_STOCK - 2,
        )
    _receive({f"{item.sku}-{size}": stock for size, stock in item.sizes.items()})
    return group


def _receive(stock: dict[str, int]) -> None:
    inventory.receive({sku: count for sku, count in stock.items() if count}, reference="sample", reason="Sample data")


def _load_reviews(authors: list[User]) -> None:
    for sku, opinions in REVIEWS.items():
        product = Product.objects.get(sku=sku)
        for author, (rating, title, body) in zip(authors, opinions, strict=False):
            review = reviews.submit(product, user=author, rating=rating, title=title, body=body)
            reviews.moderate(review, status=ReviewStatus.PUBLISHED)
