"""``manage.py prepare_demo``: migrate, and fill an empty shop with sample data."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.models import Client
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from shop_orders.contrib.allauth.auth import SCOPES


class Command(BaseCommand):
    help = "Migrate the database, load sample data into an empty shop and schedule the periodic work."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("load_sample_data", stdout=self.stdout)
        call_command("schedule_jobs", stdout=self.stdout)
        let_swagger_log_in()


def let_swagger_log_in() -> None:
    """Create or update the OpenID client of Swagger's Authorize button; its redirect URI contains the port."""
    name = {"name": "API documentation", "type": Client.Type.PUBLIC}
    app, _is_new = Client.objects.get_or_create(id=settings.SWAGGER_CLIENT_ID, defaults=name)
    app.set_scopes(["openid", "email", "profile", *SCOPES])
    app.set_redirect_uris([f"{settings.SITE_URL}/swagger/oauth2-redirect/"])
    app.set_grant_types(["authorization_code", "refresh_token"])
    app.save()
