"""Stand-ins for the services of this package's payment providers, for the contract kit."""

import hashlib
import hmac
import json
import time
from decimal import Decimal
from types import SimpleNamespace
from urllib.parse import urlsplit

from django.test import RequestFactory
from shop_orders.testing import (
    LocalPaymentService,
    MemoryPaymentProvider,
    PaymentService,
    ServicePayment,
    ServiceRefund,
    signed_call,
)

from testproject.providers import FakeDaraja, FakeStripe


class RecordingService(PaymentService):
    """For a provider that calls no service: it records what the provider returns, and staff act on these records."""

    def __init__(self):
        self.payments, self.sent, self.outcomes = {}, {}, {}

    def watch(self, provider):
        start, refund = provider.start, provider.refund

        def recorded_start(request):
            made = start(request)
            payment = ServicePayment(reference=made.reference, amount=request.amount, currency=request.currency)
            self.payments.setdefault(made.reference, payment)
            return made

        def recorded_refund(state, *, reference, request):
            made = refund(state, reference=reference, request=request)
            sent = ServiceRefund(
                reference=made.reference, payment=reference, amount=request.amount, currency=request.currency
            )
            self.sent.setdefault(made.reference, sent)
            return made

        provider.start, provider.refund = recorded_start, recorded_refund
        self.refunds_by_hand = provider.refunds_by_hand
        return provider

    def behave(self, mode):
        pass

    def requested(self):
        return list(self.payments.values())

    def pay(self, reference, *, amount=None):
        if amount is not None:
            raise NotImplementedError
        self.outcomes[reference] = "captured"

    def fail(self, reference):
        self.outcomes[reference] = "failed"

    def refunds(self):
        return [] if self.refunds_by_hand else list(self.sent.values())


class HostedTestService(RecordingService):
    """The page of the test provider, which stores the outcome in the payment's data."""

    def __init__(self, secret):
        super().__init__()
        self.secret = secret

    def authorise(self, reference):
        self.outcomes[reference] = "authorised"

    def state(self, started):
        outcome = self.outcomes.get(started.reference)
        return {**started.data, "outcome": outcome} if outcome else dict(started.data)

    def webhook(self, kind, reference, *, amount=None, currency="", event_id="evt-1"):
        said = {"kind": kind, "reference": reference, "currency": currency}
        return signed_call(said if amount is None else {**said, "amount": str(amount)}, self.secret, event_id=event_id)


class MemoryService(RecordingService):
    """The attributes of MemoryPaymentProvider."""

    def behave(self, mode):
        MemoryPaymentProvider.is_down = mode == "unavailable"
        MemoryPaymentProvider.decline = mode == "declined"

    def pay(self, reference, *, amount=None):
        if amount is not None:
            MemoryPaymentProvider.amounts[reference] = amount
        MemoryPaymentProvider.outcomes[reference] = "captured"

    def fail(self, reference):
        MemoryPaymentProvider.outcomes[reference] = "failed"

    def authorise(self, reference):
        MemoryPaymentProvider.outcomes[reference] = "authorised"


