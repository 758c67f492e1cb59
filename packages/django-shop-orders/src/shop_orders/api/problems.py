"""The problem documents of this app (RFC 9457): its titles, sentences and statuses."""

from __future__ import annotations

from collections.abc import Mapping

import shop_core.exceptions
from django.utils.translation import gettext_lazy as _
from shop_core.api.problems import Problems

from shop_orders.conf import app_settings
from shop_orders.exceptions import (
    InvalidInput,
    InvalidWebhook,
    NotFound,
    OrderNumberRefused,
    PricingFailed,
    ProviderUnavailable,
    RequestInProgress,
)

PROBLEMS = Problems(
    titles={
        400: "The request could not be read",
        401: "Authentication is required",
        403: "Permission denied",
        404: "Not found",
        405: "Method not allowed",
        409: "Conflict",
        413: "The request is too large",
        415: "Unsupported media type",
        422: "The request is not valid",
        429: "Too many requests",
        503: "Try again in a moment",
    },
    sentences={
        "bad_request": _("The request could not be read."),
        "body_too_large": _("The request body is larger than 256 kB."),
        "busy": _("The shop is busy. Try again in a moment."),
        "conflict": _("This conflicts with what is stored."),
        "form_too_large": _("The form is larger than 6 MB."),
        "integer_too_large": _("Whole numbers must fit into 64 bits."),
        "invalid": _("Some fields are not valid."),
        "not_an_amount": _("Send an amount as text with digits and at most one point, such as “12.50”."),
        "not_authenticated": _("Log in, or send a valid access token."),
        "not_found": _("There is nothing here, or it is not yours."),
        "not_json": _("Send the body as application/json."),
        "number_not_finite": _("Numbers must be finite."),
        "permission_denied": _("You need the permission %(permission)s for this."),
        "time_out_of_range": _("Send a time between the years 1900 and 2200."),
        "time_without_offset": _("Send a time with its offset, such as 2026-01-31T12:00:00Z."),
        "too_deep": _("The JSON is nested more than 20 levels deep."),
        "too_many_requests": _("You have sent too many requests. Try again in %(retry_after)s seconds."),
        "unavailable": _("The shop is busy. Try again in a moment."),
        "unreadable_json": _("The body is not valid JSON in UTF-8."),
        "unreadable_request": _("The request could not be read."),
        "unsafe_text": _("Texts must not contain NUL characters or lone surrogates."),
        "value_not_stored": _("A value cannot be stored."),
    },
    statuses={
        shop_core.exceptions.NotAuthenticated: 401,
        shop_core.exceptions.PermissionMissing: 403,
        NotFound: 404,
        InvalidInput: 422,
        InvalidWebhook: 400,
        shop_core.exceptions.Busy: 503,
        shop_core.exceptions.TooManyRequests: 429,
        PricingFailed: 503,
        ProviderUnavailable: 503,
        OrderNumberRefused: 503,
    },
    retry_after={shop_core.exceptions.Busy: 1, ProviderUnavailable: 5, RequestInProgress: 2},
    type_base=lambda: app_settings.PROBLEM_TYPE_BASE,
)

register = PROBLEMS.register

CODES_HELP: Mapping[str, str] = {
    "amount_too_large": "The total exceeds what can be stored. Split the order.",
    "bad_request": "The body is not JSON in UTF-8, or the request is malformed.",
    "busy": "Locks were not free in time. Repeat the request after Retry-After.",
    "cannot_change_provider": "An order that waits for a payment cannot change to a provider that confirms it unpaid.",
    "cart_closed": "The cart was ordered meanwhile. Fetch the cart again.",
    "cart_empty": "The cart has no items, or was ordered already.",
    "cart_not_found": "The cart token is unknown or was merged. Leave X-Cart-Token out to start a new cart.",
    "checkout_refused": "A rule of the shop refuses the order; `detail` has the reason.",
    "conflict": "The request conflicts with what is stored.",
    "goods_gone": "`shortages` has each product and its available quantity. Receive stock, or refund the order.",
    "form_expired": "Only on pages of the site, not in the API: the form has no token, or is older than a day.",
    "form_outdated": "A page of the site, not the API: money or goods of the order have changed since it was opened.",
    "form_sent_before": "Only on pages of the site, not in the API: the form was sent before, with other values.",
    "idempotency_key_reused": "The Idempotency-Key was used with another request. Use a new key.",
    "insufficient_stock": "`shortages` has each product and its available quantity, `cart` the cart as it is now.",
    "invalid": "`errors` has the field, a code and a message of each error.",
    "invalid_address": "An address needs line1, city and a two-letter country.",
    "invalid_amount": "It is too large, or has more decimals than the currency.",
    "invalid_phone": "The number is not valid in the countries of the shop. Write it with its country code.",
    "invalid_quantity": "The quantity is outside of the allowed range.",
    "invalid_transition": "The order's status, `order_status`, does not allow this.",
    "invalid_webhook": "The call is not signed by the provider, is too old, or cannot be read.",
    "log_in_required": "Guests cannot order in this shop.",
    "method_not_allowed": "The path exists, the method does not.",
    "not_authenticated": "The credential is missing, wrong, expired or revoked.",
    "not_found": "It does not exist, or it belongs to somebody else.",
    "not_payable": "The order is paid, cancelled or free, or the status of the payment does not allow this.",
    "nothing_to_ship": "The quantity exceeds what is left of a line, or is zero.",
    "order_number_refused": "The shop's ORDER_NUMBER hook returns unusable numbers; the shop's log has the reason.",
    "order_unpaid": "The order waits for an online payment. Send `accept_unpaid` to confirm it anyway.",
    "order_too_small": "The products cost less than the shop's minimum.",
    "payment_declined": "The provider refused. Try again or choose another payment method.",
    "payment_provider_unavailable": "The provider does not respond. Repeat the request after Retry-After.",
    "permission_denied": "The user lacks the Django permission, or the CSRF token is missing.",
    "pricing_failed": "A pricing hook of the shop, `hook`, failed or does not add up. It was logged for the shop.",
    "products_gone": "`products` are no longer on sale. Remove them from the cart.",
    "refund_too_large": "`refundable` has the amount that can be refunded.",
    "request_in_progress": "The same Idempotency-Key is still being processed. Repeat after Retry-After.",
    "too_large": "The body exceeds 256 kB.",
    "too_many_lines": "The cart has more than `max_lines` different products. Order some of them first.",
    "too_many_requests": "Wait for Retry-After.",
    "too_many_unpaid_orders": "`max_unpaid_orders` and `max_unpaid_units` are the limits until something is paid.",
    "total_changed": "The total is not expected_total; `cart` is the cart as it would be ordered.",
    "unavailable": "The database refused the request for the moment. Repeat after Retry-After.",
    "unknown_payment_provider": "Not an alias of PAYMENT_PROVIDERS.",
    "unknown_product": "Not on sale, or not in the cart.",
    "unsupported_media_type": "Send application/json.",
}
"""The meaning of each code for developers of clients."""
