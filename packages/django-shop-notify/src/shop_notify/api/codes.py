"""The codes of this app's problem documents, with a sentence for the client's user and one for its developer."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: Mapping[str, str | Promise] = {
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
}
"""The sentence that a response has for each code of core. Other errors have their own message."""

MEANINGS: Mapping[str, str] = {
    "address_refused": "The notifier cannot send to this address, or is not allowed to.",
    "bad_request": "The body is not JSON in UTF-8, or the request is malformed.",
    "busy": "The database refused twice, for example because of locks. Repeat the request after Retry-After.",
    "conflict": "The request conflicts with what is stored.",
    "invalid": "`errors` names each field, a code and a message.",
    "method_not_allowed": "The path does not support this method.",
    "not_authenticated": "The credential is missing, wrong, expired or revoked.",
    "not_found": "It does not exist, or it belongs to another user.",
    "text_refused": "A text is too long, or has a character that cannot be stored.",
    "not_mutable": "Transactional messages are always sent. The group and alias must be in the list of preferences.",
    "not_retryable": "Only a message that failed or has an unknown outcome can be retried; resend any other. "
    "A message with a secret can be neither retried nor resent.",
    "permission_denied": "The user lacks the Django permission, or the CSRF token is missing.",
    "route_refused": "A route in SHOP_NOTIFY is wrong (`manage.py check` says which), or cannot read the payload.",
    "template_missing": "There is no template for this event and channel. Write the file that `detail` names.",
    "too_large": "The body exceeds 256 kB.",
    "too_many_requests": "Wait for the seconds in Retry-After, then repeat the request.",
    "unavailable": "The database is not available at the moment. Repeat the request after Retry-After.",
    "unknown_notifier": "The alias is not in SHOP_NOTIFY, or its notifier cannot be loaded.",
    "unsupported_media_type": "Send application/json.",
}
"""The meaning of each code, for developers of clients and for the page to which the type of a problem points."""
