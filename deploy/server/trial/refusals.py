"""Slow clients, processes that die twice, and a PostgreSQL that refuses."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

from trial.tools import HOST, PATIENCE_SECONDS, Failed, expect, say
from trial.topology import Topology

ITEM = "/api/v1/orders/cart/add_item/"
READS = ("/", "/product/smoke-test/", "/api/v1/products/products/")
SLOW_CLIENTS = 150
"""More than nginx's ``limit_conn`` lets one address have."""


def check_slow_clients(topology: Topology) -> None:
    """Large, slow and odd requests: each ends in time, and others are served meanwhile."""
    status = _status_of(topology, b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 27000000\r\n\r\n")
    expect(status, 413, "a body that is too large")
    many = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 20) for number in range(5000))
    expect(_status_of(topology, b"GET / HTTP/1.1\r\nHost: %s\r\n" + many + b"\r\n"), 400, "5,000 headers")
    some = b"".join(b"X-%d: x\r\n" % number for number in range(900))
    expect(_status_of(topology, b"GET /healthz HTTP/1.1\r\nHost: %s\r\n" + some + b"\r\n"), 431, "900 headers")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(_connection(topology)) for _number in range(SLOW_CLIENTS)]
        for client in slow:
            client.sendall(b"POST /cart/add/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nx" % HOST.encode())
        time.sleep(1)
        for port in ("8001", "8002"):
            expect(_direct(topology, port), 200, f"web@{port} during {SLOW_CLIENTS} slow bodies")
        refused = sum(_is_answered(client) for client in slow)
        _require(refused >= SLOW_CLIENTS - 100, f"{refused} of {SLOW_CLIENTS} slow bodies refused at once")
    header, started = _connection(topology), time.monotonic()
    with header:
        header.settimeout(40)
        with contextlib.suppress(OSError):
            for letter in b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 40:
                header.sendall(bytes([letter]))
                time.sleep(0.5)
                if _is_answered(header):
                    break
    seconds = time.monotonic() - started
    _require(seconds < 20, f"a header that is sent byte by byte is cut off within 20 s (it took {seconds:.0f} s)")
    body, started = _connection(topology), time.monotonic()
    with body:
        body.settimeout(45)
        body.sendall(b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nx" % HOST.encode())
        with contextlib.suppress(OSError):
            body.recv(1000)
    _require(time.monotonic() - started < 40, "a body whose client stops sending is cut off within 40 s")
    say("Slow clients: 413, 400, 431 and 429 as documented; slow requests are cut off, and others are served.")


def check_processes_that_die_twice(topology: Topology) -> None:
    unit = topology.units["web@8001"]
    with _visiting(lambda: topology.request("GET", "/healthz")[0]) as found:
        for _time in range(2):
            starts = unit.starts
            unit.kill()
            _wait(lambda starts=starts: unit.starts > starts, "web@8001 is started again")
        _wait(topology.is_whole, "all processes run")
    expect(set(found), {200}, "responses while a web process died twice in five seconds")
    say(f"A web process died twice: {len(found)} requests, all served.")


def check_postgres(topology: Topology) -> None:
    server = topology.postgres
    with psycopg.connect(topology.database, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
    _wait(lambda: topology.request("GET", "/readyz")[0] == 503, "read-only")
    _expect_reads(topology, "read-only")
    with psycopg.connect(
        topology.database, autocommit=True, options="-c default_transaction_read_only=off"
    ) as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")
    _wait(lambda: _buys(topology) == 200, "orders after read-only")

    with _visiting(lambda: topology.request("GET", "/api/v1/products/products/")[0]) as found:
        server.stop()
        _expect_outage(topology, "stopped")
        (server.data / "standby.signal").touch()
        shutil.chown(server.data / "standby.signal", server.data.owner())
        server.start(wait=False, hot_standby="off")
        _expect_outage(topology, "starting (57P03)")
        server.stop("immediate")
        server.start(hot_standby="on")
        _wait(lambda: topology.request("GET", READS[0])[0] == 200, "a hot standby")
        _expect_reads(topology, "hot standby")
        server.stop("immediate")
        (server.data / "standby.signal").unlink()
        server.start()
        _wait(lambda: _buys(topology) == 200, "orders after the standby")
    expect(set(found) - {200, 503}, set(), "responses while PostgreSQL was stopped and started")
    say("PostgreSQL read-only, stopped, starting, standby: 503 with Retry-After, reads go on.")


def _expect_outage(topology: Topology, state: str) -> None:
    """Check that pages, API and /readyz respond 503 within 25 seconds, and /healthz 200."""
    for method, path, body in (("GET", "/", None), ("GET", READS[2], None), ("POST", ITEM, {"product": "SMOKE-1"})):
        started = time.monotonic()
        status, headers, content = topology.request(method, path, body)
        expect(status, 503, f"{method} {path} while PostgreSQL is {state}")
        _require(int(headers["Retry-After"]) >= 1, f"Retry-After of {path}")
        _require(time.monotonic() - started < 25, f"the time of {path} while PostgreSQL is {state}")
        if path.startswith("/api/"):
            expect(headers["Content-Type"], "application/problem+json", f"{path} while PostgreSQL is {state}")
        _require(b"Traceback" not in content, "no traceback")
    for port in ("8001", "8002"):
        expect(_direct(topology, port), 200, f"/healthz while PostgreSQL is {state}")
    expect(topology.request("GET", "/readyz?only=database")[0], 503, f"/readyz while PostgreSQL is {state}")


def _expect_reads(topology: Topology, state: str) -> None:
    for path in READS:
        expect(topology.request("GET", path)[0], 200, f"{path} while PostgreSQL is {state}")
    status, headers, _body = topology.request("POST", ITEM, {"product": "SMOKE-1"})
    expect((status, bool(headers["Retry-After"])), (503, True), f"a write while PostgreSQL is {state}")
    expect(topology.request("GET", "/readyz")[0], 503, f"/readyz while PostgreSQL is {state}")
    expect(topology.request("GET", "/healthz")[0], 200, f"/healthz while PostgreSQL is {state}")


def _require(condition: bool, what: str) -> None:  # noqa: FBT001
    if not condition:
        raise Failed(f"This was expected, but did not happen: {what}.")


def _buys(topology: Topology) -> int:
    return topology.request("POST", ITEM, {"product": "SMOKE-1"})[0]


def _direct(topology: Topology, port: str) -> int:
    plain = socket.create_connection(("127.0.0.1", topology.ports[port]), timeout=10)
    with plain:
        plain.sendall(f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        return int(plain.recv(100).split()[1])


def _connection(topology: Topology) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", topology.ports["https"]), timeout=10)
    return topology.tls.wrap_socket(plain, server_hostname=HOST)


def _is_answered(client: socket.socket) -> bool:
    before = client.gettimeout()
    client.settimeout(0.01)
    try:
        client.recv(1000)
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        client.settimeout(before)
    return True


def _status_of(topology: Topology, request: bytes) -> int:
    with _connection(topology) as client:
        with contextlib.suppress(OSError):
            client.sendall(request.replace(b"%s", HOST.encode(), 1))
        return int(client.recv(1000).split()[1])


@contextlib.contextmanager
def _visiting(visit: Callable[[], int]) -> Iterator[list[int | str]]:
    """Requests, one after the other, during the block; what each returned."""
    found: list[int | str] = []
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.05):
            try:
                found.append(visit())
            except Exception as error:  # noqa: BLE001 - every kind of failure counts
                found.append(type(error).__name__)

    visitor = threading.Thread(target=run)
    visitor.start()
    try:
        yield found
    finally:
        over.set()
        visitor.join()


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"Not within {PATIENCE_SECONDS} s: {what}.")
        time.sleep(0.1)
