from __future__ import annotations

import email
import email.policy
import socket

import django
import pytest
from django.db import connection
from gateway import Gateway
from shop_notify.delivery import sending
from shop_notify.notifiers import MemoryNotifier, registry
from shop_notify.queues import waking

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def pytest_collection_modifyitems(items):
    from django.conf import settings

    if "postgresql" in settings.DATABASES["default"]["ENGINE"]:
        return
    skip = pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL")
    for item in items:
        if "pg" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _clean_process():
    MemoryNotifier.outbox.clear()
    sending._paused_until.clear()
    waking._failed_until.clear()


@pytest.fixture
def gateway():
    with Gateway() as server:
        yield server


@pytest.fixture
def short_time_outs(monkeypatch):
    """Give up on a silent gateway after a second. The values for production are asserted too."""
    from shop_notify.notifiers import africas_talking_client

    assert (africas_talking_client.TIMEOUT_SECONDS, africas_talking_client.WALL_SECONDS) == ((3.05, 9.05), 15.0)
    monkeypatch.setattr(africas_talking_client, "TIMEOUT_SECONDS", (1.0, 1.0))
    monkeypatch.setattr(africas_talking_client, "WALL_SECONDS", 1.5)


class Mailbox:
    """A real SMTP server on loopback: ``messages`` are parsed, ``replies`` are given to commands first."""

    def __init__(self):
        self.messages = []
        self.envelopes = []
        self.mail_replies = []
        self.rcpt_replies = []
        self.data_replies = []

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if self.mail_replies:
            return self.mail_replies.pop(0)
        envelope.mail_from = address
        envelope.mail_options += mail_options
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.rcpt_replies:
            return self.rcpt_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.data_replies:
            return self.data_replies.pop(0)
        self.envelopes.append(envelope)
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 accepted"


@pytest.fixture
def mailbox(settings):
    yield from mail_server(settings)


def mail_server(settings, backend=SMTP_BACKEND, **options):
    """A server in this process, to which the backend sends. The options are aiosmtpd's."""
    from aiosmtpd.controller import Controller

    mailbox = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    mailbox.port = port
    use_smtp(settings, port, backend=backend)
    yield mailbox
    controller.stop()


def use_smtp(settings, port, timeout=5, backend=SMTP_BACKEND):
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": port, "timeout": timeout}
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = backend
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, timeout


def is_postgresql():
    return connection.vendor == "postgresql"


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """A folder from which Python imports, for distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.offered.cache_clear()
    yield tmp_path
    registry.offered.cache_clear()
