from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class IdempotencyKey(models.Model):
    """The response to a request that may be repeated. ``status`` is empty until the work has ended."""

    owner = models.CharField(_("owner"), max_length=100)
    route = models.CharField(_("route"), max_length=200)
    key = models.CharField(_("key"), max_length=255)
    digest = models.CharField(_("digest of the request"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    body = models.TextField(
        _("body"),
        blank=True,
        help_text=_("JSON as text, so that a repeated response is identical. Tokens are not stored."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints = [
            models.UniqueConstraint(fields=("owner", "route", "key"), name="shop_orders_idempotency_once"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class JobRun(models.Model):
    """The last run of a periodic job."""

    name = models.CharField(_("job"), max_length=100, unique=True)
    last_started_at = models.DateTimeField(_("last started at"), null=True)
    last_finished_at = models.DateTimeField(_("last finished at"), null=True)
    last_error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
