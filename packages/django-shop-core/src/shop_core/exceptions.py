"""The base of every error of the packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class ShopError(Exception):
    """Base of every error that an API explains.

    ``code`` is stable. ``field`` names the field of a request that is wrong, if one is. ``extra`` goes into the
    problem document as it is. A package's base class names its ``Problems`` by dotted path in ``problems``. Errors of
    core have no sentence of their own: the package's table of problems has it, under the code.
    """

    code: ClassVar[str] = "error"
    problems: ClassVar[str] = ""

    def __init__(self, message: str = "", *, field: str = "", extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or self.default_message())
        self.field = field
        self.extra: Mapping[str, Any] = extra or {}

    @classmethod
    def default_message(cls) -> str:
        return cls.code


class Busy(ShopError):
    """The database refused a transaction twice: a lock was not free in time, or a deadlock."""

    code = "busy"


class NotAuthenticated(ShopError):
    """The credential belongs to no active user, or to nobody who may be served."""

    code = "not_authenticated"


class PermissionMissing(ShopError):
    """The user lacks a model permission, which ``extra`` names."""

    code = "permission_denied"

    def __init__(self, permission: str) -> None:
        super().__init__(extra={"permission": permission})
