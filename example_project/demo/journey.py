"""A complete order over HTTP, as a customer's app places it, for ``run_demo.py --check``. Standard library only."""

from __future__ import annotations

import json
import re
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

TIMEOUT_SECONDS = 40
PHONE = "0712 345 679"
E164 = "+254712345679"


class Failed(Exception):
    """A step failed; the message names it."""


class Journey:
    def __init__(self, site: str, *, say: Callable[[str], None]) -> None:
        self.site, self.say = site, say
        self.email = f"check-{secrets.token_hex(4)}@example.org"
        self.password = secrets.token_urlsafe(12)
        self.token = ""

    def run(self) -> None:
        """Every step in order.

        Raises:
            Failed: at the first step that fails.
        """
        self._register()
        self._log_in()
        product = self._product()
        before = self._available(product)
        number = self._place(product)
        self._expect(self._available(product), before - 2, "available stock after the order")
        self.say(f"order {number} is placed, available stock went from {before} to {before - 2}")
        mail = self._wait("the confirmation e-mail", lambda: self._mail(number))
        self.say(f"e-mail: {mail['subject']}")
        text = self._wait("the SMS", lambda: self._text(number))
        self.say(f"SMS: {text['text']} ({text['segments']} segments, {text['cost']})")
        self._wait("the delivery report of the SMS", lambda: self._delivered(number))
        self.say("the SMS is reported as delivered, and the order's tracking says so")
        self._call("POST", f"/api/v1/orders/orders/{number}/cancel/", {}, status=200)
        self._expect(self._available(product), before, "available stock after the cancellation")
        self.say(f"the order is cancelled, available stock is {before} again")
        self._pay_by_phone(product)
        self._call("POST", "/api/v1/auth/customers/logout/", status=204)
        self._call("GET", "/api/v1/auth/customers/profile/", status=401)
        self.say("logged out; the access token is void")

    def _register(self) -> None:
        body = {
            "email": self.email,
            "password": self.password,
            "first_name": "Check",
            "last_name": "Customer",
            "phone": PHONE,
        }
        step = self._call("POST", "/api/v1/auth/customers/register/", body, status=201)["next"]
        mail = self._wait("the e-mail with the code", lambda: next(iter(self._inbox()["mails"]), None))
        code = re.search(r"^([A-Z0-9]+(?:-[A-Z0-9]+)*)$", mail["text"], re.MULTILINE)
        if code is None:
            raise Failed(f"no code in the e-mail: {mail['text']}")
        headers = {"X-Session-Token": step["session_token"]}
        self._call("POST", urllib.parse.urlsplit(step["url"]).path, {"key": code[1]}, headers=headers, status=200)
        self.say(f"{self.email} is registered and verified by the code {code[1]}")

    def _log_in(self) -> None:
        body = {"email": self.email, "password": self.password}
        tokens = self._call("POST", "/api/v1/auth/customers/login/", body, status=200)
        self.token = tokens["access_token"]
        self.say(f"logged in; the token lives for {tokens['expires_in']} seconds")

    def _product(self) -> dict[str, Any]:
        """A simple product with enough stock."""
        rows = self._call("GET", "/api/v1/products/products/?in_stock=true&limit=50", status=200)["items"]
        found = next((row for row in rows if row["kind"] == "simple" and str(row["price"]).endswith(".00")), None)
        if found is None:
            raise Failed("no simple product is in stock")
        return dict(found)

    def _available(self, product: dict[str, Any]) -> int:
        return int(self._call("GET", f"/api/v1/products/products/{product['slug']}/", status=200)["available"])

    def _place(self, product: dict[str, Any], provider: str = "") -> str:
        self._call("POST", "/api/v1/orders/cart/add_item/", {"product": product["sku"], "quantity": 2}, status=200)
        cart = self._call("GET", "/api/v1/orders/cart/", status=200)
        body = {
            "shipping_address": {
                "name": "Check Customer",
                "line1": "Acacia Court",
                "city": "Nairobi",
                "country": "KE",
            },
            "delivery": "pickup",
            "expected_total": cart["total"],
            **({"payment_provider": provider} if provider else {}),
        }
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        order = self._call("POST", "/api/v1/orders/orders/", body, headers=headers, status=201)
        again = self._call("POST", "/api/v1/orders/orders/", body, headers=headers, status=201)
        self._expect(again["number"], order["number"], "the order of a repeated request")
        return str(order["number"])

    def _pay_by_phone(self, product: dict[str, Any]) -> None:
        """Pay another order on the handset. The report comes twice, and the money must be counted once."""
        order = self._call("GET", f"/api/v1/orders/orders/{self._place(product, 'mobile_money')}/", status=200)
        path = f"/api/v1/orders/orders/{order['number']}/"
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        self._call("POST", f"{path}payments/", {"phone": PHONE}, headers=headers, status=201)
        request = self._wait("the request on the phone", lambda: next(iter(self._phone()["requests"]), None))
        self.say(f"the phone rings: KES {request['amount']} for {request['account']}")
        self._enter_pin(request["id"])
        paid = self._wait("the payment", lambda: self._is_paid(path))
        self._expect((paid["status"], paid["paid_amount"]), ("confirmed", order["total"]), "the order that was paid")
        self.say(f"order {order['number']} is paid by M-Pesa: {paid['paid_amount']} of {order['total']}")

    def _is_paid(self, path: str) -> dict[str, Any] | None:
        order = self._call("GET", path, status=200)
        return dict(order) if order["payment_status"] == "paid" else None

    def _phone(self) -> dict[str, Any]:
        return dict(self._call("GET", f"/demo/inbox/?to={urllib.parse.quote(E164)}", status=200))

    def _enter_pin(self, request_id: int) -> None:
        """Send the form of the handset, with its token against cross-site requests."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(f"{self.site}/demo/inbox/", timeout=30).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        if token is None:
            raise Failed("the inbox page has no form")
        fields = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "pin": "1234", "answer": "pay"})
        opener.open(f"{self.site}/demo/inbox/handset/{request_id}/", fields.encode(), timeout=30).close()

    def _mail(self, number: str) -> dict[str, Any] | None:
        return next((mail for mail in self._inbox()["mails"] if number in mail["subject"] + mail["text"]), None)

    def _text(self, number: str) -> dict[str, Any] | None:
        texts = self._call("GET", f"/demo/inbox/?to={urllib.parse.quote(E164)}", status=200)["texts"]
        return next((text for text in texts if number in text["text"]), None)

    def _delivered(self, number: str) -> bool:
        tracking = self._call("GET", f"/api/v1/orders/orders/{number}/tracking/", status=200)
        sent = {delivery["channel"]: delivery["state"] for delivery in tracking["deliveries"]}
        text = self._text(number)
        return sent.get("sms") == "delivered" and text is not None and text["report"] == "Success"

    def _inbox(self) -> dict[str, Any]:
        return dict(self._call("GET", f"/demo/inbox/?to={urllib.parse.quote(self.email)}", status=200))

    def _wait(self, what: str, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(0.2)
        raise Failed(f"{what} did not arrive within {TIMEOUT_SECONDS} seconds")

    def _expect(self, value: Any, wanted: Any, what: str) -> None:
        if value != wanted:
            raise Failed(f"{what}: {value!r} instead of {wanted!r}")

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        status: int,
        headers: dict[str, str] | None = None,
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.site}{path}", data, method=method)  # noqa: S310
        request.add_header("Accept", "application/json")
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                received, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            received, content = error.code, error.read()
        except OSError as error:
            raise Failed(f"{method} {path}: {error}")
        if received != status:
            raise Failed(
                f"{method} {path} returned {received} instead of {status}: {content.decode(errors='replace')[:2000]}"
            )
        return json.loads(content) if content else None
