from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from ninja.security import HttpBearer
from ninja.security import django_auth as session  # noqa: F401 - named in the settings


class Bearer(HttpBearer):
    """Tests log in with ``Bearer user-<key>``. Only ``request.auth`` is set, as with many token libraries."""

    def authenticate(self, request, token):
        try:
            return get_user_model().objects.filter(is_active=True, pk=token.removeprefix("user-")).first()
        except (ValueError, ValidationError):
            return None
