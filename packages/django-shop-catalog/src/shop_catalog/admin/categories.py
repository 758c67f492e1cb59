"""The category tree in the admin, with drag and drop."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from mptt.admin import DraggableMPTTAdmin, MPTTAdminForm, MPTTModelAdmin
from shop_core.model_admins import SafeList

from shop_catalog import images
from shop_catalog.admin.forms import LabelsAutocomplete, unreserved_slug
from shop_catalog.exceptions import CategoryCycle, InvalidImage
from shop_catalog.models import Category, write_gate


class CategoryForm(MPTTAdminForm):
    """A new image is opened and checked like any upload."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "image" in self.fields:  # Django 6.1 labels the fieldset, not the file input in it
            self.fields["image"].widget.attrs["aria-label"] = capfirst(str(self.fields["image"].label))

    def clean_slug(self) -> str:
        return unreserved_slug(self)

    def clean_image(self) -> Any:
        file = self.cleaned_data["image"]
        if file and "image" in self.changed_data:
            try:
                images.open_checked(file)
            except InvalidImage as error:
                raise ValidationError(str(error))
            file.seek(0)
        return file


@admin.register(Category)
class CategoryAdmin(LabelsAutocomplete, SafeList, DraggableMPTTAdmin):
    """Drag a row to move a category with its subtree. The model locks the tree to save, move and delete."""

    form = CategoryForm
    list_display = ("tree_actions", "indented_title", "slug", "is_active")
    list_display_links = ("indented_title",)
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("parent",)
    fields = ("name", "slug", "parent", "position", "is_active", "image", "description")

    actions = ("move_up", "move_down")

    @admin.display(description=_("Move"))
    def tree_actions(self, item: Category) -> str:
        """The drag handle of mptt, under a heading for screen readers."""
        handle: str = super().tree_actions(item)  # type: ignore[misc]
        return handle

    @admin.action(description=_("Move selected categories up"), permissions=["change"])
    def move_up(self, request: HttpRequest, queryset: Any) -> None:  # noqa: ARG002
        """The same as dragging, for use by keyboard."""
        for category in queryset:
            _swap(category, by=-1)

    @admin.action(description=_("Move selected categories down"), permissions=["change"])
    def move_down(self, request: HttpRequest, queryset: Any) -> None:  # noqa: ARG002
        for category in reversed(queryset):
            _swap(category, by=1)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        """Keep Django's "delete selected": its ``queryset.delete()`` locks the tree, unlike mptt's own action."""
        options = {} if action_location is None else {"action_location": action_location}
        return super(MPTTModelAdmin, self).get_actions(request, **options)

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:  # noqa: FBT001
        """Write only the changed fields, so that a move made in the meantime is kept."""
        file = form.cleaned_data.get("image")
        fields = [name for name in form.changed_data if name != "image"]
        if not change:
            obj.image = ""
            obj.save()
        elif fields and not self._save_fields(request, obj, fields):
            return
        if "image" in form.changed_data and file:
            images.set_category_image(obj, file=file)
        elif "image" in form.changed_data:
            images.remove_category_image(obj)

    def _save_fields(self, request: HttpRequest, obj: Category, fields: list[str]) -> bool:
        try:
            obj.save(update_fields=fields)
        except CategoryCycle as error:
            self.message_user(request, str(error), messages.ERROR)
            return False
        return True


def _swap(category: Category, *, by: int) -> None:
    """Swap a category with the sibling before or after it, if there is one."""
    with write_gate():
        siblings = list(Category.objects.filter(parent=category.parent_id))
        place = siblings.index(category) + by
        if 0 <= place < len(siblings):
            category.move_to(siblings[place], "left" if by < 0 else "right")
