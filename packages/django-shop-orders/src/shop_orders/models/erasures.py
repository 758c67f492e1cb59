from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Erasure(models.Model):
    """A request to erase the personal data of one person. What identifies the person is removed when it is done."""

    person = models.JSONField(_("person"), default=dict, blank=True, editable=False)
    waiting = models.JSONField(_("waiting for"), default=list, blank=True, editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    actor_id: Any

    class Meta:
        verbose_name = _("erasure of personal data")
        verbose_name_plural = _("erasures of personal data")
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("next_attempt_at",), condition=Q(finished_at=None), name="shop_orders_erasure_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
