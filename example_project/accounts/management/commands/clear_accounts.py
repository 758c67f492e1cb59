"""``manage.py clear_accounts``: delete expired sessions and tokens."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Delete expired sessions, and expired tokens of the OpenID Provider where it is switched on."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("clearsessions")
        if apps.is_installed("allauth.idp.oidc"):
            call_command("oidc_cleartokens")
