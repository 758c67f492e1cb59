"""Actions on products: create, change, publish, price, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.db.transactions import connection_of, in_transaction

from shop_catalog import facets, inventory, money, product_changes, search, signals, statistics
from shop_catalog.exceptions import DuplicateValue, InvalidProduct, UnknownProduct
from shop_catalog.models import Category, PriceChange, Product, ProductCategory, ProductKind, texts
from shop_catalog.slugs import free_slug, refuse_reserved

DERIVED = ("search_text", "is_scheduled", "updated_at")
"""Columns that are computed from the given values."""

LOWEST_PRICE_WINDOW = timedelta(days=30)


class ProductValues(TypedDict, total=False):
    """The values that ``create`` and ``change`` accept. Stock is changed by ``inventory`` instead."""

    slug: str
    name: str
    description: str
    price: Decimal | None
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


@in_transaction(Product)
def create(
    sku: str,
    *,
    kind: str = ProductKind.SIMPLE,
    parent: Product | None = None,
    stock_quantity: int = 0,
    by: AbstractBaseUser | None = None,
    **values: Unpack[ProductValues],
) -> Product:
    """Add a product. A variant needs its group as ``parent``. If not given, it takes its group's name and tax class.

    ``stock_quantity`` is recorded as the first stock movement. Without a price it is not for sale, and must not be
    active. A price of zero means free of charge.

    Raises:
        DuplicateValue: the SKU or the slug is taken.
        InvalidProduct: kind, parent and price do not fit together, or a time, an amount or a text is invalid.
    """
    texts.check(Product, sku=sku, **values)
    if Product.objects.filter(sku=sku).exists():
        raise DuplicateValue(_("The SKU %(sku)s is already used by another product.") % {"sku": sku}, field="sku")
    if parent is not None:
        values |= {"name": values.get("name") or parent.name, "tax_class": values.get("tax_class", parent.tax_class)}
    if not values.get("slug"):
        values["slug"] = free_slug(Product, _slug_source(sku, parent, values))
    product = Product(sku=sku, kind=kind, parent=parent)
    check_kind(product, has_price=values.get("price") is not None, has_categories=bool(values.get("categories")))
    listed = _lock(parent.pk) if parent is not None else None
    before = statistics.contribution(listed) if listed is not None else statistics.Figures()
    _set_values(product, values)
    product.save()
    _record_text(product, "")
    _update_derived(product, listed or product, values, before=before, is_new=True)
    if stock_quantity:
        inventory.receive({sku: stock_quantity}, reason=_("Initial stock"), by=by)
    return product


@in_transaction(Product)
def change(product: Product, *, by: AbstractBaseUser | None = None, **values: Unpack[ProductValues]) -> Product:
    """Change the given values of a product and keep the others. Returns the updated product.

    A price of ``None`` removes the price, which is allowed only for an inactive product.

    Raises:
        UnknownProduct: it was deleted in the meantime.
        DuplicateValue, InvalidProduct: as for ``create``.
    """
    texts.check(Product, **values)
    check_kind(product, has_price=values.get("price") is not None, has_categories=bool(values.get("categories")))
    listed = _lock_listed(product)
    before = statistics.contribution(listed)
    product = listed if product.pk == listed.pk else _lock(product.pk)
    old_price = product.price
    old_text = product.search_text
    _set_values(product, values)
    product.save(update_fields={*values, *DERIVED} - {"categories"})
    _record_text(product, old_text)
    if product.price != old_price:
        _record_price(product, old_price, by=by)
    _update_derived(product, listed, values, before=before, old_price=old_price)
    return product


def set_price(product: Product, *, price: Decimal, by: AbstractBaseUser | None = None) -> Product:
    """Change the price of a simple product or a variant. The old price goes into the price history."""
    return change(product, price=price, by=by)


@in_transaction(Product)
def delete(product: Product) -> None:
    """Delete a product, or a group with its variants. Orders keep their own copy of its name and price."""
    listed = _lock_listed(product)
    before = statistics.contribution(listed)
    is_listed = product.pk == listed.pk
    if is_listed:
        statistics.recount(statistics.ancestors_of(category_ids(listed)))
    product_changes.record([listed])
    deleted = Product.objects.filter(Q(pk=product.pk) | Q(parent=product.pk))
    search.record(
        search.upkeep.TextChange(row.pk, row.search_text, "", row.parent_id is not None)
        for row in deleted.only("search_text", "parent")
    )
    Product.objects.filter(pk=product.pk).delete()
    if not is_listed:
        refresh_groups([listed])
        statistics.record(listed.pk, statistics.contribution(listed).minus(before))
        facets.refresh([listed.pk])


def get(sku: str) -> Product:
    """The product with this SKU, published or not, with its group as ``parent``. One query, no lock.

    Raises:
        UnknownProduct: no product has this SKU.
    """
    product = Product.objects.select_related("parent").filter(sku=sku).first() if texts.is_storable(sku) else None
    if product is None:
        raise UnknownProduct(_("There is no product %(sku)s.") % {"sku": sku})
    return product


def lowest_recent_price(product: Product) -> Decimal | None:
    """The lowest price of a product in the last 30 days, including the current one; ``None`` if it has none now."""
    if product.price is None:
        return None
    recent = product.price_changes.filter(changed_at__gte=timezone.now() - LOWEST_PRICE_WINDOW)
    lowest: Decimal | None = recent.aggregate(lowest=Min("old_price"))["lowest"]
    return product.price if lowest is None else min(lowest, product.price)


def category_ids(product: Product) -> list[int]:
    return list(product.category_links.order_by("position", "pk").values_list("category_id", flat=True))


def apply_schedules() -> int:
    """Update the data that depend on publication times that have passed. Returns how many products were updated.

    Products whose times have all passed are added to the stored figures. A group gets its lowest published price.
    """
    now = timezone.now()
    scheduled = Product.objects.filter(is_scheduled=True).select_related("parent").order_by("pk")
    updated = sum(_apply_schedule(product) for product in scheduled if not is_scheduled(product, at=now))
    groups = Product.objects.filter(kind=ProductKind.GROUP, variants__is_scheduled=True).distinct().order_by("pk")
    for group in groups.prefetch_related("variants"):
        if group.price != _lowest_price(group.variants.all(), at=now):
            _update_group(group)
    return updated


@in_transaction(Product)
def _update_group(group: Product) -> None:
    refresh_groups(Product.objects.select_for_update().filter(pk=group.pk))
    facets.refresh([group.pk])
    product_changes.record([group])


@in_transaction(Product)
def _apply_schedule(product: Product) -> int:
    try:
        listed = _lock_listed(product)
    except UnknownProduct:  # deleted in the meantime
        return 0
    before = statistics.contribution(listed)
    updated = Product.objects.filter(pk=product.pk, is_scheduled=True).update(is_scheduled=False)
    listed.refresh_from_db(fields=["is_scheduled"])
    statistics.record(listed.pk, statistics.contribution(listed).minus(before))
    product_changes.record([listed])
    if product.parent_id is not None:
        refresh_groups([listed])
    facets.refresh([listed.pk])
    return updated


def is_scheduled(product: Product, *, at: datetime) -> bool:
    """Whether a publication time of the product or its group is still in the future."""
    times = [product.publish_from, product.publish_until]
    if product.parent is not None:
        times += [product.parent.publish_from, product.parent.publish_until]
    return any(time is not None and time > at for time in times)


def check_kind(product: Product, *, has_price: bool, has_categories: bool) -> None:
    """Check that kind, parent, price and categories fit together.

    Raises:
        InvalidProduct: they do not; ``field`` is the one to correct.
    """
    if product.kind not in ProductKind.values:
        raise InvalidProduct(_("The kind must be simple, group or variant."), field="kind")
    if product.kind == ProductKind.VARIANT:
        if product.parent is None or product.parent.kind != ProductKind.GROUP:
            raise InvalidProduct(_("A variant needs a group as its parent."), field="parent")
        if has_categories:
            raise InvalidProduct(_("A variant is in the categories of its group."), field="categories")
    elif product.parent is not None:
        raise InvalidProduct(_("Only a variant has a parent."), field="parent")
    if product.kind == ProductKind.GROUP and has_price:
        raise InvalidProduct(_("A group has no price of its own. Set the prices of its variants."), field="price")


def check_priced(product: Product) -> None:
    """Check that a product that is active has a price.

    Raises:
        InvalidProduct: it has none.
    """
    if product.is_active and product.price is None and product.kind != ProductKind.GROUP:
        message = _("An active product needs a price. Enter 0 if it is free of charge, or make it inactive.")
        raise InvalidProduct(message, field="price")


def fill_search_texts() -> None:
    """Write the search texts and words of all products again, as after a fixture.

    Groups that have no search text yet, or whose variants have none, also get their price.
    """
    refresh_groups(Product.objects.filter(Q(search_text="") | Q(variants__search_text=""), kind="group").distinct())
    search.fix()


def _slug_source(sku: str, parent: Product | None, values: ProductValues) -> str:
    if parent is None:
        return values.get("name", "") or sku
    return " ".join([parent.slug, *(str(value) for value in values.get("options", {}).values())]) or sku


def _set_values(product: Product, values: ProductValues) -> None:
    if (slug := values.get("slug")) is not None and slug != product.slug:
        refuse_reserved(Product, slug)
        if Product.objects.filter(slug=slug).exclude(pk=product.pk).exists():
            message = _("The slug %(slug)s is already used by another product.") % {"slug": slug}
            raise DuplicateValue(message, field="slug")
    if product.kind == ProductKind.GROUP:
        values.pop("price", None)
    if (price := values.get("price")) is not None:
        money.check(price)
    if (compare_at := values.get("compare_at_price")) is not None:
        money.check(compare_at, field="compare_at_price")
    for name, value in values.items():
        if name != "categories":
            setattr(product, name, value)
    check_priced(product)
    if product.publish_from and product.publish_until and product.publish_from >= product.publish_until:
        raise InvalidProduct(_("The publication must end after it begins."), field="publish_until")
    product.is_scheduled = is_scheduled(product, at=timezone.now())
    if product.kind != ProductKind.GROUP:
        product.search_text = search.searchable_text(product)


def _update_derived(
    product: Product,
    listed: Product,
    values: ProductValues,
    *,
    before: statistics.Figures,
    old_price: Decimal | None = None,
    is_new: bool = False,
) -> None:
    """Update the data that depend on a product: categories, from-price, search text and stored figures."""
    if listed.kind == ProductKind.GROUP:
        if product.pk == listed.pk:
            _reschedule_variants(listed)
        refresh_groups([listed])
    if "categories" in values and product.pk == listed.pk:
        _link(listed, [category.pk for category in values["categories"]], is_new=is_new)
    product_changes.record([listed])
    statistics.record(listed.pk, statistics.contribution(listed).minus(before))
    is_simple = product.kind == ProductKind.SIMPLE and values.keys() == {"price"}
    if is_simple and facets.are_in_one_band(old_price, product.price):
        facets.mark_changed([listed.pk])
    else:
        facets.refresh([listed.pk])


def _link(product: Product, wanted: list[int], *, is_new: bool) -> None:
    """Put a product into these categories. For a product that is not new, the categories are counted again."""
    wanted = list(dict.fromkeys(wanted))
    old = category_ids(product)
    if old == wanted:
        return
    ProductCategory.objects.filter(product=product).exclude(category__in=wanted).delete()
    ProductCategory.objects.bulk_create(
        [
            ProductCategory(product=product, category_id=pk, position=index, listed_at=product.created_at)
            for index, pk in enumerate(wanted)
        ],
        update_conflicts=True,
        unique_fields=["category", "product"],
        update_fields=["position"],
    )
    if not is_new:
        statistics.recount(statistics.ancestors_of(old) ^ statistics.ancestors_of(wanted))


def refresh_groups(groups: Iterable[Product]) -> None:
    """Update groups: their price to the cheapest published variant, their search text to the words of all variants.

    A group without a published variant has no price. Whether the group itself is published makes no difference.
    """
    by_id = {group.pk: group for group in groups}
    variants: dict[int, list[Product]] = {pk: [] for pk in by_id}
    for variant in Product.objects.filter(parent__in=by_id).order_by("position", "pk"):
        if variant.parent_id is not None:
            variant.parent = by_id[variant.parent_id]
            variants[variant.parent_id].append(variant)
    now = timezone.now()
    old_texts = {pk: group.search_text for pk, group in by_id.items()}
    for pk, group in by_id.items():
        group.price = _lowest_price(variants[pk], at=now)
        group.search_text = search.searchable_text(group, variants[pk])
        group.updated_at = now
    search.record(search.upkeep.TextChange(pk, old_texts[pk], group.search_text) for pk, group in by_id.items())
    Product.objects.bulk_update(by_id.values(), ["price", "search_text", "updated_at"], batch_size=500)


def _lowest_price(variants: Iterable[Product], *, at: datetime) -> Decimal | None:
    """The lowest price of the variants that are published at a moment; ``None`` if none is."""
    prices = [
        variant.price
        for variant in variants
        if variant.price is not None and variant.is_published_ignoring_group_at(at)
    ]
    return min(prices, default=None)


def _reschedule_variants(group: Product) -> None:
    now = timezone.now()
    for variant in group.variants.all():
        variant.parent = group
        scheduled = is_scheduled(variant, at=now)
        if scheduled != variant.is_scheduled:
            Product.objects.filter(pk=variant.pk).update(is_scheduled=scheduled)


def _record_text(product: Product, old: str) -> None:
    """Record the words of a simple product or a variant. ``refresh_groups`` records those of a group."""
    if product.kind != ProductKind.GROUP:
        is_variant = product.kind == ProductKind.VARIANT
        search.record([search.upkeep.TextChange(product.pk, old, product.search_text, is_variant)])


def _record_price(product: Product, old_price: Decimal | None, *, by: AbstractBaseUser | None) -> None:
    change = PriceChange.objects.create(
        product=product, old_price=old_price, new_price=product.price, changed_by_id=None if by is None else by.pk
    )
    using = connection_of(PriceChange).alias
    transaction.on_commit(lambda: _announce_price(product, change), using=using, robust=True)


def _announce_price(product: Product, change: PriceChange) -> None:
    values = {
        "product": product,
        "payload": product_changes.price_payload(product, change),
        "event_id": str(change.event_id),
    }
    signals.price_changed.send_robust(sender=Product, **values)


def _lock_listed(product: Product) -> Product:
    """Lock the group of a variant, or the product itself: a group and its variants are changed one at a time."""
    return _lock(product.parent_id or product.pk)


def _lock(pk: int) -> Product:
    product = Product.objects.select_related("parent").select_for_update(of=("self",)).filter(pk=pk).first()
    if product is None:
        raise UnknownProduct(_("The product was deleted in the meantime."))
    return product
