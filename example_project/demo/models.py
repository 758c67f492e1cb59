"""Messages and payments that the demo received: e-mails, SMS, and M-Pesa on a handset. Unused outside the demo."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Mail(models.Model):
    """An e-mail that arrived at the demo's SMTP server."""

    received_at = models.DateTimeField(auto_now_add=True)
    sender = models.CharField(max_length=254)
    recipient = models.CharField(max_length=254, db_index=True)
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("mail")

    def __str__(self) -> str:
        return self.subject


class Text(models.Model):
    """An SMS that the demo's gateway accepted, and its delivery report."""

    class Report(models.TextChoices):
        NONE = "", _("on its way")
        SUCCESS = "Success", _("delivered")
        FAILED = "Failed", _("failed")

    received_at = models.DateTimeField(auto_now_add=True)
    message_id = models.CharField(max_length=64, unique=True)
    sender = models.CharField(max_length=40, blank=True)
    phone = models.CharField(max_length=20, db_index=True)
    text = models.TextField()
    segments = models.PositiveSmallIntegerField()
    cost = models.CharField(max_length=20)
    report = models.CharField(max_length=20, choices=Report, blank=True)
    reported_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("SMS")
        verbose_name_plural = _("SMS")

    def __str__(self) -> str:
        return f"{self.phone}: {self.text}"


class Switch(models.Model):
    """A switch of the demo's gateway: if a row with this name exists, the next SMS fails."""

    name = models.CharField(max_length=40, unique=True)

    def __str__(self) -> str:
        return self.name


class MobileRequest(models.Model):
    """A request to pay that rings on the handset."""

    received_at = models.DateTimeField(auto_now_add=True)
    reference = models.CharField(max_length=40, unique=True)
    phone = models.CharField(max_length=20, db_index=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    number = models.CharField(max_length=20)
    account = models.CharField(max_length=40)
    callback_url = models.TextField()
    result = models.CharField(max_length=10, blank=True)
    receipt = models.CharField(max_length=20, blank=True)
    is_report_lost = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.reference


class MobileTransfer(models.Model):
    """Money that went from a handset to the shop."""

    sent_at = models.DateTimeField(auto_now_add=True)
    receipt = models.CharField(max_length=20, unique=True)
    phone = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    number = models.CharField(max_length=20)
    account = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.receipt


class MobileNumber(models.Model):
    """A paybill, and the URL that its shop has registered."""

    number = models.CharField(max_length=20, unique=True)
    confirmation_url = models.TextField()

    def __str__(self) -> str:
        return self.number
