import pytest
from meta import APP_SECRET, signature, status, webhook
from shop_notify.testing import NotifierContract, ReportContract
from shop_notify_whatsapp import WhatsAppCloudNotifier


class TestText(ReportContract, NotifierContract):
    """Free text, with the delivery reports."""

    notifier_class = WhatsAppCloudNotifier
    address = "+254711000001"
    bad_addresses = (
        "",
        "0711000001",
        "254711000001",
        "+25471100000x",
        "+254711000001\n",
        "+254 711 000001",
        "+12025550123",
        "@me",
    )
    max_seconds = 10.0

    @pytest.fixture
    def transport(self, meta):
        return meta

    @pytest.fixture
    def options(self, options):
        return options

    def report(self, *, provider_id, address):
        return self.signed(webhook(status("delivered", provider_id, recipient=address.removeprefix("+"))))

    def forged_reports(self, *, provider_id, address):
        data = webhook(status("delivered", provider_id))
        body = self.post(data, content_type="application/json").body
        other = self.post(webhook(status("failed", provider_id)), content_type="application/json").body
        return [
            self.post(body, content_type="application/json"),
            self.post(body, content_type="application/json", **{"X-Hub-Signature-256": ""}),
            self.post(body, content_type="application/json", **{"X-Hub-Signature-256": signature(body, "guessed")}),
            self.post(body, content_type="application/json", **{"X-Hub-Signature-256": signature(other)}),
            self.post(body, content_type="application/json", **{"X-Hub-Signature-256": signature(body).upper()}),
            self.post(body, content_type="application/json", **{"X-Hub-Signature-256": signature(body)[7:]}),
            self.post(body, content_type="application/json", **{"X-Hub-Signature-256": "sha256=ü"}),
            self.post(body, content_type="application/json", **{"X-Hub-Signature": signature(body)}),
            self.post(body, content_type="application/json", secret=APP_SECRET),
        ]

    def signed(self, data):
        body = self.post(data, content_type="application/json").body
        return self.post(body, content_type="application/json", **{"X-Hub-Signature-256": signature(body)})


class TestTemplate(TestText):
    """A template whose parameter is the text."""

    keeps_text = False

    @pytest.fixture
    def options(self, options):
        template = {"name": "message", "languages": ["en_US"], "body": ["message.text"]}
        return {**options, "free_text": False, "templates": {self.message().event: template}}
