"""The checks of ``manage.py shop_doctor``. Each yields its findings: what is wrong and how to fix it."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import django
import redis
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks, mail
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone
from django_q.brokers import get_broker
from shop_core.addresses import supports_utf8
from shop_notify import health as notify_health
from shop_notify.exceptions import DeliveryFailure, SetupFailure, TemporaryFailure, UnknownNotifier, UnknownOutcome
from shop_notify.models import Notification
from shop_notify.notifiers import AfricasTalkingNotifier
from shop_notify.notifiers import registry as notifiers
from shop_orders import payment_providers

from operations import probes, task_queue

TIMEOUT_SECONDS = 10
CLOCK_TOLERANCE_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong and how to fix it. With a warning the shop still works."""

    what: str
    fix: str
    is_warning: bool = False


Findings = Iterator[Finding]


def database() -> Findings:
    try:
        probes.database()
    except DatabaseError as error:
        yield Finding(
            what=f"The database cannot be reached: {type(error).__name__}.",
            fix="Check that the server runs and that DATABASE_URL or the DB_ variables are correct.",
        )
        return
    if getattr(connection, "pg_version", 150000) < 150000:
        yield Finding(what="PostgreSQL is older than 15.", fix="Upgrade the database server.")
    if connection.vendor == "sqlite" and not settings.DEBUG and not settings.DEMO:
        yield Finding(
            what="The shop runs on SQLite, which suits one machine and few concurrent writers.",
            fix="Set DATABASE_URL=postgres://user:password@host:5432/shop.",
            is_warning=True,
        )


def migrations() -> Findings:
    if wrong := probes.migrations():
        yield Finding(what=f"{wrong}.", fix="Run `manage.py migrate`.")


def cache() -> Findings:
    if wrong := probes.caching():
        yield Finding(
            what=f"The cache does not work: {wrong}.", fix="Check that Redis runs and that REDIS_URL is correct."
        )
    if not settings.REDIS_URL and not settings.DEBUG and not settings.DEMO:
        yield Finding(
            what="Each process has its own cache, so each process counts rate limits separately.",
            fix="Set REDIS_URL=redis://:password@host:6379/0.",
            is_warning=True,
        )


def queue() -> Findings:
    try:
        get_broker().ping()
    except redis.RedisError as error:
        yield Finding(
            what=f"The queue's server cannot be reached: {type(error).__name__}. Messages wait for the periodic jobs.",
            fix="Check that Redis runs and that REDIS_URL is correct.",
        )
        return
    if wrong := probes.queue():
        yield Finding(
            what=f"The queue is not being processed: {wrong}, {task_queue.length()} wait.",
            fix="Check that a worker runs: `manage.py qcluster`, `systemctl status 'shop-worker@*'`.",
        )
    if wrong := probes.outbox():
        yield Finding(
            what=f"The outbox is not being processed: {wrong}.",
            fix="Start a worker, or run `manage.py deliver_notifications` and `manage.py announce_events`.",
        )
    for notifier in notify_health.notifiers():
        if notifier.problem_since is None:
            continue
        yield Finding(
            what=f"Notifier {notifier.alias}: {notifier.problem}. Its messages wait.",
            fix="Correct its variables or the account at the provider; the messages are sent within five minutes.",
        )
    if dead := Notification.objects.filter(state="dead").count():
        yield Finding(
            what=f"{dead} messages were given up.",
            fix="Look at them in the admin, fix the cause and send them again there.",
            is_warning=True,
        )


def periodic_jobs() -> Findings:
    late: dict[str, list[str]] = {}
    for name, consequence in probes.overdue_jobs():
        package, _dot, job = name.partition(".")
        late.setdefault(package, []).append(f"{job}: {consequence}")
    for package, jobs in late.items():
        yield Finding(
            what=f"{len(jobs)} jobs of {package} did not run in time." + "".join(f"\n  {job}" for job in jobs),
            fix=f"Run `manage.py schedule_jobs` and start a worker, or let cron run `manage.py {package}_jobs`."
            " A new worker needs up to two minutes for the first run.",
        )


