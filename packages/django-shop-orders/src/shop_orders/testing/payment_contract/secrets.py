"""The check that secrets stay secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shop_orders.payment_providers import PaymentProvider
from shop_orders.testing.failures import expect, result_of
from shop_orders.testing.payment_contract.base import REFUSALS, PaymentContractBase
from shop_orders.testing.payment_services import PaymentService

SECRET_WORDS = ("secret", "key", "passkey", "token", "password")


class SecretChecks(PaymentContractBase):
    def test_secrets_are_in_no_repr_error_or_log(
        self, provider: PaymentProvider, service: PaymentService | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        service = self.needed(service) if service else None
        shown = [repr(provider), str(provider)]
        for number, mode in enumerate(["accept", *(self.failure_modes("time_out") if service else [])], start=1):
            if service:
                service.behave(mode)
            result = result_of("start", provider.start, self.request(number), allowed=REFUSALS)
            shown += [repr(result), str(result), repr(getattr(result, "__cause__", ""))]
        shown += [record.getMessage() for record in caplog.records]
        for name, secret in self._secrets(provider):
            leaks = [text for text in shown if secret in text]
            expect(
                not leaks,
                f"The value of `{name}` is shown, stored or logged by start or repr: {leaks[:1]!r:.300}.",
                "Keep the secret out of errors, logs, reprs, URLs and `data`.",
            )

    @staticmethod
    def _secrets(provider: PaymentProvider) -> Iterator[tuple[str, str]]:
        """The texts in attributes whose name sounds like that of a secret, also those in lists."""
        for name, value in vars(provider).items():
            if any(word in name for word in SECRET_WORDS):
                for secret in value if isinstance(value, list | tuple) else [value]:
                    if isinstance(secret, str) and secret:
                        yield name, secret
