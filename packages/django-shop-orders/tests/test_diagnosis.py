"""Providers report what is wrong with their keys, tested against local servers that follow the documentation."""

import pytest
from shop_orders.payment_providers import HostedTestProvider, diagnosis, payment_provider
from test_stripe_and_mpesa import MPESA, SECRETS
from testproject.providers import FakeDaraja, FakeStripe

pytest.importorskip("stripe", reason="needs the extra [stripe]")
pytest.importorskip("requests", reason="needs the extra [mpesa]")

from shop_orders.payment_providers import Mpesa, StripeCheckout

URL = "https://shop.example.org/payments/webhooks/mobile_money/"


@pytest.fixture(scope="module")
def servers():
    with FakeStripe().running() as stripe, FakeDaraja().running() as daraja:
        yield stripe, daraja


@pytest.fixture
def stripe(servers):
    servers[0].__dict__.update(error=None, refusal=None, endpoints=[endpoint()])
    return servers[0]


@pytest.fixture
def daraja(servers):
    Mpesa._tokens.clear()
    servers[1].__dict__.update(error=None, token=1, gives_tokens=True, results={}, calls=[])
    yield servers[1]
    Mpesa._tokens.clear()


def endpoint(events=("*",), status="enabled", url=URL):
    return {"object": "webhook_endpoint", "id": "we_1", "url": url, "status": status, "enabled_events": list(events)}


def problems_of_stripe(server, key="sk_live_very-secret", url=URL):
    provider = StripeCheckout(alias="card", api_key=key, webhook_secrets=SECRETS, api_base=server.url)
    found = list(provider.diagnose(webhook_url=url))
    assert key not in str(found)
    return found


def problems_of_mpesa(url, webhook_url=URL, **options):
    provider = Mpesa(alias="mobile_money", **{**MPESA, "api_base": url, **options})
    found = list(provider.diagnose(webhook_url=webhook_url))
    assert not any(secret in str(found) for secret in ("hidden", "passkey-1", MPESA["webhook_secret"]))
    return found


def whats(found):
    return [(problem.what, problem.is_warning) for problem in found]


def test_keys_that_work_have_no_problems(stripe, daraja):
    assert problems_of_stripe(stripe) == []
    assert problems_of_mpesa(daraja.url) == []
    assert list(HostedTestProvider(alias="test", secrets=["a"]).diagnose(webhook_url=URL)) == []
    assert daraja.results == {}


def test_stripe_test_key_is_a_warning(stripe):
    (problem,) = problems_of_stripe(stripe, key="sk_test_very-secret")
    assert problem.is_warning
    assert "test mode" in problem.what


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ((401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}), "does not know"),
        ((503, "<html>Bad gateway</html>"), "cannot be reached"),
        ((429, {"error": {"type": "invalid_request_error", "code": "rate_limit"}}), "cannot be reached"),
    ],
)
def test_stripe_refusals_are_told_apart(stripe, response, text):
    stripe.error = response
    (problem,) = problems_of_stripe(stripe)
    assert text in problem.what
    assert not problem.is_warning


def test_unreachable_stripe_is_reported(stripe):
    provider = StripeCheckout(alias="card", api_key="sk_live", webhook_secrets=SECRETS, api_base="http://127.0.0.1:1")
    (problem,) = provider.diagnose()
    assert "cannot be reached" in problem.what


def test_stripe_restricted_key_without_the_right_to_read_is_no_problem(stripe):
    stripe.error = (403, {"error": {"type": "invalid_request_error", "message": "The key has no access"}})
    assert problems_of_stripe(stripe) == []


@pytest.mark.parametrize(
    ("endpoints", "text"),
    [
        ([], "is missing at Stripe"),
        ([endpoint(url="https://other.example.org/")], "is missing at Stripe"),
        ([endpoint(status="disabled")], "is disabled at Stripe"),
        (
            [endpoint(diagnosis.STRIPE_EVENTS[:-2])],
            "does not send charge.dispute.funds_withdrawn, charge.dispute.funds_reinstated",
        ),
        ([endpoint(diagnosis.STRIPE_EVENTS)], None),
    ],
)
def test_stripe_webhook_endpoint_is_compared(stripe, endpoints, text):
    stripe.endpoints = endpoints
    found = problems_of_stripe(stripe)
    assert len(found) == (text is not None)
    assert text is None or (text in found[0].what and found[0].is_warning)


def test_mpesa_wrong_key(daraja):
    (problem,) = problems_of_mpesa(daraja.url, consumer_key="wrong")
    assert "does not know this consumer key" in problem.what


def test_mpesa_key_of_the_other_environment(daraja, monkeypatch):
    away = "http://127.0.0.1:1"
    monkeypatch.setattr(diagnosis, "DARAJA", {away: "production", daraja.url: "sandbox"})
    monkeypatch.setattr(Mpesa, "_call", refusing_at(away, Mpesa._call))
    (problem,) = problems_of_mpesa(away)
    assert problem.what == "The consumer key of M-Pesa belongs to the environment sandbox, not to production."
    (problem,) = problems_of_mpesa(away, consumer_key="wrong")
    assert "does not know this consumer key" in problem.what


def refusing_at(url, call):
    def respond(self, method, path, *, api_base="", **options):
        if (api_base or self.api_base) == url:
            return 400, {"errorCode": "400.008.01"}
        return call(self, method, path, api_base=api_base, **options)

    return respond


def test_mpesa_sandbox_is_a_warning(daraja, monkeypatch):
    monkeypatch.setattr(diagnosis, "DARAJA", {daraja.url: "sandbox"})
    assert whats(problems_of_mpesa(daraja.url)) == [("M-Pesa runs in the sandbox: no money moves.", True)]


@pytest.mark.parametrize("message", ["Wrong credentials", "Merchant does not exist", "Invalid BusinessShortCode"])
def test_mpesa_passkey_that_does_not_fit(daraja, monkeypatch, message):
    responses = {"GET": (200, {"access_token": "x", "expires_in": "3599"})}
    refusal = (500, {"errorCode": "500.001.1001", "errorMessage": message})
    monkeypatch.setattr(Mpesa, "_call", lambda _self, method, *_path, **_options: responses.get(method, refusal))
    (problem,) = problems_of_mpesa(daraja.url)
    assert problem.what == "Safaricom refuses the short code of M-Pesa with this passkey."


@pytest.mark.parametrize("response", [(503, "<html></html>"), (429, {"errorCode": "500.003.02"})])
def test_unreachable_mpesa_is_reported(daraja, response):
    daraja.error = response
    for url in (daraja.url, "http://127.0.0.1:1"):
        (problem,) = problems_of_mpesa(url)
        assert "cannot be reached" in problem.what


def test_mpesa_app_without_the_product(daraja):
    daraja.refusal = (401, {"errorCode": "404.001.04", "errorMessage": "Invalid Authentication Header"})
    daraja.token = 0
    (problem,) = problems_of_mpesa(daraja.url)
    assert "no access" in problem.what
    daraja.refusal = FakeDaraja().refusal


def test_mpesa_url_that_safaricom_refuses(daraja):
    found = problems_of_mpesa(daraja.url, webhook_url="http://shop.example.org/payments/webhooks/mpesa/")
    assert [problem.is_warning for problem in found] == [True, True]
    assert ("https://" in found[0].what, "'mpesa'" in found[1].what) == (True, True)


def test_providers_without_a_service_have_no_problems():
    assert list(payment_provider("on_delivery").diagnose()) == []
