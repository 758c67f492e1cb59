"""The table that the shop sells. Types in brackets are what is set and read; the plugin finds them by itself."""

from __future__ import annotations

from decimal import Decimal

from django.db import models


class Loaf(models.Model):
    code: models.SlugField[str, str] = models.SlugField(unique=True)
    title: models.CharField[str, str] = models.CharField(max_length=100)
    price: models.DecimalField[Decimal, Decimal] = models.DecimalField(max_digits=8, decimal_places=2)
    baked: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.title