def mail_server() -> Findings:
    if settings.DEBUG and "smtp" not in settings.EMAIL_BACKEND_CLASS:
        yield Finding(what="E-mails are printed, not sent.", fix="Set EMAIL_HOST.", is_warning=True)
        return
    offers_utf8 = True
    try:
        mailer = mail.mailers["default"] if django.VERSION >= (6, 1) else mail.get_connection()
        mailer.open()
        if server := getattr(mailer, "connection", None):
            server.ehlo_or_helo_if_needed()
            offers_utf8 = server.has_extn("smtputf8")
        mailer.close()
    except Exception as error:  # noqa: BLE001 - smtplib, ssl and socket raise each their own
        yield Finding(
            what=f"The mail server reports an error: {type(error).__name__}.",
            fix="Correct EMAIL_HOST, EMAIL_PORT, EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD.",
        )
    if supports_utf8() and not offers_utf8:
        yield Finding(
            what="The mail server does not offer SMTPUTF8: messages to addresses such as jörg@example.org fail.",
            fix="Set EMAIL_SMTPUTF8=false, so that such addresses are refused when typed, or use another mail server.",
            is_warning=True,
        )
    if settings.DEFAULT_FROM_EMAIL.rstrip(">").endswith("@example.org") and not (settings.DEBUG or settings.DEMO):
        yield Finding(
            what="E-mails are sent from an address at example.org.",
            fix="Set DEFAULT_FROM_EMAIL to an address of your domain, and ADMIN_EMAIL to yours.",
        )


def gateways() -> Findings:
    for alias in notifiers.aliases():
        try:
            notifier = notifiers.get_notifier(alias)
        except UnknownNotifier as error:
            yield Finding(what=f"Notifier {alias}: {error}", fix="Correct its variables; .env.example lists them.")
            continue
        if isinstance(notifier, AfricasTalkingNotifier):
            yield from _africas_talking(alias, notifier)
    for alias in payment_providers.aliases():
        yield from _payment_provider(alias)


def _payment_provider(alias: str) -> Findings:
    """Let the provider call its service, which changes nothing there."""
    try:
        provider = payment_providers.payment_provider(alias)
    except Exception as error:  # noqa: BLE001 - a provider of the site may raise anything
        yield Finding(
            what=f"Payment provider {alias} cannot be used: {type(error).__name__}.",
            fix="Correct its BACKEND and OPTIONS in SHOP_ORDERS['PAYMENT_PROVIDERS'], or its variables.",
        )
        return
    webhook_url = settings.SITE_URL + reverse("shop_orders:webhook", args=[alias])
    for problem in provider.diagnose(webhook_url="" if settings.DEMO else webhook_url):
        yield Finding(what=f"{alias}: {problem.what}", fix=problem.fix, is_warning=problem.is_warning)


def _africas_talking(alias: str, notifier: AfricasTalkingNotifier) -> Findings:
    """Ask for the account's balance, which is free, changes nothing and needs the correct key."""
    if not notifiers.options_of(alias).get("report_secret"):
        yield Finding(
            what=f"Notifier {alias} has no secret, so delivery reports are refused.",
            fix="Set AFRICAS_TALKING_REPORT_SECRET to a long random text.",
            is_warning=True,
        )
    try:
        balance = notifier.fetch_balance()
    except SetupFailure:
        yield Finding(
            what=f"The SMS gateway refuses the key of {alias}.",
            fix="Correct AFRICAS_TALKING_USERNAME and AFRICAS_TALKING_API_KEY; the sandbox has its own key.",
        )
    except DeliveryFailure as error:
        if isinstance(error, TemporaryFailure | UnknownOutcome) and error.provider_code != "balance":
            yield Finding(
                what=f"The SMS gateway of {alias} cannot be reached.",
                fix="Check that this machine can reach it over HTTPS.",
            )
        elif notifier.low_balance is not None:
            yield Finding(
                what=f"The SMS gateway of {alias} does not return the balance.",
                fix="Check AFRICAS_TALKING_URL, or leave out AFRICAS_TALKING_LOW_BALANCE.",
            )
    else:
        if notifier.low_balance is not None and balance.amount < notifier.low_balance:
            yield Finding(
                what=f"The balance of {alias} is low: {balance.currency} {balance.amount}.",
                fix="Top up the account at Africa's Talking: without money no SMS is sent.",
                is_warning=True,
            )


def openid() -> Findings:
    providers = getattr(settings, "SOCIALACCOUNT_PROVIDERS", {}).get("openid_connect", {}).get("APPS", [])
    for app in providers:
        name = app.get("provider_id", "openid_connect")
        server = str(app.get("settings", {}).get("server_url", ""))
        if not (app.get("client_id") and server):
            yield Finding(what=f"Log-in with {name} lacks its client id or server.", fix="Set the OIDC_ variables.")
            continue
        yield from _discovery(name, server)


