"""Finds problems with the keys of Stripe and M-Pesa and with the connection. The calls change nothing at the
service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from shop_orders.exceptions import ProviderUnavailable
from shop_orders.payment_providers.base import Problem

STRIPE_EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""The events that the endpoint in Stripe's dashboard has to send."""
DARAJA = {"https://api.safaricom.co.ke": "production", "https://sandbox.safaricom.co.ke": "sandbox"}
TOKEN = "/oauth/v1/generate?grant_type=client_credentials"  # noqa: S105 - a path
FORBIDDEN_WORDS = ("mpesa", "m-pesa", "safaricom", "exec", "exe", "cmd", "sql", "query")
"""Safaricom refuses a URL that contains one of these words."""


def of_stripe(stripe: Any, api: Any, *, webhook_url: str, is_test: bool) -> Iterator[Problem]:
    """Read the balance and the list of webhook endpoints."""
    try:
        api.balance.retrieve()
    except stripe.AuthenticationError:
        yield Problem(
            what="Stripe does not know this API key.",
            fix="Copy the secret key (sk_...) from https://dashboard.stripe.com/apikeys; a key that was rolled or "
            "belongs to another account is refused.",
        )
        return
    except stripe.PermissionError:
        pass  # a restricted key may be unable to read the balance
    except stripe.StripeError:
        yield _unreachable("Stripe", "api.stripe.com")
        return
    if is_test:
        yield Problem(
            what="Stripe runs in test mode: only test cards work, and no money moves.",
            fix="Use the live mode's secret key and the signing secret of its own webhook endpoint to take money.",
            is_warning=True,
        )
    if webhook_url:
        yield from _stripe_endpoint(stripe, api, webhook_url)


def _stripe_endpoint(stripe: Any, api: Any, webhook_url: str) -> Iterator[Problem]:
    try:
        endpoints = api.webhook_endpoints.list({"limit": 100}).data
    except stripe.StripeError:
        return  # a restricted key may be unable to read them
    ours = [row for row in endpoints if str(row.url).rstrip("/") == webhook_url.rstrip("/")]
    working = [row for row in ours if row.status == "enabled"]
    if not working:
        state = "is disabled" if ours else "is missing"
        yield Problem(
            what=f"The webhook endpoint for {webhook_url} {state} at Stripe: payments are found late, when Stripe is "
            "next "
            "asked.",
            fix=f"Add it at https://dashboard.stripe.com/webhooks with these events: {', '.join(STRIPE_EVENTS)}.",
            is_warning=True,
        )
        return
    sent = {name for row in working for name in row.enabled_events}
    if "*" not in sent and (missing := [name for name in STRIPE_EVENTS if name not in sent]):
        yield Problem(
            what=f"The webhook endpoint at Stripe does not send {', '.join(missing)}.",
            fix="Select these events at https://dashboard.stripe.com/webhooks.",
            is_warning=True,
        )


def of_mpesa(
    call: Callable[..., tuple[int, Mapping[str, Any]]],
    *,
    key: tuple[str, str],
    inquiry: Mapping[str, str],
    api_base: str,
    webhook_url: str,
) -> Iterator[Problem]:
    """Request an access token, then the status of a payment that does not exist. ``call`` calls Daraja."""
    yield from _mpesa_url(webhook_url)
    environment = DARAJA.get(api_base, "")
    try:
        status, result = call("GET", TOKEN, auth=key)
        if not result.get("access_token"):
            yield _refused_key(call, key, environment, status)
            return
        bearer = {"Authorization": f"Bearer {result['access_token']}"}
        status, result = call("POST", "/mpesa/stkpushquery/v1/query", json=inquiry, headers=bearer)
    except ProviderUnavailable:
        yield _unreachable("M-Pesa", urlsplit(api_base).netloc)
        return
    if environment == "sandbox":
        yield Problem(
            what="M-Pesa runs in the sandbox: no money moves.",
            fix="Use the production app's keys, your short code and its passkey to take money.",
            is_warning=True,
        )
    yield from _inquiry_problems(status, result)


def _refused_key(call: Callable[..., Any], key: tuple[str, str], environment: str, status: int) -> Problem:
    """A problem with the key. If possible, the key is also tried in Safaricom's other environment."""
    if status >= 500 or status == 429:
        return _unreachable("M-Pesa", "Safaricom")
    other = next((url for url, name in DARAJA.items() if environment and name != environment), None)
    try:
        fits_other = other is not None and bool(call("GET", TOKEN, auth=key, api_base=other)[1].get("access_token"))
    except ProviderUnavailable:
        fits_other = False
    if other is not None and fits_other:
        return Problem(
            what=f"The consumer key of M-Pesa belongs to the environment {DARAJA[other]}, not to {environment}.",
            fix=f"Use the keys of a {environment} app, or change the environment to {DARAJA[other]}.",
        )
    return Problem(
        what="Safaricom does not know this consumer key and secret of M-Pesa.",
        fix="Copy both from your app at https://developer.safaricom.co.ke; the sandbox and production have their own.",
    )


def _inquiry_problems(status: int, result: Mapping[str, Any]) -> Iterator[Problem]:
    message = str(result.get("errorMessage", ""))
    if status in (401, 403):
        yield Problem(
            what="The M-Pesa app has no access to “Lipa na M-Pesa Online” (STK push).",
            fix="Add this product to the app at https://developer.safaricom.co.ke, or take the app live.",
        )
    elif "credential" in message.lower() or "merchant" in message.lower() or "shortcode" in message.lower():
        yield Problem(
            what="Safaricom refuses the short code of M-Pesa with this passkey.",
            fix="Use the passkey that belongs to the short code. For a till, the short code is the store number.",
        )
    elif not result or status == 429:
        yield _unreachable("M-Pesa", "Safaricom")


def _mpesa_url(webhook_url: str) -> Iterable[Problem]:
    if not webhook_url:
        return
    if not webhook_url.startswith("https://"):
        yield Problem(
            what="Safaricom calls only URLs that begin with https://, so it cannot report the results of payments.",
            fix="Give the site a domain with a certificate, and write its https:// address into the settings.",
            is_warning=True,
        )
    if word := forbidden_word(webhook_url):
        yield Problem(
            what=f"The webhook's URL contains {word!r}: Safaricom refuses to register it for payments by hand.",
            fix="Choose another alias for the provider, such as mobile_money, or another path.",
            is_warning=True,
        )


def forbidden_word(url: str) -> str:
    """The word because of which Safaricom refuses to register a URL, "" if there is none."""
    return next((word for word in FORBIDDEN_WORDS if word in url.lower()), "")


def _unreachable(name: str, host: str) -> Problem:
    return Problem(
        what=f"{name} cannot be reached, or does not respond as documented.",
        fix=f"Check that this machine can open https connections to {host}, and look at the service's status page.",
    )
