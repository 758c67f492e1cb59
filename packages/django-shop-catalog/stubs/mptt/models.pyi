from typing import Any

from django.db import models
from mptt.fields import TreeForeignKey as TreeForeignKey

class MPTTOptions:
    def update_mptt_cached_fields(self, instance: MPTTModel) -> None: ...

class MPTTModel(models.Model):  # type: ignore[django-manager-missing]
    lft: models.PositiveIntegerField[int, int]
    rght: models.PositiveIntegerField[int, int]
    tree_id: models.PositiveIntegerField[int, int]
    level: models.PositiveIntegerField[int, int]
    _mptt_meta: MPTTOptions
    _mptt_cached_fields: dict[str, Any]

    class Meta:
        abstract = True  # noqa: PYI052 - as in Django's own stubs

    def get_descendant_count(self) -> int: ...
