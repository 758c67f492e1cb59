"""The codes of this app's problem documents, with a sentence for the client's user and one for its developer."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shop_catalog import types

SENTENCES: Mapping[str, str | Promise] = {
    **types.SENTENCES,
    "bad_request": _("The request could not be read."),
    "body_too_large": _("The request body is larger than 256 kB."),
    "busy": _("The shop is busy. Try again in a moment."),
    "conflict": _("This conflicts with what is stored."),
    "form_too_large": _("The form is larger than 6 MB."),
    "invalid": _("Some fields are not valid."),
    "not_authenticated": _("Log in, or send a valid access token."),
    "not_found": _("There is nothing here, or it is not yours."),
    "not_json": _("Send the body as application/json."),
    "permission_denied": _("You need the permission %(permission)s for this."),
    "too_many_requests": _("You have sent too many requests. Try again in %(retry_after)s seconds."),
    "unavailable": _("The shop is busy. Try again in a moment."),
    "unreadable_json": _("The body is not valid JSON in UTF-8."),
    "unreadable_request": _("The request could not be read."),
    "value_not_stored": _("A value cannot be stored."),
}
"""The sentence that a response has for each code of core. Other errors have their own message."""

MEANINGS: Mapping[str, str] = {
    "bad_request": "The request could not be read.",
    "busy": "The database refused twice, for example because of locks. Repeat the request after Retry-After.",
    "conflict": "The request conflicts with what is stored.",
    "invalid": "`errors` names each field, a code and a message.",
    "method_not_allowed": "The path does not support this method.",
    "not_authenticated": "The credential is missing, wrong, expired or revoked.",
    "not_found": "It does not exist, or it is somebody else's.",
    "permission_denied": "The user lacks the Django permission, or the CSRF token is missing.",
    "too_large": "The request is larger than this operation accepts.",
    "too_many_requests": "Wait for the seconds in Retry-After, then repeat the request.",
    "unavailable": "The database is not available at the moment. Repeat the request after Retry-After.",
    "unsupported_media_type": "Send a media type that the operation accepts.",
    "category_cycle": "A category cannot be moved below itself. Choose a parent outside its subtree.",
    "category_not_empty": "The category has children. Delete or move them first, or send children=move_up.",
    "duplicate_value": "The SKU or slug is already used. Choose another.",
    "file_too_large": "The upload has more bytes or rows than SHOP_CATALOG allows. Split it.",
    "image_not_fetched": "The image could not be fetched from its address. A job tries it again, or upload the file.",
    "image_too_large": "The image has too many bytes or pixels. Make it smaller.",
    "insufficient_stock": "There is not enough stock; `available` has the quantities.",
    "invalid_cursor": "The cursor is for a different list or sort order. Request the first page without a cursor.",
    "invalid_image": "The file is not an image with one frame that this server reads; the message says what to do.",
    "invalid_price": "The amount is negative, too large, or has more decimals than the currency.",
    "invalid_text": "A text is too long, or has a character that cannot be stored; `errors` names the field.",
    "invalid_product": "The values do not fit together; `errors` names the field to correct.",
    "movement_conflict": "The ledger already has this reference with a different quantity. Use a new reference.",
    "review_exists": "You have reviewed this product. Change your review instead.",
    "unknown_category": "There is no category with this slug.",
    "unknown_product": "There is no such product, or it is a group, which has no stock of its own.",
    "unknown_review": "There is no such review, or it is not yours.",
    "unreadable_file": "The file is not CSV, JSON or JSON lines in UTF-8, or its columns are unknown.",
}
"""The meaning of each code, for developers of clients and for the page to which the type of a problem points."""
