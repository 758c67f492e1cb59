"""Connections to addresses that outsiders enter: only to public hosts, and within a limit of time."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import cache
from typing import Any


class PrivateAddress(OSError):
    """A host has an address that is not on the public Internet."""


def is_public(address: str) -> bool:
    """Whether an IP address is on the public Internet. If an IPv6 address contains an IPv4 one, that is checked."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def connect(host: str, port: int, *, until: float, allow_private: bool = False) -> socket.socket:
    """Connect to a host until ``time.monotonic()`` is ``until``. Its addresses are tried in turn.

    The name is resolved once, and only the addresses that were checked are used: a second result could differ.

    Raises:
        PrivateAddress: one of its addresses is not public.
        UnicodeError: this cannot be the name of a host.
        OSError: there is no such host, or it did not respond in time.
    """
    addresses = _resolve(host, port, until)
    if not allow_private and not all(map(is_public, addresses)):
        raise PrivateAddress
    failure: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        seconds = (until - time.monotonic()) / (len(addresses) - tried)
        try:
            return socket.create_connection((address, port), timeout=max(0.1, seconds))
        except OSError as error:
            failure = error
    raise failure


def http_on(raw: socket.socket, host: str, port: int, *, scheme: str) -> http.client.HTTPConnection:
    """HTTP, or HTTPS with TLS, on an open socket. The certificate must be that of ``host``.

    Raises:
        OSError: there is no secure connection.
    """
    connection = http.client.HTTPConnection(host, port)
    connection.sock = raw
    if scheme == "https":
        connection.default_port = 443  # left out of the Host header
        connection.sock = _tls().wrap_socket(raw, server_hostname=host)
    return connection


def _resolve(host: str, port: int, until: float) -> list[str]:
    """Resolve a name in a thread, since ``getaddrinfo`` has no limit of time."""
    found: list[Any] = []

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(max(0.1, until - time.monotonic()))
    result = found[0] if found else TimeoutError()
    if isinstance(result, Exception):
        raise result
    return list(dict.fromkeys(str(info[4][0]) for info in result))


@cache
def _tls() -> ssl.SSLContext:
    """Created once: loading the certificate authorities takes longer than sending a message."""
    return ssl.create_default_context()


class Deadline:
    """Closes a connection after some seconds, in any thread.

    A socket's time-out limits each read, but not a response that arrives slowly.

    After the deadline, reads behave as if the server had closed the connection. Call ``cancel`` when the response has
    arrived, or use ``with``.
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

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        self.cancel()
