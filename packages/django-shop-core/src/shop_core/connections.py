"""Connections to addresses that outsiders enter: only to public hosts, and within a limit of time."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any


class PrivateAddress(OSError):
    """A host has an address that is not on the public Internet."""


def is_public(address: str) -> bool:
    """Whether an IP address is on the public Internet. If an IPv6 address contains an IPv4 one, that is checked."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None or ip.is_site_local:
            return inner is not None and is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def connect(host: str, port: int, *, until: float, allow_private: bool = False) -> socket.socket:
    """Connect to a host until ``time.monotonic()`` is ``until``. Its addresses are tried in turn.

    The name is resolved once, and only the addresses that were checked are used: a second result could differ.

    Raises:
        PrivateAddress: one of its addresses is not public.
        OSError, UnicodeError: there is no such host, or it did not respond in time.
    """
    addresses = _resolve(host, port, until)
    if not allow_private and not all(map(is_public, addresses)):
        raise PrivateAddress
    failure: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        try:
            seconds = (until - time.monotonic()) / (len(addresses) - tried)
            return socket.create_connection((address, port), timeout=max(0.1, seconds))
        except OSError as error:
            failure = error
    raise failure


def _resolve(host: str, port: int, until: float) -> list[str]:
    """Resolve a name in a thread, since ``getaddrinfo`` has no limit of time."""
    found: list[Any] = [TimeoutError()]

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(max(0.1, until - time.monotonic()))
    if isinstance(result := found[-1], Exception):
        raise result
    return list(dict.fromkeys(str(info[4][0]) for info in result))


class Deadline(AbstractContextManager["Deadline"]):
    """Closes a connection after some seconds: a socket's time-out limits each read, but not a slow response.

    After that, reads behave as if the server had closed the connection. Call ``cancel``, or use ``with``.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        # Its own file descriptor: TLS takes over the descriptor of a plain socket, and a TLS socket refuses dup().
        self._socket = socket.fromfd(connection.fileno(), connection.family, connection.type)
        self._timer = threading.Timer(max(0.0, seconds), self._close)
        self._timer.daemon = True
        self._timer.start()

    def _close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        """Leave the connection open: the response has arrived."""
        self._timer.cancel()
        self._socket.close()

    def __exit__(self, *exc_info: object) -> None:
        self.cancel()
