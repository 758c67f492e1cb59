"""Columns for amounts and rates, and the conditions that they add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Abs
from django.db.models.lookups import LessThan


def amount_field(verbose_name: Any, **options: Any) -> models.DecimalField[Decimal, Decimal]:
    """A column for money. Four decimals are enough for every currency of ISO 4217."""
    return models.DecimalField(verbose_name, max_digits=14, decimal_places=4, **options)


def known_amount_field(verbose_name: Any, **options: Any) -> models.DecimalField[Decimal | None, Decimal | None]:
    """``amount_field`` that may be empty, for an amount that may not be known."""
    return models.DecimalField(verbose_name, max_digits=14, decimal_places=4, null=True, blank=True, **options)


def rate_field(verbose_name: Any, **options: Any) -> models.DecimalField[Decimal | None, Decimal | None]:
    """A column for a tax rate: 0.16 for 16 %."""
    return models.DecimalField(verbose_name, max_digits=8, decimal_places=6, null=True, blank=True, **options)


def adds_up(parts: Any, total: str) -> LessThan:
    """A condition that the parts add up to the total.

    SQLite stores decimals as floats, hence a tolerance of less than one unit of the last stored decimal.
    """
    return LessThan(Abs(parts - F(total)), Decimal("0.00005"))


def is_taxed(amount: str) -> Q:
    """A condition on a line or charge: its amount after discounts is from ``net`` (all tax is added) to ``net + tax``
    (all tax is included). Both columns are empty where the tax is not known."""
    tolerance = Decimal("0.00005")
    paid = F(amount) + F("discount")
    is_between = Q(net__lte=paid + tolerance) & Q(net__gte=paid - F("tax") - tolerance)
    return Q(net=None, tax=None) | Q(net__isnull=False, tax__isnull=False, net__gte=0, tax__gte=0) & is_between
