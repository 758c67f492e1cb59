"""Categories: a tree of any depth, stored as nested sets by django-mptt and locked for every write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models, router
from django.db.models.base import ModelBase
from django.utils.translation import gettext_lazy as _
from mptt.exceptions import InvalidMove
from mptt.models import MPTTModel, TreeForeignKey

from shop_catalog.exceptions import CategoryCycle
from shop_catalog.managers import CategoryManager
from shop_catalog.models.facet_change import FacetChange
from shop_catalog.models.gate import write_gate
from shop_catalog.models.statistics_change import StatisticsChange

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_catalog.managers import RelatedProducts
    from shop_catalog.models.product import ProductCategory
    from shop_catalog.models.statistics import CategoryStatistics

TREE_FIELDS = ("tree_id", "lft", "rght", "level")
ORDER = ("position", "name")


class Category(MPTTModel):
    """A category of products. Siblings are ordered by ``position``, then ``name``."""

    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("slug"), max_length=100, unique=True)
    parent = TreeForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    description = models.TextField(_("description"), blank=True)
    image = models.ImageField(_("image"), upload_to="shop_catalog/categories/", blank=True)
    renditions = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    renditions_for = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("An inactive category hides everything below it from the tree.")
    )
    position = models.PositiveIntegerField(_("position"), default=0, help_text=_("Order among siblings."))

    parent_id: int | None
    children: CategoryManager
    products: RelatedProducts
    product_links: RelatedManager[ProductCategory]
    statistics: CategoryStatistics

    objects: ClassVar[CategoryManager] = CategoryManager()

    class MPTTMeta:
        order_insertion_by = ORDER

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.name

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Lock the tree, read the nested-set numbers again, and save.

        If the caller did not change ``parent``, the stored parent is kept.

        Raises:
            CategoryCycle: the parent is the category itself or below it.
        """
        alias = using or self._state.db or router.db_for_write(Category, instance=self)
        fields = None if update_fields is None else frozenset(update_fields)
        is_new = self._state.adding
        with write_gate(using=alias):
            old_ancestors = self._read_again(alias, fields)
            new_ancestors = self._ancestors_by_parents(alias)
            unsaved = self._use_stored_order(fields)
            super().save(force_insert=force_insert, force_update=force_update, using=alias, update_fields=fields)
            for name, value in unsaved.items():
                setattr(self, name, value)
            if not is_new:
                _recount(alias, old_ancestors ^ new_ancestors)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:  # noqa: FBT001, FBT002
        """Delete a category without children. Its products are not deleted.

        Raises:
            ProtectedError: it has children. ``categories.delete`` can move them up first.
        """
        alias = using or self._state.db or router.db_for_write(Category, instance=self)
        with write_gate(using=alias):
            self.refresh_from_db(using=alias, fields=["parent", *TREE_FIELDS])
            ancestors = self._ancestors_by_parents(alias)
            deleted = super().delete(using=alias, keep_parents=keep_parents)
            _recount(alias, ancestors)
        return deleted

    def move_to(self, target: Category | None, position: str = "first-child") -> None:
        """Move to a place relative to another category: ``first-child``, ``last-child``, ``left`` or ``right`` of it.

        ``None`` makes it the last root.

        Raises:
            InvalidMove: the target is the category itself or below it.
        """
        categories = Category.objects.using(self._state.db)
        with write_gate(using=self._state.db):
            if target is not None:
                target = categories.get(pk=target.pk)
            beside = target is not None and position in {"left", "right"}
            parent = target.parent if target is not None and beside else target
            siblings = list(categories.filter(parent=parent).exclude(pk=self.pk))
            place = 0 if position == "first-child" and target is not None else len(siblings)
            if beside and target in siblings:
                place = siblings.index(target) + (position == "right")
            try:
                self.place(parent, siblings=siblings, at=place)
            except CategoryCycle as error:
                raise InvalidMove(str(error)) from error

    def place(self, parent: Category | None, *, siblings: list[Category], at: int) -> None:
        """Move to an index among siblings and renumber their positions. Call it inside ``write_gate``."""
        categories = Category.objects.using(self._state.db)
        for index, sibling in enumerate(siblings):
            position = index + (index >= at)
            if sibling.position != position:
                categories.filter(pk=sibling.pk).update(position=position)
        # mptt moves a node only if a column changes. So a different position is stored before the real one is saved.
        categories.filter(pk=self.pk).update(position=at + 1)
        self.parent = parent
        self.position = at
        self.save(using=self._state.db, update_fields=["parent", "position"])

    def _read_again(self, alias: str, fields: frozenset[str] | None) -> set[int]:
        """Reload the columns that another writer may have changed. Returns the ids of the old ancestors."""
        categories = Category.objects.using(alias)
        old_ancestors: set[int] = set()
        if self._state.adding:
            for name in TREE_FIELDS:
                setattr(self, name, None)
        else:
            stored: dict[str, Any] = categories.values(*TREE_FIELDS, *ORDER, "parent_id").get(pk=self.pk)
            is_parent_kept = self.parent_id == self._mptt_cached_fields["parent"]
            if is_parent_kept or not _writes(fields, "parent", "parent_id"):
                self.parent_id = stored["parent_id"]
            for name in TREE_FIELDS:
                setattr(self, name, stored[name])
            self._mptt_cached_fields = {name: stored[name] for name in ORDER} | {"parent": stored["parent_id"]}
            old_ancestors = _ancestors(alias, stored["parent_id"])
        if self.parent_id is not None:
            self.parent = categories.get(pk=self.parent_id)
        return old_ancestors

    def _use_stored_order(self, fields: frozenset[str] | None) -> dict[str, Any]:
        """Set the stored order, so that mptt sorts by it. Returns the unsaved values, to be restored after saving."""
        unsaved = {name: getattr(self, name) for name in ORDER if not (self._state.adding or _writes(fields, name))}
        for name in unsaved:
            setattr(self, name, self._mptt_cached_fields[name])
        return unsaved

    def _ancestors_by_parents(self, alias: str) -> set[int]:
        ancestors = _ancestors(alias, self.parent_id)
        if self.pk in ancestors:
            raise CategoryCycle(str(_("A category cannot be moved below itself. Choose another parent.")))
        return ancestors


def _ancestors(alias: str, parent_id: int | None) -> set[int]:
    """Ids from a parent up to the root, found by ``parent_id``, since the nested-set numbers may be wrong."""
    parents = Category.objects.using(alias).values_list("parent_id", flat=True)
    ancestors: set[int] = set()
    while parent_id is not None and parent_id not in ancestors:
        ancestors.add(parent_id)
        parent_id = parents.filter(pk=parent_id).first()
    return ancestors


def _writes(fields: frozenset[str] | None, *names: str) -> bool:
    return fields is None or not fields.isdisjoint(names)


def _recount(alias: str, category_ids: Iterable[int]) -> None:
    """Mark these categories to be counted again, since their products changed."""
    ids = sorted(category_ids)
    StatisticsChange.objects.using(alias).bulk_create(StatisticsChange(category_id=pk) for pk in ids)
    FacetChange.objects.using(alias).bulk_create(FacetChange(category_id=pk) for pk in ids)
