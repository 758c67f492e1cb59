"""Images of categories."""

from __future__ import annotations

from typing import IO

from django.utils.translation import gettext as _
from shop_core.db.transactions import connection_of

from shop_catalog.exceptions import UnknownCategory
from shop_catalog.images import files
from shop_catalog.images.reading import open_checked
from shop_catalog.models import Category, write_gate


def set_category_image(category: Category, *, file: IO[bytes]) -> Category:
    """Set the image of a category. The files of the previous image are deleted after commit.

    Raises:
        ImageTooLarge, InvalidImage: as for ``add``.
        UnknownCategory: it was deleted in the meantime.
    """
    picture, kind = open_checked(file)
    field = Category._meta.get_field("image")
    written = files.write(field, picture, kind)
    try:
        return _replace_category_image(category, written)
    except BaseException:
        files.delete_files(field.storage, written.names)
        raise


def remove_category_image(category: Category) -> Category:
    """Remove the image of a category. Does nothing if there is none.

    Raises:
        UnknownCategory: it was deleted in the meantime.
    """
    return _replace_category_image(category, files.Written([""], "", (0, 0)))


@write_gate()
def _replace_category_image(category: Category, written: files.Written) -> Category:
    category = _reload(category)
    files.delete_on_commit(category.image, category.renditions, using=connection_of(Category).alias)
    category.image = written.names[0]
    category.renditions = written.renditions
    category.renditions_for = files.as_text(files.widths_wanted()) if written.renditions else ""
    category.save(update_fields=["image", "renditions", "renditions_for"])
    return category


def _reload(category: Category) -> Category:
    found: Category | None = Category.objects.filter(pk=category.pk).first()
    if found is None:
        raise UnknownCategory(_("The category was deleted in the meantime."))
    return found
