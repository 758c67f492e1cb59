"""Its ``path`` is a unique column too, and a position: it changes when a row moves."""

from django.db import models
from djmoney.models.fields import MoneyField
from treebeard.mp_tree import MP_Node


class TreeCup(MP_Node):
    title = models.CharField(max_length=100)
    price = MoneyField(max_digits=8, decimal_places=2, null=True, default_currency="KES")
    stock = models.PositiveIntegerField(default=0)
    live = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.title
