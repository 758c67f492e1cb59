import contextlib
import http.server
import io
import json
import re
import socketserver
import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone
from django_q.models import OrmQ
from operations.doctor import CHECKS, run_check
from shop_notify.models import Notification, SetupProblem


def doctor(*arguments):
    """Exit code and output of the command."""
    out = io.StringIO()
    try:
        call_command("shop_doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


@contextlib.contextmanager
def answering(status, body="{}"):
    """The URL of a local HTTP server with this response to every request; ADDRESS in it becomes the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.replace("ADDRESS", f"http://{self.headers['Host']}").encode())

        def log_message(self, *_arguments):
            pass

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def smtp_server():
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 mail.example.org\r\n")
            for line in self.rfile:
                self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 mail.example.org\r\n")

    return socketserver.TCPServer(("127.0.0.1", 0), Handler)


def texts(name):
    return " ".join(f"{finding.what} {finding.fix}" for finding in run_check(name))


@pytest.fixture
def sms(settings):
    """Settings of an Africa's Talking notifier whose gateway has this URL."""

    def at(base_url, **more):
        options = {"username": "sandbox", "api_key": "very-secret-key", "base_url": base_url, "report_secret": "long"}
        notifier = {"BACKEND": "africastalking", "OPTIONS": {**options, **more}}
        return override_settings(SHOP_NOTIFY={**settings.SHOP_NOTIFY, "NOTIFIERS": {"sms": notifier}})

    return at


@pytest.mark.parametrize("name", ["database", "migrations", "cache", "media storage", "time zone"])
def test_working_parts_have_no_findings(db, settings, tmp_path, name):
    settings.MEDIA_ROOT, settings.DEBUG = tmp_path, True
    assert run_check(name) == []
    assert doctor("--only", name) == (0, f"ok       {name}\nNo problems found.\n")


def test_every_finding_says_how_to_fix_it(db):
    code, out = doctor()
    assert code == 1
    findings = re.findall(r"^(error  |warning)  (.+?): .+(?:\n {11}.+)*\n {9}\S.+$", out, re.MULTILINE)
    assert len(findings) == len(re.findall(r"^(?:error|warning) ", out, re.MULTILINE))
    assert {name for _mark, name in findings} <= set(CHECKS)


def test_warnings_fail_only_with_strict(db, settings):
    settings.REDIS_URL = ""
    assert doctor("--only", "cache")[0] == 0
    code, out = doctor("--only", "cache", "--strict")
    assert code == 1
    assert "REDIS_URL" in out


def test_amounts_of_the_sample_shop_are_a_warning(settings):
    settings.SAMPLE_AMOUNTS = ["SHIPPING_PRICE", "TAX_RATE"]
    (finding,) = run_check("amounts")
    assert finding.is_warning
    assert "SHIPPING_PRICE, TAX_RATE not set" in finding.what
    settings.SAMPLE_AMOUNTS = []
    assert run_check("amounts") == []


def test_a_lost_database(db):
    def lost(*_arguments):
        raise OperationalError("connection to server at db.example.org failed for user shop")

    with connection.execute_wrapper(lost):
        (finding,) = run_check("database")
        others = texts("queue")
    assert finding.what == "The database cannot be reached: OperationalError."
    assert "DATABASE_URL" in finding.fix
    assert "--only database migrations" in others
    assert "db.example.org" not in finding.what + others


def test_a_queue_whose_server_is_down(db, monkeypatch):
    monkeypatch.setattr("django_q.conf.Conf.REDIS", "redis://:very-secret@127.0.0.1:1/0")
    monkeypatch.setattr("django_q.conf.Conf.BROKER_CLASS", "operations.brokers.Redis")
    monkeypatch.setattr("django_q.conf.Conf.ORM", None)
    found = texts("queue")
    assert "The queue's server cannot be reached: ConnectionError." in found
    assert "REDIS_URL" in found
    assert "very-secret" not in found


def test_missing_migrations(db):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'shop_notify'")
    assert "Run `manage.py migrate`." in texts("migrations")


def test_a_lost_cache(db):
    away = {"BACKEND": "operations.caches.RedisCache", "LOCATION": "redis://:very-secret@127.0.0.1:1/0"}
    with override_settings(CACHES={"default": away}):
        found = texts("cache")
    assert "The cache does not work" in found
    assert "very-secret" not in found


def test_a_queue_without_a_worker(db):
    OrmQ.objects.create(key="shop", payload="", lock=timezone.now() - timedelta(hours=1))
    found = texts("queue")
    assert "a task has waited for 3600 seconds, 1 wait" in found
    assert "manage.py qcluster" in found


def test_messages_that_were_given_up(db):
    Notification.objects.create(
        event_id="1", event="e", alias="email", channel="email", address="a@example.org", state="dead"
    )
    (finding,) = run_check("queue")
    assert finding.what == "1 messages were given up."
    assert finding.is_warning


def test_provider_that_refuses_the_set_up(db):
    now = timezone.now()
    SetupProblem.objects.create(alias="email", error="HTTP 401", began_at=now, retry_at=now)
    (finding,) = run_check("queue")
    assert finding.what == "Notifier email: The provider refuses the set-up: HTTP 401. Its messages wait."
    assert not finding.is_warning


def test_overdue_jobs_with_their_consequences(db):
    found = texts("periodic jobs")
    assert "jobs of shop_orders did not run in time.\n  " in found
    assert "\n  expire_orders: Unpaid orders keep their stock for ever." in found
    assert len(run_check("periodic jobs")) == 3
    assert "manage.py shop_orders_jobs" in found


def test_a_mail_server_that_responds_and_one_that_does_not(db, settings):
    settings.DEFAULT_FROM_EMAIL = "shop@shop.example.com"
    with smtp_server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with mail_at(port):
            assert run_check("mail server") == []
        with mail_at(port, "shop_notify.smtp.EmailBackend"):
            (finding,) = run_check("mail server")
        server.shutdown()
    assert (finding.is_warning, "Set EMAIL_SMTPUTF8=false" in finding.fix) == (True, True)
    with mail_at(port):
        (finding,) = run_check("mail server")
    assert finding.what == "The mail server reports an error: ConnectionRefusedError."
    assert "EMAIL_HOST" in finding.fix


def mail_at(port, backend="django.core.mail.backends.smtp.EmailBackend"):
    import django

    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": port, "timeout": 5}
        return override_settings(MAILERS={"default": {"BACKEND": backend, "OPTIONS": options}})
    return override_settings(EMAIL_BACKEND=backend, EMAIL_HOST="127.0.0.1", EMAIL_PORT=port, EMAIL_TIMEOUT=5)


def test_a_sender_that_is_not_ours(db, settings):
    settings.DEFAULT_FROM_EMAIL = "Acacia <shop@example.org>"
    assert "Set DEFAULT_FROM_EMAIL" in texts("mail server")


@pytest.mark.parametrize(
    ("status", "found"),
    [(200, ""), (401, "The SMS gateway refuses the key of sms."), (500, "The SMS gateway of sms cannot be reached.")],
)
def test_the_sms_gateway_is_asked_whether_it_knows_the_key(db, sms, status, found):
    with answering(status) as address, sms(address):
        whats = [finding.what for finding in run_check("gateways")]
    assert whats == ([found] if found else [])


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"UserData": {"balance": "KES 1785.50"}}', []),
        ('{"UserData": {"balance": "KES 3.20"}}', ["The balance of sms is low: KES 3.20."]),
        ("{}", ["The SMS gateway of sms does not return the balance."]),
    ],
)
def test_the_balance_of_the_sms_gateway(db, sms, body, found):
    with answering(200, body) as address, sms(address, low_balance=500):
        assert [finding.what for finding in run_check("gateways")] == found