def _discovery(name: str, server: str) -> Findings:
    well_known = "/.well-known/openid-configuration"
    address = server if server.endswith(well_known) else server.rstrip("/") + well_known
    try:
        document = json.loads(_read(address))
        missing = {"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"} - set(document)
    except (OSError, ValueError, TypeError) as error:
        yield Finding(
            what=f"The configuration of {name} cannot be read: {type(error).__name__}.",
            fix="Correct the server's address; a browser must be able to open its /.well-known/openid-configuration.",
        )
        return
    # OpenID Connect Discovery, section 4.3: the two must be the same.
    issuer, named = address.removesuffix(well_known), str(document.get("issuer", ""))
    if named and named.rstrip("/") != issuer:
        yield Finding(
            what=f"The configuration of {name} at {issuer} belongs to another issuer, {named[:200]}.",
            fix="Set its OIDC_ variable to that address if that is the provider you want.",
            is_warning=True,
        )
    if missing:
        yield Finding(what=f"The configuration of {name} lacks {', '.join(sorted(missing))}.", fix="Ask its operator.")


def media() -> Findings:
    name = f"doctor-{uuid.uuid4().hex}.txt"
    try:
        stored = default_storage.save(name, ContentFile(b"whole"))
        with default_storage.open(stored) as file:
            is_whole = file.read() == b"whole"
        default_storage.delete(stored)
    except OSError as error:
        yield Finding(
            what=f"Uploads cannot be stored: {type(error).__name__}.",
            fix="Create MEDIA_ROOT and give it to the user of the shop.",
        )
        return
    if not is_whole:
        yield Finding(what="An upload was read back with different content.", fix="Check the disk or the storage.")


def static_files() -> Findings:
    if settings.DEBUG or settings.DEMO:
        return
    if not Path(settings.STATIC_ROOT, "staticfiles.json").is_file():
        yield Finding(what="The static files are not collected.", fix="Run `manage.py collectstatic`.")
    elif not staticfiles_storage.exists("admin/css/base.css"):
        yield Finding(what="Static files of the admin are missing.", fix="Run `manage.py collectstatic --clear`.")


def time_zone() -> Findings:
    if settings.TIME_ZONE == "UTC":
        yield Finding(
            what="The dashboard's days begin at midnight UTC.",
            fix="Set TIME_ZONE to the shop's time zone, such as Africa/Nairobi.",
            is_warning=True,
        )
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT clock_timestamp(), EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = %s)", [settings.TIME_ZONE]
        )
        now, knows_zone = cursor.fetchone()
    if abs((datetime.now(UTC) - now).total_seconds()) > CLOCK_TOLERANCE_SECONDS:
        yield Finding(
            what="The clocks of this machine and of the database differ.", fix="Run a time service (chrony) on both."
        )
    if not knows_zone:
        yield Finding(
            what=f"The database does not know the time zone {timezone.get_default_timezone_name()}.",
            fix="Install tzdata on the database server, or choose another TIME_ZONE.",
        )


def amounts() -> Findings:
    if settings.SAMPLE_AMOUNTS:
        yield Finding(
            what=f"Delivery and tax use amounts of the sample shop: {', '.join(settings.SAMPLE_AMOUNTS)} not set.",
            fix="Set them to your own prices and tax rate; 0 is free of charge.",
            is_warning=True,
        )


def deployment() -> Findings:
    is_live = not (settings.DEBUG or settings.DEMO)
    for message in checks.run_checks(include_deployment_checks=is_live):
        if not message.is_silenced():
            yield Finding(
                what=f"{message.id}: {message.msg}",
                fix=message.hint or "See the documentation of this check.",
                is_warning=message.level < checks.ERROR,
            )


CHECKS: Mapping[str, Callable[[], Findings]] = {
    "database": database,
    "migrations": migrations,
    "cache": cache,
    "queue": queue,
    "periodic jobs": periodic_jobs,
    "mail server": mail_server,
    "gateways": gateways,
    "OpenID": openid,
    "media storage": media,
    "static files": static_files,
    "time zone": time_zone,
    "amounts": amounts,
    "settings": deployment,
}


def run_check(name: str) -> list[Finding]:
    """The findings of one check. A check that fails is a finding too."""
    try:
        return list(CHECKS[name]())
    except DatabaseError as error:
        fix = "Run `manage.py shop_doctor --only database migrations` and fix those findings first."
        return [Finding(what=f"The check failed: {type(error).__name__}.", fix=fix)]
    except Exception as error:  # noqa: BLE001 - a failing check must not stop the doctor
        return [Finding(what=f"The check failed: {type(error).__name__}.", fix="Fix the other findings first.")]


def _read(address: str, headers: Mapping[str, str] | None = None) -> bytes:
    if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
        raise ValueError("An address begins with http:// or https://.")
    request = urllib.request.Request(address, headers=dict(headers or {}))  # noqa: S310 - the scheme is checked
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - the scheme is checked
        body: bytes = response.read(1_000_000)
    return body
