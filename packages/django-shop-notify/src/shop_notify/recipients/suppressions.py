"""Suppressed addresses: no message is sent to them."""

from __future__ import annotations

from collections.abc import Iterable

from shop_core.addresses import comparable

from shop_notify.models import Suppression


def suppress(channel: str, address: str, *, reason: str, note: str = "") -> None:
    """Send no more messages to this address. The first reason is kept."""
    if address:
        Suppression.objects.get_or_create(
            channel=channel, address=stored_form(address), defaults={"reason": reason, "note": note[:200]}
        )


def lift_suppression(channel: str, address: str) -> bool:
    """Send messages to this address again. Returns whether it was suppressed."""
    return bool(Suppression.objects.filter(channel=channel, address=stored_form(address)).delete()[0])


def suppressed(channel: str, addresses: Iterable[str]) -> set[str]:
    """Which of these addresses are suppressed, in their stored form."""
    keys = {stored_form(address) for address in addresses}
    return set(Suppression.objects.filter(channel=channel, address__in=keys).values_list("address", flat=True))


def stored_form(address: str) -> str:
    """The form in which addresses are compared."""
    return (comparable(address) if "@" in address else address.strip().lower())[:500]
