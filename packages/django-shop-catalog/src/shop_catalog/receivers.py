"""Receivers of Django's signals.

``loaddata`` does not call ``save()``: after a fixture, the tree and the price figures are computed again. The files of
images are deleted with their rows.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections, transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.signals import post_delete, post_migrate, pre_delete, pre_save

from shop_catalog import categories, facets, images, products, search, statistics
from shop_catalog.models import Category, FacetChange, Product, ProductCategory, ProductImage, ProductTerms, write_gate


def connect() -> None:
    pre_save.connect(lock_for_raw_category, sender=Category, dispatch_uid="shop_catalog.raw_category")
    for model in (Product, ProductCategory):
        pre_save.connect(recount_for_raw_product, sender=model, dispatch_uid=f"shop_catalog.raw_{model.__name__}")
    pre_delete.connect(count_deleted_product, sender=ProductTerms, dispatch_uid="shop_catalog.deleted_terms")
    post_migrate.connect(create_full_text_table, dispatch_uid="shop_catalog.full_text_table")
    post_delete.connect(delete_product_files, sender=ProductImage, dispatch_uid="shop_catalog.product_files")
    post_delete.connect(delete_category_files, sender=Category, dispatch_uid="shop_catalog.category_files")


def count_deleted_product(*, instance: ProductTerms, using: str, **_kwargs: Any) -> None:
    """Subtract a product from the stored counts when it is deleted, also if other code deletes it."""
    removed = instance.facets if instance.is_counted else []
    above = [term for term in instance.terms if term < 0]
    FacetChange.objects.using(using).create(categories=above, removed=removed)


def create_full_text_table(*, app_config: AppConfig, using: str, **_kwargs: Any) -> None:
    if app_config.label == Product._meta.app_label:
        search.queries.create_full_text_table(using)


def delete_product_files(*, instance: ProductImage, using: str, **_kwargs: Any) -> None:
    images.delete_on_commit(instance.file, instance.renditions, using=using)


def delete_category_files(*, instance: Category, using: str, **_kwargs: Any) -> None:
    images.delete_on_commit(instance.image, instance.renditions, using=using)


def lock_for_raw_category(*, raw: bool, using: str, **_kwargs: Any) -> None:
    """Lock the tree in the transaction of a fixture, and rebuild it once on commit."""
    if raw:
        with write_gate(using=using):
            _once_on_commit(_rebuild_tree, using)


def recount_for_raw_product(*, raw: bool, using: str, **_kwargs: Any) -> None:
    """After a fixture with products, fill the search texts and count everything again, once on commit."""
    if raw:
        _once_on_commit(_recount_all, using)


def _rebuild_tree() -> None:
    categories.repair()
    statistics.recount_all()
    facets.recount_all()


def _recount_all() -> None:
    products.fill_search_texts()
    fix_links()
    statistics.recount_all()
    facets.rebuild()


def fix_links() -> None:
    """Write the columns of links that do not fit their products, such as those of a fixture."""
    wrong = ProductCategory.objects.exclude(listed_at=F("product__created_at"))
    created = Product.objects.filter(pk=OuterRef("product")).values("created_at")
    wrong.update(listed_at=Subquery(created))
    ProductCategory.objects.filter(is_hidden=True, product__is_active=True).update(is_hidden=False)


def _once_on_commit(function: Any, using: str) -> None:
    if not any(entry[1] is function for entry in connections[using].run_on_commit):
        transaction.on_commit(function, using=using)