def test_a_gateway_that_cannot_be_reached(db, sms):
    with sms("http://127.0.0.1:1"):
        found = texts("gateways")
    assert "cannot be reached" in found
    assert "very-secret-key" not in found


def test_a_payment_provider_that_cannot_be_built(db, settings, sms):
    broken = {"card": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery", "OPTIONS": {"key": "sk_live_1"}}}
    orders = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": broken}
    with answering(200) as address, sms(address), override_settings(SHOP_ORDERS=orders):
        found = texts("gateways")
    assert "Payment provider card cannot be used: TypeError." in found
    assert "sk_live_1" not in found


def test_payment_services_are_asked_whether_they_know_the_keys(db, settings, sms):
    options = {"api_key": "sk_live_1", "webhook_secrets": ["whsec_a-long-text-1"]}
    stripe = {"BACKEND": "shop_orders.payment_providers.StripeCheckout", "OPTIONS": options}
    unknown = json.dumps(
        {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_live_1"}}
    )
    with answering(401, unknown) as address, answering(200) as gateway, sms(gateway):
        card = {"card": {**stripe, "OPTIONS": {**options, "api_base": address}}}
        with override_settings(SHOP_ORDERS={**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": card}):
            (finding,) = run_check("gateways")
    assert finding.what == "card: Stripe does not know this API key."
    assert "sk_live_1" not in finding.fix


def openid_at(server):
    app = {"provider_id": "keycloak", "client_id": "shop", "secret": "s", "settings": {"server_url": server}}
    return override_settings(SOCIALACCOUNT_PROVIDERS={"openid_connect": {"APPS": [app]}})


def test_an_openid_provider_with_a_complete_configuration(db):
    whole = {"authorization_endpoint": "a", "token_endpoint": "t", "jwks_uri": "j"}
    with answering(200, json.dumps({"issuer": "ADDRESS", **whole})) as address, openid_at(address):
        assert run_check("OpenID") == []
    with answering(200, json.dumps({"issuer": "https://i", **whole})) as address, openid_at(address):
        assert f"The configuration of keycloak at {address} belongs to another issuer, https://i." in texts("OpenID")
    with answering(200, json.dumps({"issuer": "i", "jwks_uri": "j"})) as address, openid_at(address):
        assert "lacks authorization_endpoint, token_endpoint" in texts("OpenID")
    with answering(404) as address, openid_at(address):
        assert "The configuration of keycloak cannot be read: HTTPError." in texts("OpenID")
    with openid_at("file:///etc/passwd"):
        assert "cannot be read: ValueError." in texts("OpenID")


def test_a_folder_that_cannot_be_written(db, settings, tmp_path):
    file = tmp_path / "file"
    file.touch()
    settings.MEDIA_ROOT = file / "media"
    assert "Create MEDIA_ROOT" in texts("media storage")


def test_static_files_that_were_not_collected(db, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    assert "Run `manage.py collectstatic`." in texts("static files")


def test_a_check_that_fails_is_a_finding(db):
    with override_settings(Q_CLUSTER={}, MEDIA_ROOT=None, STORAGES={"default": {"BACKEND": "no.such.Storage"}}):
        (finding,) = run_check("media storage")
    assert finding.what.startswith("The check failed: ")
