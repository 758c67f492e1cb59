"""What can be done to products: create, change, delete, publish, price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypedDict, Unpack

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_catalog import money, signals, statistics
from shop_catalog.exceptions import DuplicateValue, InvalidProduct, UnknownProduct
from shop_catalog.models import Category, PriceChange, Product, ProductCategory, ProductKind
from shop_catalog.search import simplify
from shop_catalog.slugs import free_slug

DERIVED = ("search_text", "is_scheduled", "updated_at")
"""Columns that follow from what is given."""

LOWEST_PRICE_WINDOW = timedelta(days=30)


class ProductValues(TypedDict, total=False):
    """What can be given of a product. Stock is moved by ``inventory`` instead."""

    slug: str
    name: str
    description: str
    price: Decimal
    compare_at_price: Decimal | None
    tax_class: str
    attributes: Mapping[str, Any]
    options: Mapping[str, Any]
    position: int
    weight: Decimal | None
    is_active: bool
    is_featured: bool
    publish_from: datetime | None
    publish_until: datetime | None
    low_stock_threshold: int | None
    categories: Sequence[Category]


def create(
    sku: str,
    *,
    kind: str = ProductKind.SIMPLE,
    parent: Product | None = None,
    by: AbstractBaseUser | None = None,
    **values: Unpack[ProductValues],
) -> Product:
    """Add a product. A variant needs its group as ``parent`` and takes from it what is not given.

    Raises:
        DuplicateValue: the SKU or the slug is taken.
        InvalidProduct: kind, parent and price do not fit together, or a time or amount is impossible.
    """
    if Product.objects.filter(sku=sku).exists():
        raise DuplicateValue(_("The SKU %(sku)s belongs to another product.") % {"sku": sku}, field="sku")
    if parent is not None and not values.get("name"):
        values["name"] = parent.name
    if not values.get("slug"):
        values["slug"] = free_slug(Product, _slug_source(sku, parent, values))
    product = Product(sku=sku, kind=kind, parent=parent)
    check_kind(product, priced="price" in values, linked=bool(values.get("categories")))
    return _write(product, values, by=by)


def change(product: Product, *, by: AbstractBaseUser | None = None, **values: Unpack[ProductValues]) -> Product:
    """Change what is given of a product and leave the rest. Answers it as it is now.

    Raises:
        UnknownProduct: it was deleted in the meantime.
        DuplicateValue, InvalidProduct: as for ``create``.
    """
    check_kind(
        product,
        priced="price" in values and product.kind == ProductKind.GROUP,
        linked=bool(values.get("categories")),
        is_new=False,
    )
    return _write(product, values, by=by)


def set_price(product: Product, *, price: Decimal, by: AbstractBaseUser | None = None) -> Product:
    """Change the price of a simple product or a variant; the price before is kept."""
    return change(product, price=price, by=by)


def delete(product: Product) -> None:
    """Delete a product, a group with its variants. Orders keep what they noted of it."""
    with _listed_locked(product) as listed:
        is_listed = product.pk == listed.pk
        before = statistics.contribution(listed)
        if is_listed:
            statistics.recount(statistics.ancestors_of(category_ids(listed)))
        product.delete()
        if not is_listed:
            refresh_groups([listed])
            statistics.record(listed.pk, statistics.contribution(listed).minus(before))


def get(sku: str) -> Product:
    """
    Raises:
        UnknownProduct: there is none with this SKU.
    """
    product = Product.objects.select_related("parent").filter(sku=sku).first()
    if product is None:
        raise UnknownProduct(_("There is no product %(sku)s.") % {"sku": sku})
    return product


def lowest_recent_price(product: Product) -> Decimal:
    """The lowest price at which it was sold at any time in the last 30 days, the price of now included."""
    recent = product.price_changes.filter(changed_at__gte=timezone.now() - LOWEST_PRICE_WINDOW)
    lowest: Decimal | None = recent.aggregate(lowest=Min("old_price"))["lowest"]
    return product.price if lowest is None else min(lowest, product.price)


def category_ids(product: Product) -> list[int]:
    return list(product.category_links.order_by("position", "pk").values_list("category_id", flat=True))


def settle_schedules() -> int:
    """Let products whose publication times have all passed count in the kept figures. Answers how many."""
    now = timezone.now()
    settled = 0
    for product in Product.objects.filter(is_scheduled=True).select_related("parent").order_by("pk"):
        if is_scheduled(product, at=now):
            continue
        with _listed_locked(product) as listed:
            before = statistics.contribution(listed)
            settled += Product.objects.filter(pk=product.pk, is_scheduled=True).update(is_scheduled=False)
            listed.refresh_from_db(fields=["is_scheduled"])
            statistics.record(listed.pk, statistics.contribution(listed).minus(before))
            if product.parent_id is not None:
                refresh_groups([listed])
    return settled


def is_scheduled(product: Product, *, at: datetime) -> bool:
    """Whether its publication, or its group's, still changes by itself."""
    times = [product.publish_from, product.publish_until]
    if product.parent is not None:
        times += [product.parent.publish_from, product.parent.publish_until]
    return any(time is not None and time > at for time in times)


