"""``manage.py demo_services``: the demo's mail server and SMS gateway."""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo import gateway, mailserver


class Command(BaseCommand):
    help = "Run a mail server and an SMS gateway whose messages are shown at /demo/inbox/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--smtp-port", type=int, default=8025)
        parser.add_argument("--gateway-port", type=int, default=8026)
        parser.add_argument("--callback-url", required=True, help="The URL for delivery reports.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is for the demo only: everyone can read every e-mail. Set DEMO=true to allow it.")
        host = options["host"]
        mail = mailserver.controller(host, options["smtp_port"])
        texts = gateway.server(host, options["gateway_port"], callback_url=options["callback_url"])
        mail.start()
        threading.Thread(target=texts.serve_forever, daemon=True).start()
        self.stdout.write(f"Mail server on {host}:{options['smtp_port']}, gateway on {host}:{options['gateway_port']}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        finally:
            texts.shutdown()
            mail.stop()
