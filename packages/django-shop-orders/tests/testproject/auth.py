from django.contrib.auth import get_user_model
from ninja.security import HttpBearer
from ninja.security import django_auth as session  # noqa: F401 - named in the settings


class Bearer(HttpBearer):
    """Tests log in with ``Bearer user-<key>``. Only ``request.auth`` is set, as with many token libraries."""

    def authenticate(self, request, token):
        users = get_user_model().objects.filter(is_active=True)
        return next((user for user in users if token == f"user-{user.pk}"), None)
