"""Suppressed addresses: no message is sent to them."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.utils.crypto import salted_hmac
from shop_core.addresses import comparable

from shop_notify import storable
from shop_notify.models import Suppression

SALT = "shop_notify.suppression"
"""The salt of the hashes that replace the addresses of people whose personal data was erased."""


def suppress(channel: str, address: str, *, reason: str, note: str = "") -> None:
    """Send no more messages to this address. The first reason is kept.

    Raises:
        TextRefused: a text is too long, or has a character that cannot be stored.
    """
    storable.check(Suppression, channel=channel, address=stored_form(address), reason=reason, note=note[:200])
    if address and not suppressed(channel, [address]):
        Suppression.objects.get_or_create(
            channel=channel, address=stored_form(address), defaults={"reason": reason, "note": note[:200]}
        )


def lift_suppression(channel: str, address: str, *, reason: str = "") -> bool:
    """Send messages to this address again. Returns whether it was suppressed.

    With ``reason``, only a suppression for that reason is lifted.
    """
    if not storable.is_storable(channel + address + reason):
        return False
    known = [stored_form(address), *_hashes(stored_form(address))]
    rows = Suppression.objects.filter(channel=channel, address__in=known)
    if reason:
        rows = rows.filter(reason=reason)
    return bool(rows.delete()[0])


def suppressed(channel: str, addresses: Iterable[str]) -> set[str]:
    """Which of these addresses are suppressed, in their stored form."""
    wanted = {stored_form(address) for address in addresses if storable.is_storable(channel + address)}
    forms = {known: form for form in wanted for known in (form, *_hashes(form))}
    found = Suppression.objects.filter(channel=channel, address__in=forms).values_list("address", flat=True)
    return {forms[known] for known in found}


def hash_addresses(addresses: Iterable[str]) -> None:
    """Keep no more than a keyed hash of these addresses. They stay suppressed."""
    for form in {stored_form(address) for address in addresses}:
        for row in Suppression.objects.filter(address=form):
            row.address, row.note = _hashes(form)[0], ""
            row.save(update_fields=["address", "note"])


def _hashes(form: str) -> list[str]:
    """The keyed hashes of an address, by SECRET_KEY and then by SECRET_KEY_FALLBACKS."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [f"hash:{salted_hmac(SALT, form, secret=key, algorithm='sha256').hexdigest()}" for key in keys]


def stored_form(address: str) -> str:
    """The form in which addresses are compared."""
    return (comparable(address) if "@" in address else address.strip().lower())[:500]
