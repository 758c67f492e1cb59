from typing import TypeVar

from django.db import models

_T = TypeVar("_T", bound=models.Model)

class TreeQuerySet(models.QuerySet[_T]): ...
