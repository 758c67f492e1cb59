"""Actions on categories. Each one locks the tree (``write_gate``) until its transaction ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from django.utils.translation import gettext as _

from shop_catalog.exceptions import CategoryNotEmpty, DuplicateValue, InvalidProduct, UnknownCategory
from shop_catalog.models import Category, texts, write_gate
from shop_catalog.slugs import free_slug, refuse_reserved


@write_gate()
def create(
    name: str,
    *,
    parent: Category | None = None,
    slug: str = "",
    description: str = "",
    is_active: bool = True,
    position: int = 0,
) -> Category:
    """Add a category. Without a slug one is made from the name.

    Raises:
        DuplicateValue: the slug is taken.
        InvalidText: a text is too long, or has a character that cannot be stored.
    """
    texts.check(Category, name=name, slug=slug, description=description)
    if slug:
        _refuse_taken_slug(slug)
    category = Category(
        name=name,
        slug=slug or free_slug(Category, name),
        parent=parent,
        description=description,
        is_active=is_active,
        position=position,
    )
    category.save()
    return category


@write_gate()
def change(
    category: Category,
    *,
    name: str | None = None,
    slug: str | None = None,
    description: str | None = None,
    is_active: bool | None = None,
    position: int | None = None,
) -> Category:
    """Change the given values. To change the place in the tree, use ``move``.

    Raises:
        DuplicateValue: the slug is taken.
        InvalidText: a text is too long, or has a character that cannot be stored.
    """
    given = {"name": name, "slug": slug, "description": description, "is_active": is_active, "position": position}
    values = {field: value for field, value in given.items() if value is not None}
    texts.check(Category, **values)
    category = get(category.slug)
    if slug is not None and slug != category.slug:
        _refuse_taken_slug(slug)
    for field, value in values.items():
        setattr(category, field, value)
    if values:
        category.save(update_fields=list(values))
    return category


@write_gate()
def move(category: Category, *, parent: Category | None, before: Category | None = None) -> Category:
    """Move a category with its subtree below another parent or to the roots.

    It becomes the last sibling unless ``before`` is given.

    Raises:
        CategoryCycle: the parent is the category itself or below it.
        InvalidProduct: ``before`` is not a child of the parent.
    """
    category = get(category.slug)
    siblings = list(Category.objects.filter(parent=parent).exclude(pk=category.pk))
    if before is not None and before not in siblings:
        raise InvalidProduct(_("The category in “before” is not a child of that parent."), field="before")
    at = siblings.index(before) if before is not None else len(siblings)
    category.place(parent, siblings=siblings, at=at)
    return category


@write_gate()
def reorder(parent: Category | None, *, slugs: Iterable[str]) -> None:
    """Put the children of a category, or the roots, into the order of these slugs. Children that are not named follow.

    Raises:
        UnknownCategory: a slug is not among the children.
    """
    children = {child.slug: child for child in Category.objects.filter(parent=parent)}
    named = list(dict.fromkeys(slugs))
    unknown = [slug for slug in named if slug not in children]
    if unknown:
        raise UnknownCategory(_("These are not among the children: %(slugs)s.") % {"slugs": ", ".join(unknown)})
    rest = [slug for slug in children if slug not in named]
    for position, slug in enumerate([*named, *rest]):
        child = get(slug)
        if child.position != position:
            child.position = position
            child.save(update_fields=["position"])


@write_gate()
def delete(category: Category, *, children: Literal["refuse", "move_up"] = "refuse") -> None:
    """Delete a category, but not its products. With ``children="move_up"`` its children move to its parent.

    Raises:
        CategoryNotEmpty: it has children, and ``children`` is not ``move_up``.
    """
    category = get(category.slug)
    below = list(Category.objects.filter(parent=category))
    if below and children == "refuse":
        raise CategoryNotEmpty(
            _("%(name)s has subcategories. Delete or move them first, or choose to move them up.")
            % {"name": category.name}
        )
    for child in below:
        child.parent = category.parent
        child.save(update_fields=["parent"])
    category.delete()


def get(slug: str) -> Category:
    """The category with this slug, active or not, with its parent. One query, no lock.

    Raises:
        UnknownCategory: no category has this slug.
    """
    found = Category.objects.select_related("parent").filter(slug=slug)
    category: Category | None = found.first() if texts.is_storable(slug) else None
    if category is None:
        raise UnknownCategory(_("There is no category %(slug)s.") % {"slug": slug})
    return category


def _refuse_taken_slug(slug: str) -> None:
    refuse_reserved(Category, slug)
    if Category.objects.filter(slug=slug).exists():
        raise DuplicateValue(
            _("The slug %(slug)s is already used by another category.") % {"slug": slug}, field="slug"
        )