def check_kind(product: Product, *, priced: bool, linked: bool, is_new: bool = True) -> None:
    """
    Raises:
        InvalidProduct: kind, parent, price and categories do not fit together.
    """
    if product.kind not in ProductKind.values:
        raise InvalidProduct(_("The kind must be simple, group or variant."), field="kind")
    if product.kind == ProductKind.VARIANT:
        if product.parent is None or product.parent.kind != ProductKind.GROUP:
            raise InvalidProduct(_("A variant needs a group as its parent."), field="parent")
        if linked:
            raise InvalidProduct(_("A variant is in the categories of its group."), field="categories")
    elif product.parent is not None:
        raise InvalidProduct(_("Only a variant has a parent."), field="parent")
    if product.kind == ProductKind.GROUP:
        if priced:
            raise InvalidProduct(_("A group has no price of its own; its variants have."), field="price")
    elif is_new and not priced:
        raise InvalidProduct(_("The price is missing."), field="price")


def searchable_text(product: Product, variants: Iterable[Product] = ()) -> str:
    """What search looks at: see ``SearchBackend.search``."""
    words = [product.name, product.sku, *_texts(product.attributes), *_texts(product.options)]
    for variant in variants:
        words += [variant.name, variant.sku, *_texts(variant.attributes), *_texts(variant.options)]
    first_line = simplify(" ".join(dict.fromkeys(words)))
    return f"{first_line}\n{simplify(product.description)}"


def fill_search_texts() -> int:
    """Make searchable what was written past the verbs, as by a fixture. Answers how many products."""
    rows = list(Product.objects.filter(search_text="").select_related("parent"))
    groups = {row.listed.pk: row.listed for row in rows if row.listed.kind == ProductKind.GROUP}
    for row in rows:
        row.search_text = searchable_text(row)
    Product.objects.bulk_update(rows, ["search_text"], batch_size=500)
    refresh_groups(groups.values())
    return len(rows)


def _texts(values: Mapping[str, Any]) -> Iterator[str]:
    for value in values.values():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, list):
            yield from (str(item) for item in value if isinstance(item, str | int))


def _slug_source(sku: str, parent: Product | None, values: ProductValues) -> str:
    if parent is None:
        return values.get("name", "") or sku
    return " ".join([parent.slug, *(str(value) for value in values.get("options", {}).values())]) or sku


def _write(product: Product, values: ProductValues, *, by: AbstractBaseUser | None) -> Product:
    """Write a new or changed product with all that follows from it, in one transaction."""
    if not product.pk:
        with transaction.atomic():
            listed = _lock(product.parent.pk) if product.parent is not None else None
            before = statistics.contribution(listed) if listed is not None else statistics.Figures()
            _apply(product, values)
            product.save()
            _finish(product, listed or product, values, before=before, is_new=True)
        return product
    with _listed_locked(product) as listed:
        before = statistics.contribution(listed)
        product = listed if product.pk == listed.pk else _lock(product.pk)
        old_price = product.price
        _apply(product, values)
        product.save(update_fields={*values, *DERIVED} - {"categories"})
        if product.price != old_price:
            _keep_price(product, old_price, by=by)
        _finish(product, listed, values, before=before)
    return product


