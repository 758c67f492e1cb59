"""Submitted forms, so that each takes effect once."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SentForm(models.Model):
    """The token of a form that changed stock, stored in the transaction of the change.

    The ledger alone does not show that a form was submitted twice: a count that equals the stock adds no movement.
    """

    token = models.UUIDField(_("token"), unique=True, editable=False)
    digest = models.CharField(_("digest of the values"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("sent"), default=timezone.now, db_index=True, editable=False)

    class Meta:
        verbose_name = _("sent form")
        verbose_name_plural = _("sent forms")

    def __str__(self) -> str:
        return str(self.token)
