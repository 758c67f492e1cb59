"""Mail servers that are cut off or slow: the time is bounded, and a message may have an unknown outcome."""

from __future__ import annotations

import gc
import re
import socket
import threading
import time

import pytest
from conftest import use_smtp
from shop_notify import delivery
from shop_notify.delivery import sending
from shop_notify.models import Attempt, Notification
from shop_notify.notifiers.time_limit import TimeLimitExceeded, time_limit

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
STAGES = ("banner", "EHLO", "MAIL", "RCPT", "DATA", "end")
REPLIES = {
    "banner": "220 ready",
    "EHLO": "250 hello",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "end": "250 queued",
}


class Server:
    """A mail server that misbehaves at one stage of a session, then hangs up.

    ``misbehave`` gets the connection; at every other stage it replies as it should. ``mails`` are those that were
    received whole.
    """

    def __init__(self, stage, misbehave):
        self.stage, self.misbehave, self.mails = stage, misbehave, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            try:
                for stage in STAGES:
                    if stage != "banner" and not self._read(lines, stage):
                        return
                    if stage == self.stage:
                        self.misbehave(connection)
                        return
                    connection.sendall(f"{REPLIES[stage]}\r\n".encode())
                lines.readline()
            except OSError:
                return

    def _read(self, lines, stage):
        if stage != "end":
            return lines.readline()
        mail = b"".join(iter(lines.readline, b".\r\n"))
        self.mails.append(mail.decode())
        return True


def replies(text):
    return lambda connection: connection.sendall(f"{text}\r\n".encode())


def closes(_connection):
    """Hang up at once."""


def is_silent(connection):
    connection.recv(1)


def drips(connection):
    """A reply that never ends, each byte long before a time-out for one read."""
    connection.sendall(b"250-")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def stops_reading(connection):
    """Accept the start of the mail, read some of it and hang up."""
    connection.sendall(b"354 go on\r\n")
    connection.recv(10)


@pytest.fixture
def serve(settings, monkeypatch):
    servers = []

    def start(stage, misbehave):
        server = Server(stage, misbehave)
        servers.append(server)
        use_smtp(settings, server.port)
        return server

    monkeypatch.setattr(sending, "SEND_SECONDS", 0.6)
    yield start
    for server in servers:
        server.listener.close()
    gc.collect()  # smtplib leaves its socket open when it is interrupted
    sending._paused_until.clear()


def queue():
    return Notification.objects.create(
        event_id="e-1", event="order_placed", alias="email", channel="email", address="customer@example.org",
        audience="customer", language="en", context={"order": {"number": "K7Q-2M4", "currency": "KES", "lines": []}},
    )  # fmt: skip


def deliver():
    started = time.monotonic()
    delivery.deliver_due()
    assert time.monotonic() - started < 5
    row = Notification.objects.get()
    attempt = Attempt.objects.latest("pk")
    return row.state, attempt.outcome, row.last_error


GONE, LATE = "The mail server closed the connection.", "The notifier exceeded the time limit."
TABLE = [
    ("banner", replies("421 4.3.2 shutting down"), ("queued", "temporary", "421")),
    ("banner", drips, ("queued", "unknown", LATE)),
    ("EHLO", closes, ("queued", "unknown", GONE)),
    ("MAIL", replies("421 4.3.2 shutting down"), ("queued", "temporary", "4.3.2 shutting down")),
    ("MAIL", drips, ("queued", "unknown", LATE)),
    ("DATA", closes, ("queued", "unknown", GONE)),
    ("DATA", stops_reading, ("queued", "unknown", GONE)),
    ("DATA", replies("451 4.3.0 try later"), ("queued", "temporary", "4.3.0 try later")),
    ("end", replies("421 4.3.2 shutting down"), ("queued", "temporary", "4.3.2 shutting down")),
    ("end", replies("451 4.3.0 try later"), ("queued", "temporary", "4.3.0 try later")),
    ("end", replies("550 5.7.1 no"), ("failed", "permanent", "5.7.1 no")),
    ("end", closes, ("queued", "unknown", GONE)),
    ("end", is_silent, ("queued", "unknown", LATE)),
    ("end", drips, ("queued", "unknown", LATE)),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("stage", "misbehave", "result"), TABLE, ids=lambda value: getattr(value, "__name__", value))
def test_each_fault_has_its_outcome_within_the_time_limit(serve, stage, misbehave, result):
    serve(stage, misbehave)
    queue()
    state, outcome, error = deliver()
    assert (state, outcome) == result[:2]
    assert result[2] in error


@pytest.mark.django_db
def test_a_mail_that_may_have_arrived_is_sent_again_under_the_same_id(serve):
    """Programs show two mails with one Message-ID once, and the attempts say that the first outcome is unknown."""
    first = serve("end", closes)
    row = queue()
    deliver()
    second = serve("none", closes)
    Notification.objects.update(due_at=row.created_at)
    assert deliver()[:2] == ("sent", "accepted")
    identities = [re.search(r"Message-ID: (\S+)", mail)[1] for mail in first.mails + second.mails]
    assert len(identities) == 2
    assert len(set(identities)) == 1
    assert [*Attempt.objects.order_by("pk").values_list("outcome", flat=True)] == ["unknown", "accepted"]


def in_a_thread(function):
    results = []

    def run():
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - the result of the thread
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    return results[0]


@pytest.mark.parametrize("stage", ["banner", "end"])
def test_in_another_thread_a_server_that_drips_is_left_in_time_too(serve, stage):
    """Celery's threads, and a request that sends at once: there no signal ends the call."""
    serve(stage, drips)
    from django.core.mail import EmailMessage

    def send():
        with time_limit(0.3):
            EmailMessage("subject", "text", "shop@example.org", ["customer@example.org"]).send()

    started = time.monotonic()
    assert isinstance(in_a_thread(send), TimeLimitExceeded)
    assert time.monotonic() - started < 3


def test_in_another_thread_code_that_catches_the_first_exception_is_ended_by_the_next():
    def stubborn():
        with time_limit(0.05):
            try:
                while True:
                    time.sleep(0.01)
            except TimeLimitExceeded:
                while True:
                    time.sleep(0.01)

    assert isinstance(in_a_thread(stubborn), TimeLimitExceeded)


def test_in_another_thread_nothing_is_raised_after_the_block():
    def quick():
        for _time in range(50):
            with time_limit(0.02):
                pass
        time.sleep(0.1)
        return "done"

    assert in_a_thread(quick) == "done"
    for thread in threading.enumerate():
        if thread.name == "notifier-time-limit":
            thread.join(5)
            assert not thread.is_alive()
