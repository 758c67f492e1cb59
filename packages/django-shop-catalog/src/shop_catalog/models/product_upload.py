"""Uploaded files whose import is not confirmed yet."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ProductUpload(models.Model):
    """A file of products between its preview in the admin and the import. Old ones are deleted by a periodic job."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    file_name = models.CharField(max_length=200)
    file_format = models.CharField(max_length=8)
    content = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")

    created_by_id: Any

    class Meta:
        verbose_name = _("product upload")
        verbose_name_plural = _("product uploads")

    def __str__(self) -> str:
        return self.file_name
