"""The API's callers, by name."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from ninja.security import HttpBearer


class ByEmail(HttpBearer):
    def authenticate(self, request: Any, token: str) -> Any:
        return get_user_model().objects.filter(email=token).first()
