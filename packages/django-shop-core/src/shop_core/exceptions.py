"""The base of every error of the packages, and the errors of core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class ShopError(Exception):
    """Base of every error that an API reports to its client.

    ``code`` is stable. ``field`` names the field of a request that is wrong, if one is. ``extra`` is added to
    the problem document unchanged. A package's base class has the dotted path of its ``Problems`` in ``problems``.
    Errors of core have no message: the ``sentences`` of the package's ``Problems`` have one for each code.
    """

    code: ClassVar[str] = "error"
    problems: ClassVar[str] = ""
    codes: ClassVar[set[str]] = set()
    """The codes of the routers that are loaded, and of the errors that a host derives from those of a package."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.partition(".")[0] not in {"shop_core", cls.problems.partition(".")[0]}:
            ShopError.codes.add(cls.code)

    def __init__(self, message: str = "", *, field: str = "", extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or self.default_message())
        self.field = field
        self.extra: Mapping[str, Any] = extra or {}

    @classmethod
    def default_message(cls) -> str:
        """The message of an error that is raised without one, translated when it is raised."""
        return cls.code


class Busy(ShopError):
    """A transaction failed twice with a temporary database error, such as a lock timeout or a deadlock."""

    code = "busy"


class TooManyRequests(ShopError):
    """The caller has used up a limit of ``THROTTLES``. ``extra`` has the seconds until the next window."""

    code = "too_many_requests"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(extra={"retry_after": retry_after})


class NotAuthenticated(ShopError):
    """There is no credential, or it belongs to no active user."""

    code = "not_authenticated"


class PermissionMissing(ShopError):
    """The user lacks a model permission, which ``extra`` names."""

    code = "permission_denied"

    def __init__(self, permission: str) -> None:
        super().__init__(extra={"permission": permission})
