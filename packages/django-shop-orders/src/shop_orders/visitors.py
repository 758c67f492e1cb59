"""Distinguishes visitors by their network address, stored only as a keyed hash, and limits how often they may call."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import shop_core.exceptions
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string
from shop_core import limits

from shop_orders import customers
from shop_orders.conf import app_settings
from shop_orders.exceptions import TooManyRequests

HASH_LENGTH = 32
IPV6_PREFIX_BITS = 64
"""A connection to the internet has an IPv6 network with a prefix of this length, so a network is one visitor."""


THROTTLED = ("cart", "orders", "payments", "registrations")
"""The kinds of requests that THROTTLES can limit."""


def limit(request: HttpRequest, kind: str) -> None:
    """Count a request against ``THROTTLES[kind]``: for its user, or for the visitor if nobody is logged in.

    Call it after authentication, before the work. A visitor whose address is unknown is not limited.

    Raises:
        TooManyRequests: the limit is used up.
    """
    rate = app_settings.THROTTLES.get(kind, "")
    if not rate:
        return
    user = customers.user_of(request)
    try:
        limits.check(f"shop_orders.{kind}", rate, of(request) if user is None else f"user {user.pk}")
    except shop_core.exceptions.TooManyRequests as error:
        raise TooManyRequests(**error.extra) from None


def of(request: HttpRequest) -> str:
    """A hash that identifies the visitor of a request, by the VISITOR hook; "" if the address is unknown.

    The key is SECRET_KEY, so the hash cannot be computed from a list of all addresses.
    """
    hook: Callable[[HttpRequest], Any] = import_string(app_settings.VISITOR)
    address = hook(request)
    if not address:
        return ""
    return salted_hmac("shop_orders.visitor", str(address), algorithm="sha256").hexdigest()[:HASH_LENGTH]


def visitor_address(request: HttpRequest) -> str:
    """The default of VISITOR: the address of the client, or of its network for IPv6.

    Behind TRUSTED_PROXIES proxies, it is the address from which the outermost of them was called: this many entries
    from the right of X-Forwarded-For. Entries that a client made up are left of it and ignored. Without
    TRUSTED_PROXIES, a private address is not used: it may be that of a proxy, and all visitors would count as one.
    """
    proxies = app_settings.TRUSTED_PROXIES
    forwarded, remote = request.META.get("HTTP_X_FORWARDED_FOR", "").strip(), request.META.get("REMOTE_ADDR", "")
    # A blank entry counts too: it is a proxy that is connected by a Unix socket and has no address.
    hops = [*(forwarded.split(",") if forwarded else ()), remote]
    address = _parsed(hops[-1 - min(proxies or 0, len(hops) - 1)].strip())
    if address is None or (proxies is None and (address.is_loopback or _is_local(address))):
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), IPV6_PREFIX_BITS), strict=False))
    return str(address)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address that may have a port; an IPv4 address in IPv6 form is the IPv4 address."""
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


_LOCAL = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in _LOCAL)
