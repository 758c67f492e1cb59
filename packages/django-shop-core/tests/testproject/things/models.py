from django.db import models


class Thing(models.Model):
    """A row with a field of each kind that the packages write."""

    name = models.CharField(max_length=100, unique=True)
    price = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    count = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(null=True)
    key = models.UUIDField(null=True)
    data = models.JSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)


class Run(models.Model):
    name = models.CharField(max_length=100, unique=True)
    last_started_at = models.DateTimeField(null=True)
    last_finished_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
