from typing import Any, TypeVar

from django.db import models

_T = TypeVar("_T", bound=models.Model)

class TreeManager(models.Manager[_T]):
    def rebuild(self, batch_size: int = ..., **filters: Any) -> None: ...
    def move_node(self, node: Any, target: Any, position: str = ...) -> None: ...
