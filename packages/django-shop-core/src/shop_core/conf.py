"""Typed settings: one dict per package in the project's settings, one property per setting, read live."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class BaseSettings:
    """Reads one dict of the project's settings at each access, so that tests can override it.

    A subclass names the dict in ``setting`` and has one property per entry, with its default and a docstring.
    """

    setting: ClassVar[str]

    def get(self, name: str, default: Any) -> Any:
        """The value of a setting as it is now, or the default."""
        return getattr(settings, self.setting, {}).get(name, default)

    def require(self, name: str) -> Any:
        """The value of a setting without a default; ImproperlyConfigured if it is missing."""
        values = getattr(settings, self.setting, {})
        if name not in values:
            raise ImproperlyConfigured(f'{self.setting}["{name}"] is not set. See `manage.py check`.')
        return values[name]

    def unknown(self) -> list[str]:
        """Names in the dict that are not settings, such as misspelt ones, for ``manage.py check``."""
        names = getattr(settings, self.setting, {})
        return sorted(name for name in names if not isinstance(getattr(type(self), name, None), property))
