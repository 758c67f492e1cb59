"""The authentication of the bench: a bearer token that is the user's name, one query that fetches the customer too."""

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class BearerAuthentication(TokenAuthentication):
    keyword = "Bearer"

    def authenticate_credentials(self, key: str) -> tuple[Any, str]:
        users: Any = get_user_model().objects.select_related("shop_customer")
        user = users.filter(username=key, is_active=True, shop_customer__isnull=False).first()
        if user is None:
            raise AuthenticationFailed("This token is not valid.")
        return user, key
