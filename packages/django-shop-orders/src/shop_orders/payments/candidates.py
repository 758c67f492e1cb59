"""Finds the orders that money could be meant for, by the number that a customer typed, the amount and the phone."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import compress

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core.money import as_text

from shop_orders.models import IncomingPayment, Order
from shop_orders.numbers import MAX_CHARACTERS

LOOK_ALIKES = str.maketrans("OIL", "011")
ACCOUNT_LENGTH = 12
"""Safaricom takes this many characters as the account of a push; longer order numbers are cut."""
MAX_COMPARED = 2000
"""How many order numbers are compared with what the customer typed, the newest first."""
RECENT = timedelta(days=30)
MAX_CANDIDATES = 10


@dataclass(frozen=True)
class Candidate:
    """An order that the money could be meant for, and which details match."""

    order: Order
    matches_number: bool
    matches_amount: bool
    matches_phone: bool

    @property
    def matches(self) -> list[str]:
        """The details that match, in words."""
        are_same = (self.matches_number, self.matches_amount, self.matches_phone)
        return list(compress((_("number"), _("amount"), _("phone")), are_same))

    @property
    def amount_due(self) -> str:
        return f"{as_text(self.order.amount_due, self.order.currency)} {self.order.currency}"


def folded(text: str) -> str:
    """A number without case, blanks and dashes, and with one character for those that look alike."""
    return re.sub(r"[\W_]", "", text.upper()).translate(LOOK_ALIKES)


def named_orders(account: str) -> list[Order]:
    """The orders whose number a customer may have typed; several if the text is ambiguous."""
    wanted = folded(account[: MAX_CHARACTERS * 2])
    if not wanted:
        return []
    exact = list(Order.objects.filter(number__in={account.strip(), account.strip().upper()}))
    if len(exact) == 1:
        return exact
    recent = Order.objects.filter(Q(status="pending") | Q(placed_at__gte=timezone.now() - RECENT))
    numbers = recent.order_by("-placed_at", "-id").values_list("pk", "number")[:MAX_COMPARED]
    keys = [pk for pk, number in numbers if wanted in (folded(number), folded(number[:ACCOUNT_LENGTH]))]
    return list(Order.objects.filter(pk__in=keys[:MAX_CANDIDATES]))


def of(incoming: IncomingPayment) -> list[Candidate]:
    """The orders that staff may choose from, the most likely first."""
    named = {order.pk for order in named_orders(incoming.account)}
    unpaid = Order.objects.with_due(incoming.amount, incoming.currency).with_account()
    found = {order.pk: order for order in unpaid.order_by("-placed_at")[: MAX_CANDIDATES * 2]}
    others = Order.objects.with_account().filter(pk__in=[*named, *_unpaid_of_phone(incoming)])
    found |= {order.pk: order for order in others}
    rated = [
        Candidate(
            order=order,
            matches_number=order.pk in named,
            matches_amount=order.amount_due == incoming.amount,
            matches_phone=may_be_same_phone(order.phone, incoming.payer_phone),
        )
        for order in found.values()
    ]
    rated.sort(
        key=lambda row: (row.matches_number, row.matches_phone, row.matches_amount, row.order.placed_at), reverse=True
    )
    return rated[:MAX_CANDIDATES]


def _unpaid_of_phone(incoming: IncomingPayment) -> list[int]:
    """The newest unpaid orders whose phone may be the payer's: a till takes no number, and the amount may be wrong."""
    rows = Order.objects.unpaid().filter(currency=incoming.currency).exclude(phone="")
    phones = rows.order_by("-placed_at", "-id").values_list("pk", "phone")[:MAX_COMPARED]
    return [pk for pk, phone in phones if may_be_same_phone(phone, incoming.payer_phone)][:MAX_CANDIDATES]


def may_be_same_phone(phone: str, reported: str) -> bool:
    """Whether a phone (E.164) may be the one that was reported: in full, masked (2547*****126), or as SHA-256."""
    digits = phone.lstrip("+")
    if not digits or not reported:
        return False
    if re.fullmatch(r"[0-9a-fA-F]{64}", reported):
        return hashlib.sha256(digits.encode()).hexdigest() == reported.lower()
    parts = re.split(r"[*xX]+", reported.replace(" ", "").lstrip("+"))
    if len(parts) == 1:
        return parts[0] == digits
    return len("".join(parts)) >= 5 and digits.startswith(parts[0]) and digits.endswith(parts[-1])
