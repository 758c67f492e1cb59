"""The authentication of the bench: a bearer token that is the user's name, one statement, compiled once."""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from ninja.security import HttpBearer
from shop_core.db.compiled import CompiledQuery

User: Any = get_user_model()
COLUMNS = [field.attname for field in User._meta.concrete_fields]


def _build(p: Any) -> Any:
    return User.objects.filter(username=p("name", User._meta.get_field("username")), is_active=True).values_list(
        *COLUMNS
    )


_USER: CompiledQuery[Any] = CompiledQuery(User, _build)


class Token(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Any:
        rows = _USER.rows(name=token)
        return User.from_db("default", COLUMNS, rows[0]) if rows else None
