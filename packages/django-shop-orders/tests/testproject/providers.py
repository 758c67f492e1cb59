"""Local servers that respond as the documentation of Stripe and Safaricom describes."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Server:
    """A local HTTP server. ``calls`` lists method, path and body of every request.

    Subclasses define ``respond(method, path, body, headers)``: it returns the status and the JSON, or a text like that
    of a gateway.
    """

    def __init__(self):
        self.calls = []

    @contextmanager
    def running(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def handle_call(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                url = urlsplit(self.path)
                is_json = "json" in self.headers.get("Content-Type", "")
                body = json.loads(raw) if is_json else {k: v[0] for k, v in parse_qs(raw or url.query).items()}
                fake.calls.append((self.command, url.path, body))
                status, response = fake.respond(self.command, url.path, body, self.headers)
                content = (response if isinstance(response, str) else json.dumps(response)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(response, str) else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_call

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class FakeStripe(Server):
    def __init__(self):
        super().__init__()
        self.sessions, self.refunds, self.by_key, self.error = {}, [], {}, None
        self.endpoints = []
        self.disputes, self.disputes_refused = [], False
        self.refusal = None
        """If set, the response to every GET. POST requests are still processed."""
        self.refund_status = "succeeded"
        self.intents, self.intents_refused = {}, False
        """What is known of payments that arrive later."""

    def respond(self, method, path, body, headers):
        if self.error or (self.refusal and method == "GET"):
            return self.error or self.refusal
        if path == "/v1/balance":
            return 200, {"object": "balance", "livemode": False, "available": [], "pending": []}
        if path == "/v1/webhook_endpoints":
            return 200, {"object": "list", "url": path, "has_more": False, "data": self.endpoints}
        key = headers.get("Idempotency-Key")
        if method == "POST" and key in self.by_key:
            return 200, self.by_key[key]
        parts = path.strip("/").split("/")
        if parts[1:3] == ["checkout", "sessions"]:
            found = self._session(method, parts[3:], body)
            if found is None:
                problem = 'Only Checkout Sessions with a status in ["open"] can be expired.'
                return 400, {"error": {"type": "invalid_request_error", "message": problem}}
        elif parts[1] == "payment_intents":
            session = self.sessions.get(parts[2].removeprefix("pi_"))
            if session is None:
                return 404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}
            if self.intents_refused:
                return 401, {"error": {"type": "invalid_request_error", "message": "Expired API Key provided"}}
            found = {"id": parts[2], "object": "payment_intent", "metadata": session["metadata"]}
            found |= self.intents.get(parts[2], {"status": "succeeded"})
        elif parts[1:] == ["disputes"] and self.disputes_refused:
            return 403, {"error": {"type": "invalid_request_error", "message": "The key lacks a permission."}}
        elif parts[1:] == ["disputes"]:
            data = [row for row in self.disputes if row["payment_intent"] == body["payment_intent"]]
            found = {"object": "list", "url": "/v1/disputes", "has_more": False, "data": data}
        elif parts[1:] == ["refunds"]:
            if "payment_intent" not in body:
                return 400, {"error": {"type": "invalid_request_error", "message": "Missing required param"}}
            found = self._refunds(method, body)
        elif parts[1] == "refunds":
            found = next(row for row in self.refunds if row["id"] == parts[2])
        else:
            return 404, {"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}
        if method == "POST" and key:
            self.by_key[key] = found
        return 200, found

    def _refunds(self, method, body):
        intent = body["payment_intent"]
        if method == "GET":
            found = [row for row in self.refunds if row["payment_intent"] == intent]
            return {"object": "list", "url": "/v1/refunds", "has_more": False, "data": found}
        return self.refund(intent, int(body["amount"]), refund_id=body["metadata[refund_id]"])

    def dispute(self, intent, amount, *, status="needs_response", moved=()):
        """Create or change the dispute of a payment. ``moved``: the amounts of its balance transactions."""
        row = {"id": f"dp_{intent}", "object": "dispute", "amount": amount, "currency": "kes", "reason": "fraudulent"}
        row |= {"payment_intent": intent, "charge": f"ch_{intent}", "status": status}
        row["evidence_details"] = {"due_by": 1796083200, "has_evidence": False}
        row["balance_transactions"] = [{"object": "balance_transaction", "amount": moves} for moves in moved]
        self.disputes = [other for other in self.disputes if other["id"] != row["id"]] + [row]
        return row

    def refund(self, intent, amount, *, refund_id="", status=""):
        """Create a refund. Without ``refund_id`` it counts as made in the dashboard."""
        row = {"id": f"re_{len(self.refunds)}", "object": "refund", "amount": amount, "payment_intent": intent}
        row |= {"metadata": {"refund_id": refund_id} if refund_id else {}, "status": status or self.refund_status}
        self.refunds.append(row)
        return row

    def _session(self, method, rest, body):
        if not rest:
            session_id = f"cs_test_{len(self.sessions)}"
            self.sessions[session_id] = {
                "id": session_id,
                "object": "checkout.session",
                "url": f"https://checkout.stripe.example.org/{session_id}",
                "status": "open",
                "payment_status": "unpaid",
                "payment_intent": None,
                "currency": body["line_items[0][price_data][currency]"],
                "amount_total": int(body["line_items[0][price_data][unit_amount]"]),
                "metadata": {"payment_id": body["metadata[payment_id]"]},
            }
            return self.sessions[session_id]
        if rest[1:] == ["expire"]:
            if self.sessions[rest[0]]["status"] != "open":
                return None
            self.sessions[rest[0]]["status"] = "expired"
        return self.sessions[rest[0]]

    def pay(self, session_id):
        intent = f"pi_{session_id}"
        self.sessions[session_id].update(status="complete", payment_status="paid", payment_intent=intent)
        self.intents.pop(intent, None)

    def delay(self, session_id, status="processing"):
        """The customer has authorised a bank debit, or holds a voucher (``requires_action``)."""
        intent = f"pi_{session_id}"
        self.sessions[session_id].update(status="complete", payment_status="unpaid", payment_intent=intent)
        self.intents[intent] = {"status": status, "last_payment_error": None}

    def fail(self, session_id, message="The payment failed."):
        """Such a payment has failed: the session stays as it was."""
        error = {"type": "card_error", "code": "payment_intent_payment_attempt_failed", "message": message}
        self.intents[f"pi_{session_id}"] = {"status": "requires_payment_method", "last_payment_error": error}


class FakeDaraja(Server):
    def __init__(self):
        super().__init__()
        self.results, self.error, self.loses_responses = {}, None, False
        self.waits_as_result = False
        self.token, self.gives_tokens = 1, True
        self.refusal = (404, {"requestId": "1", "errorCode": "404.001.03", "errorMessage": "Invalid Access Token"})
        """The response to an invalid token."""
        self.registered, self.by_hand, self.questions = {}, {}, []
        """The URLs by short code; the transactions by receipt, as ``send_by_hand`` makes them; the status queries."""

    @property
    def pushes(self):
        return [body for _method, path, body in self.calls if path.endswith("/processrequest")]

    def respond(self, method, path, body, headers):
        """``loses_responses``: requests are processed, but the response is lost.

        ``waits_as_result``: a pending payment is reported as a result code, not as an error. ``token`` is the number
        of the valid token; 0 if none is.
        """
        response = self._respond(path, body, headers)
        return (200, "lost") if self.loses_responses and path.startswith("/mpesa/") else response

    def _respond(self, path, body, headers):
        if self.error:
            return self.error
        if path == "/oauth/v1/generate":
            if headers.get("Authorization") != "Basic " + base64.b64encode(b"consumer:hidden").decode():
                return 400, {"errorCode": "400.008.01", "errorMessage": "Invalid Authentication passed"}
            if not self.gives_tokens:
                return 400, {"errorCode": "400.008.01", "errorMessage": "Invalid Authentication passed"}
            return 200, {"access_token": f"token-{self.token}", "expires_in": "3599"}
        if not self.token or headers.get("Authorization") != f"Bearer token-{self.token}":
            return self.refusal
        if path == "/mpesa/stkpush/v1/processrequest":
            reference = f"ws_CO_{len(self.results)}"
            self.results[reference] = None
            return 200, {
                "MerchantRequestID": "29115-1",
                "CheckoutRequestID": reference,
                "ResponseCode": "0",
                "ResponseDescription": "Success. Request accepted for processing",
                "CustomerMessage": "Success. Request accepted for processing",
            }
        if path == "/mpesa/c2b/v2/registerurl":
            return self._register(body)
        if path == "/mpesa/transactionstatus/v1/query":
            return self._status_query(body)
        if body["CheckoutRequestID"] not in self.results:
            wrong = "Bad Request - Invalid CheckoutRequestID"
            return 400, {"requestId": "1", "errorCode": "400.002.02", "errorMessage": wrong}
        named = {"CheckoutRequestID": body["CheckoutRequestID"]}
        result = self.results.get(body["CheckoutRequestID"])
        if result is None and self.waits_as_result:
            waiting = "The transaction is still under processing"
            return 200, {"ResponseCode": "0", "ResultCode": "4999", "ResultDesc": waiting}
        if result is None:
            waiting = "The transaction is being processed"
            return 500, {"requestId": "1", "errorCode": "500.001.1001", "errorMessage": waiting}
        return 200, {"ResponseCode": "0", "ResultCode": result, "ResultDesc": "The result", **named}

    def _register(self, body):
        if any(not body[name].startswith("https://") for name in ("ConfirmationURL", "ValidationURL")):
            return 400, {"errorCode": "400.003.02", "errorMessage": "Bad Request - Invalid ValidationURL"}
        if body["ShortCode"] in self.registered:
            return 500, {"errorCode": "500.003.1001", "errorMessage": "URLs are already registered"}
        self.registered[body["ShortCode"]] = body
        return 200, {
            "OriginatorCoversationID": "6e86-45dd-91ac-fd5d4178ab523408729",
            "ResponseCode": "0",
            "ResponseDescription": "Success",
        }

    def _status_query(self, body):
        if body["SecurityCredential"] != "encrypted":
            return 400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid SecurityCredential"}
        self.questions.append(body)
        return 200, {
            "OriginatorConversationID": "1236-7134259-1",
            "ConversationID": "AG_20210709_1234409f86436c583e3f",
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }

    def send_by_hand(self, receipt, amount, *, account="", number="174379", phone="2547 ***** 678", **changes):
        """The body of the confirmation of money that a customer sent. Version 2 masks the phone."""
        self.by_hand[receipt] = (amount, number)
        return {
            "TransactionType": "Pay Bill" if account else "Buy Goods",
            "TransID": receipt,
            "TransTime": "20261130091503",
            "TransAmount": f"{amount}",
            "BusinessShortCode": number,
            "BillRefNumber": account,
            "InvoiceNumber": "",
            "OrgAccountBalance": "49197.00",
            "ThirdPartyTransID": "",
            "MSISDN": phone,
            "FirstName": "WANJIRU",
            "MiddleName": "",
            "LastName": "",
            **changes,
        }

    def answer_question(self, question, **changes):
        """The path and the body of the response to a status query."""
        receipt = question["TransactionID"]
        amount, number = self.by_hand.get(receipt, (0, ""))
        result = {
            "ResultType": 0,
            "ResultCode": 0 if number else 2032,
            "ResultDesc": "The service request is processed successfully.",
            "OriginatorConversationID": "1236-7134259-1",
            "ConversationID": "AG_20210709_1234409f86436c583e3f",
            "TransactionID": "RAI31LV7F3",
        }
        values = {
            "DebitPartyName": "254712345678 - WANJIRU",
            "CreditPartyName": f"{number} - Acacia Ltd",
            "TransactionStatus": "Completed",
            "Amount": amount,
            "ReceiptNo": receipt,
            **changes,
        }
        if number:
            result["ResultParameters"] = {
                "ResultParameter": [{"Key": key, "Value": value} for key, value in values.items()]
            }
        return urlsplit(question["ResultURL"]).path, {"Result": result}
