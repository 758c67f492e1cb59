"""The providers of this package pass the contract kit."""

import pytest
from shop_orders.payment_providers import BankTransfer, HostedTestProvider, PayOnDelivery
from shop_orders.testing import MemoryPaymentProvider, PaymentProviderContract
from testproject.services import DarajaService, HostedTestService, MemoryService, RecordingService, StripeService


class TestPayOnDelivery(PaymentProviderContract):
    modes = frozenset()
    has_webhooks = can_fetch = False

    @pytest.fixture
    def service(self):
        return RecordingService()

    @pytest.fixture
    def provider(self, service):
        return service.watch(PayOnDelivery(alias="on_delivery"))


class TestBankTransfer(TestPayOnDelivery):
    @pytest.fixture
    def provider(self, service):
        return service.watch(BankTransfer(alias="bank", account="KE12 3456"))


class TestMemoryProvider(PaymentProviderContract):
    modes = frozenset({"unavailable", "declined"})
    has_webhooks = False

    @pytest.fixture
    def service(self):
        MemoryPaymentProvider.reset()
        yield MemoryService()
        MemoryPaymentProvider.reset()

    @pytest.fixture
    def provider(self, service):
        return service.watch(MemoryPaymentProvider(alias="memory"))


class TestHostedTestProvider(PaymentProviderContract):
    modes = frozenset()

    @pytest.fixture
    def service(self):
        return HostedTestService("old-secret")

    @pytest.fixture
    def provider(self, service):
        return service.watch(HostedTestProvider(alias="test", secrets=["new-secret", "old-secret"]))


class TestStripe(PaymentProviderContract):
    @pytest.fixture
    def service(self):
        pytest.importorskip("stripe", reason="needs the extra [stripe]")
        with StripeService("whsec_old") as service:
            yield service

    @pytest.fixture
    def provider(self, service, monkeypatch):
        from shop_orders.payment_providers import StripeCheckout

        monkeypatch.setattr(StripeCheckout, "timeout_seconds", 0.2)
        secrets = ["whsec_new", "whsec_old"]
        return StripeCheckout(alias="card", api_key="sk_test_1", webhook_secrets=secrets, api_base=service.url)


class TestMpesa(PaymentProviderContract):
    amounts = (("12", "KES"), ("29", "KES"))
    signs_webhooks = False

    @pytest.fixture
    def service(self):
        pytest.importorskip("requests", reason="needs the extra [mpesa]")
        with DarajaService() as service:
            yield service

    @pytest.fixture
    def provider(self, service, monkeypatch):
        from shop_orders.payment_providers import Mpesa

        monkeypatch.setattr(Mpesa, "timeout_seconds", (1, 0.2))
        monkeypatch.setattr(Mpesa, "_tokens", {})
        return Mpesa(
            alias="mpesa",
            consumer_key="consumer",
            consumer_secret="hidden",
            short_code="174379",
            passkey="passkey-1",
            webhook_secret="a-long-random-text",
            api_base=service.url,
        )
