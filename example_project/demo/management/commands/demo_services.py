"""``manage.py demo_services``: the demo's mail server, SMS gateway and M-Pesa."""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo import daraja, gateway, mailserver


class Command(BaseCommand):
    help = "Run a mail server, an SMS gateway and a simulated M-Pesa that are shown at /demo/inbox/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--smtp-port", type=int, default=8025)
        parser.add_argument("--gateway-port", type=int, default=8026)
        parser.add_argument("--mpesa-port", type=int, default=8027)
        parser.add_argument("--callback-url", required=True, help="The URL for delivery reports.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is for the demo only: everyone can read every e-mail. Set DEMO=true to allow it.")
        host = options["host"]
        mail = mailserver.controller(host, options["smtp_port"])
        texts = gateway.server(host, options["gateway_port"], callback_url=options["callback_url"])
        mpesa = daraja.server(host, options["mpesa_port"])
        mail.start()
        for service in (texts, mpesa):
            threading.Thread(target=service.serve_forever, daemon=True).start()
        daraja.register_shop()
        self.stdout.write(f"Mail server on {host}:{options['smtp_port']}, gateway on {host}:{options['gateway_port']}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        finally:
            texts.shutdown()
            mpesa.shutdown()
            mail.stop()
