import pytest
from meta import APP_SECRET, NUMBER_ID, TOKEN, VERIFY_TOKEN, FakeMeta
from shop_notify_whatsapp import WhatsAppCloudNotifier

SECRETS = {"access_token": TOKEN, "app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN}


@pytest.fixture
def meta(monkeypatch):
    monkeypatch.setattr(WhatsAppCloudNotifier, "timeout_seconds", 0.3)
    fake = FakeMeta()
    yield fake
    fake.stop()


@pytest.fixture
def options(meta):
    return {"phone_number_id": NUMBER_ID, **SECRETS, "base_url": meta.url, "free_text": True}


@pytest.fixture
def notifier(options):
    return WhatsAppCloudNotifier(alias="whatsapp", **options)
