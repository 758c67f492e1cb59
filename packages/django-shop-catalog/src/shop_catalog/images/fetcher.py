"""The default of ``SHOP_CATALOG["IMAGE_FETCHER"]``: a GET request to an address that people entered.

Such an address must not lead into the shop's own network (OWASP: server-side request forgery). So each host is
resolved once, all its addresses must be public, and the connection goes to the address that was checked.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import closing
from urllib.parse import SplitResult, urljoin, urlsplit

from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _
from shop_core.connections import Deadline, PrivateAddress, connect

from shop_catalog.exceptions import ImageNotFetched, InvalidProduct

MAX_BYTES = 10 * 1024 * 1024
MAX_LENGTH = 2000
MAX_REDIRECTS = 3
WALL_SECONDS = 20.0
PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429})
"""Statuses below 500 after which the same request may succeed later."""


def check_address(address: str) -> str:
    """The address of an image as it is requested: in ASCII, without a fragment.

    Raises:
        InvalidProduct: it cannot be fetched; the field is ``images``.
    """
    try:
        url = _requested(address.strip())
    except ValueError:
        url = ""
    if not 0 < len(url) <= MAX_LENGTH:
        message = _("Enter an address of a picture that begins with https:// or http://, without user name or port.")
        raise InvalidProduct(message, field="images")
    return url


def _requested(text: str) -> str:
    """The address in ASCII; empty if it cannot be fetched."""
    parts = urlsplit(text)
    host, usual_port = parts.hostname or "", PORTS.get(parts.scheme)
    if usual_port is None or parts.port not in (None, usual_port) or parts.username is not None or not host:
        return ""
    if any(character < " " or character == "\x7f" for character in text):
        return ""
    ascii_host = host if host.isascii() else host.encode("idna").decode()
    netloc = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    return iri_to_uri(parts._replace(netloc=netloc, fragment="").geturl())


def fetch(address: str) -> bytes:
    """The content of a file on the Web. At most 3 redirects are followed; 10 MB and 20 seconds are the limits.

    Raises:
        ImageNotFetched: there is no such file, or it must not be fetched.
    """
    until, url = time.monotonic() + WALL_SECONDS, address
    for _redirect in range(MAX_REDIRECTS + 1):
        try:
            url = check_address(url)
        except InvalidProduct as error:
            raise ImageNotFetched(str(error), is_final=True) from error
        content, target = _get(urlsplit(url), until)
        if not target:
            return content
        url = urljoin(url, target)
    raise ImageNotFetched(_("The server redirects more than 3 times."), is_final=True)


def _get(url: SplitResult, until: float) -> tuple[bytes, str]:
    """The content, or the address to which the server redirects."""
    host, port = url.hostname or "", PORTS[url.scheme]
    try:
        raw = connect(host, port, until=until)
    except PrivateAddress as error:
        raise ImageNotFetched(_("The address is not on the public Internet."), is_final=True) from error
    except UnicodeError as error:
        raise ImageNotFetched(_("This is not the name of a server."), is_final=True) from error
    except OSError as error:
        raise ImageNotFetched(_("The server cannot be reached."), is_unreachable=True) from error
    with raw, Deadline(raw, until - time.monotonic()):
        try:
            with closing(_http_on(raw, url)) as connection:
                path = (url.path or "/") + (f"?{url.query}" if url.query else "")
                headers = {"User-Agent": "django-shop-catalogue", "Accept": "image/*", "Accept-Encoding": "identity"}
                connection.request("GET", path, headers=headers)
                with connection.getresponse() as response:
                    return _read(response, until)
        except (OSError, http.client.HTTPException) as error:
            raise ImageNotFetched(_("The server did not respond properly.")) from error


def _http_on(raw: socket.socket, url: SplitResult) -> http.client.HTTPConnection:
    """HTTP on a connection that is open, with TLS for https. The certificate must be that of the host."""
    host = url.hostname or ""
    connection = http.client.HTTPConnection(host, 80)  # no port in the Host header
    connection.sock = raw
    if url.scheme == "https":
        connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
    return connection


def _read(response: http.client.HTTPResponse, until: float) -> tuple[bytes, str]:
    target = response.headers.get("Location", "")
    if response.status in REDIRECTS and target:
        return b"", target
    if response.status != 200:
        is_final = response.status < 500 and response.status not in PASSING
        message = _("The server responded with the status %(status)d instead of a picture.")
        raise ImageNotFetched(message % {"status": response.status}, is_final=is_final)
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ImageNotFetched(_("The server sends the picture compressed, which is not accepted."), is_final=True)
    body = bytearray()
    while chunk := response.read1(65_536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise ImageNotFetched(_("The picture is larger than 10 MB."), is_final=True)
        if time.monotonic() >= until:
            break
    if time.monotonic() >= until:
        raise ImageNotFetched(_("The server did not send the picture in 20 seconds."))
    if response.length:
        raise ImageNotFetched(_("The server did not respond properly."))
    return bytes(body), ""
