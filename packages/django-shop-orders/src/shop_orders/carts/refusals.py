"""Asks the validators, of a cart and at checkout."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.db import Error as DatabaseError
from django.db.transaction import TransactionManagementError
from shop_core.db.transactions import connection_of
from shop_core.hooks import load_hook

from shop_orders.conf import app_settings
from shop_orders.exceptions import ShopOrdersError, ValidatorFailed
from shop_orders.models import Cart
from shop_orders.pricing import Draft

logger = logging.getLogger(__name__)

CHOICES: Mapping[str, Any] = {"contact": None, "shipping_address": {}, "delivery": "", "payment_provider": ""}
"""What the buyer enters at checkout, and its value in a draft until then."""


class NotKnownYet(Exception):
    """A validator reads something that the buyer has not entered yet."""


class OpenDraft(Draft):
    """The draft of a cart, as validators see it: reading what the buyer has not entered yet raises NotKnownYet."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in CHOICES and value == CHOICES[name]:
            raise NotKnownYet(name)
        return value


def of_cart(draft: Draft) -> tuple[ShopOrdersError, ...]:
    """Why the validators would refuse the order of a cart. A validator that reads a value that the buyer has not
    entered yet is skipped here and called at checkout."""
    if not app_settings.VALIDATORS:
        return ()
    return _refusals(open_draft(draft))


def open_draft(draft: Draft) -> OpenDraft:
    """The draft of a cart, as validators see it."""
    found = object.__new__(OpenDraft)
    vars(found).update(vars(draft))
    return found


def of_order(draft: Draft) -> tuple[ShopOrdersError, ...]:
    """Why the validators refuse an order. What the buyer left out is empty."""
    return _refusals(draft)


def _refusals(draft: Draft) -> tuple[ShopOrdersError, ...]:
    found = (_refusal(entry, draft) for entry in app_settings.VALIDATORS)
    return tuple(error for error in found if error is not None)


def _refusal(entry: Any, draft: Draft) -> ShopOrdersError | None:
    """Why a validator refuses. Errors of the database are not caught.

    A validator that locks rows needs a transaction. Without one, it is skipped here and called at checkout.
    """
    try:
        load_hook(entry)(draft)
    except ShopOrdersError as error:
        return error
    except NotKnownYet:
        return None
    except TransactionManagementError:
        if connection_of(Cart).in_atomic_block:
            raise
        return None
    except DatabaseError:
        raise
    except Exception as error:
        hook = entry if isinstance(entry, str) else str(entry["BACKEND"])
        logger.exception("Validator %s failed", hook)
        failed = ValidatorFailed(hook, type(error).__name__)
        failed.__cause__ = error
        return failed
    return None
