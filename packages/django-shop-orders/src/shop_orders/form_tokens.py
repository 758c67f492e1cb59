"""Forms that work once: a page carries a token, and sending its form again has no effect.

    class CancelForm(forms.Form):
        form_token = form_tokens.FormTokenField()

    sent = form_tokens.once(form.data, owner=customer.key, route=f"cancel {number}", work=lambda: cancel(order.pk))

A new page has a new token. A form whose work raised an error can be sent again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.core.signing import BadSignature, TimestampSigner
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from shop_orders import idempotency
from shop_orders.exceptions import FormExpired, FormSentBefore, IdempotencyMismatch

NAME = "form_token"
MAX_AGE = timedelta(hours=24)
"""How long after its page was opened a form can be sent. Shorter than the time for which ``idempotency`` keeps
results."""
_SALT = "shop_orders.form"
_NOT_COMPARED = {NAME, "csrfmiddlewaretoken"}


def new_token(seen: str = "") -> str:
    """A token for the hidden field ``form_token`` of one page.

    ``seen`` is a text with the values that the page shows; ``is_current`` compares it later.
    """
    return TimestampSigner(salt=_SALT).sign(f"{secrets.token_urlsafe(16)}.{_digest(seen)}")


def is_valid(token: str) -> bool:
    """Whether the token was made by ``new_token`` less than MAX_AGE ago."""
    try:
        TimestampSigner(salt=_SALT).unsign(token, max_age=MAX_AGE)
    except BadSignature:
        return False
    return True


def is_current(token: str, seen: str) -> bool:
    """Whether the object is as the page of a valid token showed it. True for a token that has no ``seen``."""
    shown = TimestampSigner(salt=_SALT).unsign(token).rpartition(".")[2]
    return shown in (_digest(""), _digest(seen))


class FormTokenField(forms.CharField):
    """The hidden field. When a form is shown again without a valid token, it gets a new one."""

    widget = forms.HiddenInput
    default_error_messages = {"required": _("Check the form and send it again.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(label="", initial=new_token, **options)

    def clean(self, value: Any) -> Any:
        if not value or not is_valid(value):
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return value

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data if data and is_valid(data) else initial


def once(
    data: Mapping[str, Any], *, owner: str, route: str, work: Callable[[], Any], in_transaction: bool = True
) -> idempotency.StoredResponse:
    """Do the work of a form once and return its result as ``body``; ``is_replay`` says that it was sent before.

    ``data`` is the posted form, ``work`` returns plain JSON values or None, ``route`` names the form and its object,
    ``owner`` the sender. A second submission waits for the first. Pass ``in_transaction=False`` for work that uses the
    network; it may run again after a crash or at the same moment, so it has to find its own earlier steps.

    Raises:
        FormExpired: the page has no token, or is older than MAX_AGE.
        FormSentBefore: the page was sent before with other values.
        RequestInProgress: the first submission did not finish in time.
    """
    run = idempotency.run if in_transaction else idempotency.run_outside
    try:
        return run(_keyed(data, owner=owner, route=route), lambda: (200, work()))
    except IdempotencyMismatch as error:
        raise FormSentBefore from error


def find(data: Mapping[str, Any], *, owner: str, route: str) -> idempotency.StoredResponse | None:
    """The result of a form that was sent before, None for one that was not, or that has no valid token.

    Call it before the form is validated: the first submission may have made the same values invalid.

    Raises:
        FormSentBefore: the page was sent before with other values.
    """
    if not is_valid(data.get(NAME, "")):
        return None
    try:
        return idempotency.find(_keyed(data, owner=owner, route=route))
    except IdempotencyMismatch as error:
        raise FormSentBefore from error


def _digest(seen: str) -> str:
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _keyed(data: Mapping[str, Any], *, owner: str, route: str) -> idempotency.KeyedRequest:
    token = data.get(NAME, "")
    if not is_valid(token):
        raise FormExpired
    read = data.getlist if isinstance(data, QueryDict) else data.get
    values = sorted((name, read(name)) for name in data if name not in _NOT_COMPARED)
    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    return idempotency.KeyedRequest(owner=owner, route=f"form {route}", key=token, digest=digest)
