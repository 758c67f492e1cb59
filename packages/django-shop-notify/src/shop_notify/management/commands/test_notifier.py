from __future__ import annotations

import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop_notify.delivery.sending import SEND_SECONDS
from shop_notify.exceptions import AddressRefused, DeliveryFailure, UnknownNotifier
from shop_notify.masking import mask, mask_values
from shop_notify.notifiers import registry
from shop_notify.notifiers.base import Message, Receipt
from shop_notify.notifiers.time_limit import TimeLimitExceeded, time_limit


class Command(BaseCommand):
    help = "Send one test message by a notifier, without the outbox, and show the exchange, masked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("alias")
        parser.add_argument("--to", required=True, metavar="ADDRESS")
        parser.add_argument("--text", default="This is a test message.")

    def handle(self, *args: Any, alias: str, to: str, text: str, **options: Any) -> None:
        secrets = registry.secrets_of(alias)
        message = Message(id=str(uuid.uuid4()), event="test", to=to, subject="Test message", text=text)
        try:
            notifier = registry.get_notifier(alias)
            self.stdout.write(f"{notifier!r}: {message.id} to {mask(to)}: {mask(text, secrets=secrets)}")
            notifier.check_address(to)
            with time_limit(SEND_SECONDS):
                receipt = notifier.send(message)
        except (UnknownNotifier, AddressRefused, DeliveryFailure) as error:
            code = getattr(error, "provider_code", "")
            text = mask(error, secrets=secrets)
            raise CommandError(f"{type(error).__name__} {code}: {text}") from None
        except TimeLimitExceeded:
            raise CommandError(f"The notifier took longer than {SEND_SECONDS:.0f} seconds.") from None
        except Exception as error:  # noqa: BLE001
            # Without its traceback, which may contain a secret, such as the URL of a request.
            text = mask(error, secrets=secrets)
            raise CommandError(f"The notifier has a bug: it raised {type(error).__name__}: {text}") from None
        if not isinstance(receipt, Receipt):
            raise CommandError("The notifier has a bug: it returned no receipt.")
        shown = {
            "provider_id": receipt.provider_id,
            "provider_code": receipt.provider_code,
            "segments": receipt.segments,
            "cost": f"{receipt.currency} {receipt.cost}" if receipt.cost is not None else None,
            "response": mask_values(receipt.response, secrets=secrets),
        }
        self.stdout.write(json.dumps(shown, indent=2, default=str))
        self.stdout.write("Accepted.")
