"""Addresses that are not written to any more."""

from __future__ import annotations

from collections.abc import Iterable

from shop_notify.models import Suppression


def suppress(channel: str, address: str, *, reason: str, note: str = "") -> None:
    """Write to this address no more. The first reason stays."""
    if address:
        Suppression.objects.get_or_create(
            channel=channel, address=key(address), defaults={"reason": reason, "note": note[:200]}
        )


def lift(channel: str, address: str) -> bool:
    """Write to this address again. Returns whether it was suppressed."""
    return bool(Suppression.objects.filter(channel=channel, address=key(address)).delete()[0])


def suppressed(channel: str, addresses: Iterable[str]) -> set[str]:
    """Which of these addresses are suppressed, in their stored form."""
    keys = {key(address) for address in addresses}
    return set(Suppression.objects.filter(channel=channel, address__in=keys).values_list("address", flat=True))


def key(address: str) -> str:
    """The form in which addresses are compared."""
    return address.strip().lower()[:500]
