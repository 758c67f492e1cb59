"""Merge a guest's cart at log-in and report the changes to the customer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop_orders import carts, customers, pages
from shop_orders.carts import MergeChange, MergeReport

NAMED = 4
"""The number of changes that are listed one by one; more changes are only counted."""


def connect() -> None:
    """Merge before ``shop_orders.pages`` does, whichever app is listed first; it then finds nothing to merge."""
    user_logged_in.disconnect(dispatch_uid="shop_orders.pages")
    user_logged_in.connect(_merge, dispatch_uid="shop_orders.contrib.pages")
    pages.connect()


def sentences(report: MergeReport) -> list[str]:
    """The changes of a merge for the customer; empty if nothing changed."""
    texts = [_sentence(change) for change in report.changes]
    if len(texts) <= NAMED:
        return texts
    return [
        ngettext(
            "Your cart was merged with the products you chose before you logged in: %(count)d change.",
            "Your cart was merged with the products you chose before you logged in: %(count)d changes.",
            len(texts),
        )
        % {"count": len(texts)}
    ]


def _sentence(change: MergeChange) -> str:
    known = {"name": change.name, "quantity": change.quantity, "was": change.was}
    match change.code:
        case "added":
            return _("%(name)s was added to your cart.") % known
        case "quantity_changed":
            return _("%(name)s was already in your cart: the quantity is now %(quantity)d instead of %(was)d.") % known
        case "limited":
            return _("Your cart has %(quantity)d of %(name)s, the most that one order can have.") % known
        case _other:
            return _("%(name)s is no longer in your cart.") % known


def _merge(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:  # noqa: ARG001
    token = pages.cart_token(request) if request is not None else ""
    if request is None or not token:
        return
    try:
        report = carts.merge(token, customer=customers.for_user(user))
    except Exception:  # noqa: BLE001  ``shop_orders.pages`` tries again, and logs what it is
        return
    for sentence in sentences(report):
        messages.info(request, sentence, fail_silently=True)
