"""``manage.py create_oidc_client``: register an app or a partner that may ask for tokens."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Create a client of the shop's OpenID Provider and print its id and, once, its secret."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name on the consent page")
        parser.add_argument(
            "--redirect-uri", action="append", default=[], help="an allowed redirect URI; repeat for more"
        )
        parser.add_argument("--scope", action="append", default=[], help="an allowed scope; repeat for more")
        parser.add_argument("--public", action="store_true", help="an app that cannot keep a secret; it must use PKCE")
        parser.add_argument("--client-credentials", action="store_true", help="a partner's server, without a user")
        parser.add_argument("--id", default="", help="a client id of your choice, letters and digits")
        parser.add_argument(
            "--post-logout-redirect-uri",
            action="append",
            default=[],
            help="an allowed redirect URI after log-out; repeat for more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not apps.is_installed("allauth.idp.oidc"):
            raise CommandError("The provider is off. Set OIDC_PROVIDER=true and OIDC_PROVIDER_KEY.")
        from allauth.idp.oidc.models import Client

        from accounts.oidc import OIDCAdapter

        adapter = OIDCAdapter()
        scopes = options["scope"] or ["openid", "profile", "email"]
        unknown = sorted(set(scopes) - set(adapter.scope_display))
        if unknown:
            raise CommandError(
                f"Unknown scope {', '.join(unknown)}. Known scopes: {', '.join(adapter.scope_display)}."
            )
        if options["client_credentials"] == bool(options["redirect_uri"]):
            raise CommandError("Give either --redirect-uri, for an app with users, or --client-credentials.")
        if not re.fullmatch(r"[A-Za-z0-9]*", options["id"]):
            raise CommandError(
                "--id takes letters and digits only: clients encode other characters in different ways."
            )
        client = Client(name=options["name"], type="public" if options["public"] else "confidential")
        if options["id"]:
            client.id = options["id"]
        secret = adapter.generate_client_secret()
        client.set_secret(secret)
        client.set_scopes(scopes)
        client.set_redirect_uris(options["redirect_uri"])
        if options["post_logout_redirect_uri"]:
            client.set_post_logout_redirect_uris(options["post_logout_redirect_uri"])
        flows = ["client_credentials"] if options["client_credentials"] else ["authorization_code", "refresh_token"]
        client.set_grant_types(flows)
        client.full_clean()
        client.save(force_insert=True)
        self.stdout.write(f"client_id: {client.id}")
        if not options["public"]:
            self.stdout.write(f"client_secret: {secret}")
