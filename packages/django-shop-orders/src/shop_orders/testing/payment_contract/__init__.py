"""The contract kit of payment providers."""

from __future__ import annotations

from shop_orders.testing.payment_contract.fetching import FetchChecks
from shop_orders.testing.payment_contract.refunding import RefundChecks
from shop_orders.testing.payment_contract.secrets import SecretChecks
from shop_orders.testing.payment_contract.starting import StartChecks
from shop_orders.testing.payment_contract.webhooks import WebhookChecks

__all__ = ["PaymentProviderContract"]


class PaymentProviderContract(StartChecks, FetchChecks, RefundChecks, WebhookChecks, SecretChecks):
    """The behaviour of payment providers, checked against a stand-in for the service.

    Fixtures to define: ``service``, which returns a PaymentService, and ``provider(service)``, which calls it.
    """