class StripeService(LocalPaymentService):
    """FakeStripe, which counts as https://docs.stripe.com/currencies#minor-units says."""

    declined = (402, {"error": {"type": "card_error", "code": "card_declined", "message": "Declined"}})
    expired_token = (401, {"error": {"type": "invalid_request_error", "message": "Expired API Key provided"}})
    decimals = {"JPY": 0, "KWD": 3}

    def __init__(self, secret):
        super().__init__()
        self.fake, self.secret = FakeStripe(), secret

    def respond(self, method, path, body, headers):
        try:
            return self.fake.respond(method, path, body, headers)
        except (KeyError, StopIteration):
            return 404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}

    def requested(self):
        return [
            ServicePayment(
                reference=row["id"],
                amount=self.money(row["amount_total"], row["currency"].upper()),
                currency=row["currency"].upper(),
            )
            for row in self.fake.sessions.values()
        ]

    def pay(self, reference, *, amount=None):
        if amount is not None:
            raise NotImplementedError
        self.fake.pay(reference)

    def fail(self, reference):
        self.fake.sessions[reference]["status"] = "expired"

    def refunds(self):
        return [
            ServiceRefund(
                reference=row["id"],
                payment=(session := row["payment_intent"].removeprefix("pi_")),
                amount=self.money(row["amount"], self.fake.sessions[session]["currency"].upper()),
                currency=self.fake.sessions[session]["currency"].upper(),
            )
            for row in self.fake.refunds
        ]

    def fail_refund(self, reference):
        next(row for row in self.fake.refunds if row["id"] == reference)["status"] = "failed"

    def refund_elsewhere(self, reference, amount):
        self.fake.refund(f"pi_{reference}", int(amount * 100))

    def webhook(self, kind, reference, *, amount=None, currency="", event_id="evt_1"):
        session = self.fake.sessions.get(reference, {"metadata": {}})
        minor = None if amount is None else int(amount.scaleb(self.decimals.get(currency, 2)))
        common = {"currency": currency.lower(), "metadata": session["metadata"]}
        kind, data = {
            "captured": ("checkout.session.completed", {"id": reference, "amount_total": minor}),
            "failed": ("checkout.session.async_payment_failed", {"id": reference}),
            "refunded": ("charge.refunded", {"id": "ch_1", "amount_refunded": minor}),
            "refund_failed": ("refund.failed", {"id": "re_9", "amount": minor}),
        }[kind]
        data |= {"payment_status": "paid" if kind.endswith("completed") else "unpaid"}
        if kind == "refund.failed":
            data |= {"status": "failed", "payment_intent": f"pi_{reference}", "metadata": {}}
        said = {name: value for name, value in {**common, **data}.items() if value is not None}
        event = {"id": event_id, "object": "event", "type": kind, "data": {"object": said}}
        return stripe_call(event, self.secret)

    def money(self, minor, currency):
        return Decimal(minor).scaleb(-self.decimals.get(currency, 2))


def stripe_call(event, secret):
    body, now = json.dumps(event).encode(), int(time.time())
    signed = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={now},v1={signed}"}
    return RequestFactory(headers=headers).post("/", body, content_type="application/json")


class DarajaService(LocalPaymentService):
    """FakeDaraja. It issues tokens, takes whole shillings, and does not sign its calls."""

    declined = (
        400,
        {"requestId": "1", "errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid PhoneNumber"},
    )
    token_path = "/oauth/v1/generate"

    def __init__(self):
        super().__init__()
        self.fake, self.pushes = FakeDaraja(), {}

    def behave(self, mode):
        if mode == "expired_token":
            self.fake.token += 1
            mode = "accept"
        super().behave(mode)

    def respond(self, method, path, body, headers):
        status, response = self.fake.respond(method, path, body, headers)
        if status == 200 and path.endswith("/processrequest"):
            self.pushes[response["CheckoutRequestID"]] = body
        return status, response

    def requested(self):
        return [
            ServicePayment(reference=reference, amount=Decimal(push["Amount"]), currency="KES")
            for reference, push in self.pushes.items()
        ]

    def pay(self, reference, *, amount=None):
        if amount is not None:
            raise NotImplementedError
        self.fake.results[reference] = "0"

    def fail(self, reference):
        self.fake.results[reference] = "1"

    def refunds(self):
        return []

    def incoming(self, receipt, *, amount, currency, account):
        body = json.dumps(self.fake.send_by_hand(receipt, int(amount), account=account))
        request = RequestFactory().post("/", body, content_type="application/json")
        request.resolver_match = SimpleNamespace(kwargs={"secret": "a-long-random-text-paid"})
        return request

    def webhook(self, kind, reference, *, amount=None, currency="", event_id="evt_1"):
        if kind not in ("captured", "failed"):
            raise NotImplementedError
        code = 0 if kind == "captured" else 1
        call = {"MerchantRequestID": "1", "CheckoutRequestID": reference, "ResultCode": code, "ResultDesc": "Done"}
        if kind == "captured":
            items = [] if amount is None else [{"Name": "Amount", "Value": float(amount)}]
            call["CallbackMetadata"] = {"Item": [*items, {"Name": "MpesaReceiptNumber", "Value": "NLJ7"}]}
        body = json.dumps({"Body": {"stkCallback": call}})
        request = RequestFactory().post("/", body, content_type="application/json")
        push = self.pushes.get(reference) or {"CallBackURL": next(iter(self.pushes.values()))["CallBackURL"]}
        secret = urlsplit(push["CallBackURL"]).path.rstrip("/").rpartition("/")[2]
        if reference not in self.pushes:
            secret = f"{secret[:-36]}{'f' * 8}{secret[-28:]}"
        request.resolver_match = SimpleNamespace(kwargs={"secret": secret})
        return request