def _apply(product: Product, values: ProductValues) -> None:
    slug = values.get("slug")
    if slug is not None and Product.objects.filter(slug=slug).exclude(pk=product.pk).exists():
        raise DuplicateValue(_("The slug %(slug)s belongs to another product.") % {"slug": slug}, field="slug")
    if "price" in values:
        money.check(values["price"])
    compare_at = values.get("compare_at_price")
    if compare_at is not None:
        money.check(compare_at, field="compare_at_price")
    for name, value in values.items():
        if name != "categories":
            setattr(product, name, value)
    if product.publish_from and product.publish_until and product.publish_from >= product.publish_until:
        raise InvalidProduct(_("The publication ends before it begins."), field="publish_until")
    product.is_scheduled = is_scheduled(product, at=timezone.now())
    if product.kind != ProductKind.GROUP:
        product.search_text = searchable_text(product)


def _finish(
    product: Product, listed: Product, values: ProductValues, *, before: statistics.Figures, is_new: bool = False
) -> None:
    """Bring what is kept of the listed product up to date: links, from-price, search text, figures."""
    if listed.kind == ProductKind.GROUP:
        if product.pk == listed.pk:
            _reschedule_variants(listed)
        refresh_groups([listed])
    if "categories" in values and product.pk == listed.pk:
        _link(listed, [category.pk for category in values["categories"]], is_new=is_new)
    statistics.record(listed.pk, statistics.contribution(listed).minus(before))


def _link(product: Product, wanted: list[int], *, is_new: bool) -> None:
    """Put a product into these categories. A new one is noted whole; of another the categories are counted anew."""
    wanted = list(dict.fromkeys(wanted))
    old = category_ids(product)
    if old == wanted:
        return
    ProductCategory.objects.filter(product=product).exclude(category__in=wanted).delete()
    ProductCategory.objects.bulk_create(
        [ProductCategory(product=product, category_id=pk, position=index) for index, pk in enumerate(wanted)],
        update_conflicts=True,
        unique_fields=["category", "product"],
        update_fields=["position"],
    )
    if not is_new:
        statistics.recount(statistics.ancestors_of(old) ^ statistics.ancestors_of(wanted))


def refresh_groups(groups: Iterable[Product]) -> None:
    """Bring groups up to date: the price is the lowest published variant's, the search text knows them all."""
    by_id = {group.pk: group for group in groups}
    variants: dict[int, list[Product]] = {pk: [] for pk in by_id}
    for variant in Product.objects.filter(parent__in=by_id).order_by("position", "pk"):
        if variant.parent_id is not None:
            variant.parent = by_id[variant.parent_id]
            variants[variant.parent_id].append(variant)
    now = timezone.now()
    for pk, group in by_id.items():
        prices = [variant.price for variant in variants[pk] if variant.is_published_at(now)]
        group.price = min(prices, default=Decimal(0))
        group.search_text = searchable_text(group, variants[pk])
        group.updated_at = now
    Product.objects.bulk_update(by_id.values(), ["price", "search_text", "updated_at"], batch_size=500)


def _reschedule_variants(group: Product) -> None:
    now = timezone.now()
    for variant in group.variants.all():
        variant.parent = group
        scheduled = is_scheduled(variant, at=now)
        if scheduled != variant.is_scheduled:
            Product.objects.filter(pk=variant.pk).update(is_scheduled=scheduled)


def _keep_price(product: Product, old_price: Decimal, *, by: AbstractBaseUser | None) -> None:
    kept = PriceChange.objects.create(
        product=product, old_price=old_price, new_price=product.price, changed_by_id=None if by is None else by.pk
    )
    transaction.on_commit(partial(_announce_price, product, kept), robust=True)


def _announce_price(product: Product, kept: PriceChange) -> None:
    payload = {
        "version": 1,
        "product": {"sku": product.sku, "name": product.name, "slug": product.listed.slug},
        "old_price": money.as_text(kept.old_price),
        "new_price": money.as_text(kept.new_price),
        "currency": product.currency,
        "notify": True,
        "recipients": {},
    }
    signals.price_changed.send_robust(sender=Product, product=product, payload=payload, event_id=str(kept.event_id))


@contextmanager
def _listed_locked(product: Product) -> Iterator[Product]:
    """A transaction that holds the row on which everything about a product and its variants is serialised."""
    with transaction.atomic():
        yield _lock(product.parent_id or product.pk)


def _lock(pk: int) -> Product:
    product = Product.objects.select_related("parent").select_for_update(of=("self",)).filter(pk=pk).first()
    if product is None:
        raise UnknownProduct(_("The product was deleted in the meantime."))
    return product
