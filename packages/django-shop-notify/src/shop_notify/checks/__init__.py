"""System checks: ``manage.py check`` finds wrong settings, and most hints can be pasted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import django
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own names
from django.db import connections, router
from django.db.models import Model
from django.dispatch import Signal
from django.template import TemplateDoesNotExist
from django.template.loader import select_template
from django.utils import timezone
from django.utils.module_loading import import_string
from shop_core.db.transactions import app_routing, connection_of

from shop_notify import jobs, queues, routes
from shop_notify.checks.notifiers import check_notifiers
from shop_notify.conf import app_settings
from shop_notify.exceptions import RouteRefused, UnknownNotifier
from shop_notify.messages import rendering
from shop_notify.models import JobRun, Notification, RouteFailure, SetupProblem
from shop_notify.notifiers import registry


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    return [
        *_unknown_settings(),
        *check_notifiers(),
        *_routes(),
        *_secrets(),
        *_queue(),
        *_mail(),
        *_database_routers(),
    ]


@register(Tags.database)
def check_periodic_delivery(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Warn if a site with messages has no periodic delivery.

    No setting shows this, because cron, a timer, a schedule of the queue or the loop may run it. Each run is recorded
    in the database, so this check runs only in ``migrate`` and ``check --database``.
    """
    if not _may_read(databases, JobRun, Notification):
        return []
    late = [job for job in jobs.overdue() if job.name == "deliver"]
    if not late or not Notification.objects.exists():
        return []
    return [
        Warning(
            f"Nothing delivers the outbox periodically. {late[0].consequence}",
            hint="Run `manage.py shop_notify_jobs` each minute, by cron or any scheduler, or `deliver_notifications "
            "--loop`.",
            id="shop_notify.W011",
        )
    ]


@register(Tags.database)
def check_failed_routes(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Warn of routes that failed in the last day: only running the site's functions shows it."""
    if not _may_read(databases, RouteFailure):
        return []
    return [
        Warning(
            f"A message of the event “{row.event}” was not written at "
            f"{row.failed_at.isoformat(timespec='minutes')}: {row.last_error}",
            hint="Correct the functions that its routes name in “context”, “event_id” and “to”, or “address_of” of "
            "its notifiers. The log has the trace.",
            id="shop_notify.W016",
        )
        for row in RouteFailure.objects.filter(failed_at__gte=timezone.now() - timedelta(days=1)).order_by("event")
    ]


@register(Tags.database)
def check_refused_setups(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Warn of notifiers whose set-up the provider refuses: only sending shows it."""
    if not _may_read(databases, SetupProblem):
        return []
    return [
        Warning(
            f"The provider of “{problem.alias}” has refused its set-up since "
            f"{problem.began_at.isoformat(timespec='minutes')}: {problem.error}",
            hint="Correct its OPTIONS or the account at the provider. The messages that wait are then sent: at the "
            "next try after at most five minutes, or at once by `POST /notifications/staff/retry/`.",
            id="shop_notify.W017",
        )
        for problem in SetupProblem.objects.open().filter(alias__in=list(app_settings.NOTIFIERS)).order_by("alias")
    ]


def _may_read(databases: Sequence[str] | None, *models: type[Model]) -> bool:
    """Whether the models' database is to be checked and has their tables: `migrate` checks it before it makes them."""
    alias = router.db_for_read(models[0])
    if alias not in (databases or ()):
        return False
    tables = {model._meta.db_table for model in models}
    return tables.issubset(connections[alias].introspection.table_names())


def _unknown_settings() -> Iterator[CheckMessage]:
    for name in app_settings.unknown():
        known = ", ".join(sorted(key for key in dir(type(app_settings)) if key.isupper()))
        hint = f"Known settings: {known}."
        yield Warning(f'SHOP_NOTIFY["{name}"] is not a setting.', hint=hint, id="shop_notify.W001")


def _notifier_hint(alias: str) -> str:
    """Settings of a notifier to paste: ``EmailNotifier`` for e-mail, otherwise one that needs no account."""
    backend = "EmailNotifier" if alias == "email" else "ConsoleNotifier"
    return f'SHOP_NOTIFY = {{"NOTIFIERS": {{..., "{alias}": {{"BACKEND": "shop_notify.notifiers.{backend}"}}}}}}'


def _routes() -> Iterator[CheckMessage]:
    read = []
    for number, entry in enumerate(app_settings.ROUTES):
        try:
            route = routes.Route.read(entry)
        except RouteRefused as error:
            hint = '{"signal": "myapp.signals.done", "event": "done", "to": ["customer"], "via": ["email"]}'
            yield Error(f"Route {number}: {error}", hint=hint, id="shop_notify.E003")
            continue
        read.append(route)
        yield from _route(number, route)
    yield from _undeliverable_events(read)


def _undeliverable_events(read: Sequence[routes.Route]) -> Iterator[CheckMessage]:
    """Warn of missing administrators and notifiers, once for all routes, since a preset has many routes."""
    to_admins = [route for route in read if routes.ADMINS in route.to]
    if to_admins and not app_settings.ADMINS:
        yield Warning(
            f"ADMINS is empty, so these events are sent to no administrator: {_events(to_admins)}.",
            hint='SHOP_NOTIFY = {"ADMINS": ["shop@example.org"], ...}',
            id="shop_notify.W003",
        )
    for alias in dict.fromkeys(alias for route in read for alias in route.via):
        if alias not in app_settings.NOTIFIERS:
            unsent = _events([route for route in read if alias in route.via])
            yield Warning(
                f"“{alias}” is not configured, so these events are not sent by it: {unsent}.",
                hint=f"{_notifier_hint(alias)} If this is intended, add this check to SILENCED_SYSTEM_CHECKS.",
                id="shop_notify.W004",
            )
    for alias in dict.fromkeys(other for route in read for other in _missing_fallbacks(route)):
        without = _events([route for route in read if alias in _missing_fallbacks(route)])
        yield Warning(
            f"“{alias}” is not configured, so these events have no fallback: {without}.",
            hint=f"{_notifier_hint(alias)} Or remove the route's “fallback”.",
            id="shop_notify.W014",
        )


def _missing_fallbacks(route: routes.Route) -> list[str]:
    """The unknown aliases to which messages of this route would fall back."""
    used = [wanted["via"] for alias, wanted in route.fallback.items() if alias in app_settings.NOTIFIERS]
    return [other for other in used if other not in app_settings.NOTIFIERS]


def _secrets() -> Iterator[CheckMessage]:
    for event, hooks in app_settings.SECRETS.items():
        for name, path in hooks.items():
            if not _importable(path):
                yield Error(
                    f"SECRETS: “{path}” of the event “{event}” cannot be imported, so its messages are not sent.",
                    hint=f'SHOP_NOTIFY = {{"SECRETS": {{"{event}": {{"{name}": "mysite.mails.code_of"}}}}}}',
                    id="shop_notify.E011",
                )


def _events(read: Sequence[routes.Route]) -> str:
    return ", ".join(dict.fromkeys(f"“{route.event}”" for route in read))


def _preset_hint(path: str) -> str:
    """The hint for a preset's route whose app is missing: the preset for a site without that app."""
    presets = {"shop_catalog": "ORDER_ROUTES", "shop_orders": "STOCK_ROUTES"}
    app = path.partition(".")[0]
    return f" A site without {app} uses shop_notify.presets.{presets[app]}." if app in presets else ""


def _route(number: int, route: routes.Route) -> Iterator[CheckMessage]:
    try:
        signal = import_string(route.signal)
    except ImportError:
        signal = None
    if not isinstance(signal, Signal):
        yield Error(
            f"Route {number}: “{route.signal}” is not a signal.",
            hint="Give the dotted path of a django.dispatch.Signal whose app is installed, or remove the route."
            f"{_preset_hint(route.signal)}",
            id="shop_notify.E004",
        )
    for path in route.hooks:
        if not _importable(path):
            yield Error(
                f"Route {number}: “{path}” cannot be imported.",
                hint="Give the dotted path of a function in a module that can be imported, or remove it.",
                id="shop_notify.E005",
            )
    for alias, fallback in route.fallback.items():
        if alias in route.via and fallback["via"] in route.via:
            yield Warning(
                f"Route {number}: the fallback of “{alias}” adds nothing, because “via” has “{fallback['via']}” too, "
                "which sends at once.",
                hint=f"Remove “{fallback['via']}” from “via”, or remove the fallback.",
                id="shop_notify.W015",
            )
        if alias not in route.via:
            yield Warning(
                f"Route {number}: the fallback of “{alias}” never starts, because “via” does not have this alias.",
                hint=f'"via": [..., "{alias}"], or remove it from “fallback”.',
                id="shop_notify.W015",
            )
    for alias in route.via:
        if alias in app_settings.NOTIFIERS and not _has_template(route, alias):
            yield Warning(
                f"Route {number}: there is no template for the event “{route.event}” and the notifier “{alias}”.",
                hint=f"Write shop_notify/{route.event}/message.txt in the templates folder of an app or of the site.",
                id="shop_notify.W005",
            )


def _has_template(route: routes.Route, alias: str) -> bool:
    try:
        channel = registry.notifier_class(alias).channel
    except UnknownNotifier:
        return True
    row = Notification(event=route.event, channel=channel, audience=next(iter(route.to), ""), language="")
    try:
        select_template(list(rendering.paths(row, *rendering.text_names(channel))))
    except TemplateDoesNotExist:
        return False
    return True


def _importable(path: str) -> bool:
    try:
        return callable(import_string(path))
    except ImportError:
        return False


def _queue() -> Iterator[CheckMessage]:
    if not _importable(app_settings.QUEUE):
        yield Error(
            f"QUEUE “{app_settings.QUEUE}” cannot be imported.",
            hint='SHOP_NOTIFY = {"QUEUE": "shop_notify.queues.inline", ...}',
            id="shop_notify.E006",
        )
    if app_settings.QUEUE == "shop_notify.queues.django_tasks" and django.VERSION < (6, 0):
        yield Error(
            "The queue django_tasks needs Django 6.0.",
            hint='SHOP_NOTIFY = {"QUEUE": "shop_notify.queues.none", ...}; run `deliver_notifications --loop`.',
            id="shop_notify.E007",
        )
    if app_settings.QUEUE == queues.POSTGRESQL and connection_of(Notification).vendor != "postgresql":
        yield Warning(
            "The queue postgresql needs a PostgreSQL database. On this one `deliver_notifications --loop` only polls.",
            hint='SHOP_NOTIFY = {"QUEUE": "shop_notify.queues.none", ...}',
            id="shop_notify.W010",
        )
    if app_settings.QUEUE == "shop_notify.queues.django_q2":
        yield from _django_q2()


def _django_q2() -> Iterator[CheckMessage]:
    """Defaults of django-q2 that lose tasks or run them twice (seen with django-q2 1.11)."""
    if not apps.is_installed("django_q"):
        yield Error(
            "The queue django_q2 needs the app “django_q”.",
            hint='Install it with `pip install django-shop-notify[django-q2]` and add "django_q" to INSTALLED_APPS.',
            id="shop_notify.E008",
        )
        return
    cluster: dict[str, Any] = getattr(settings, "Q_CLUSTER", {})
    timeout, retry = cluster.get("timeout"), cluster.get("retry", 60)
    workers = cluster.get("workers") or os.cpu_count() or 1
    if not timeout or retry <= timeout:
        yield Warning(
            "Q_CLUSTER runs tasks twice: “retry” must be larger than “timeout”, and “timeout” must be set.",
            hint='Q_CLUSTER = {"timeout": 60, "retry": 600, ...}',
            id="shop_notify.W006",
        )
    if not cluster.get("max_attempts"):
        yield Warning(
            "Q_CLUSTER repeats a failing task for ever.",
            hint='Q_CLUSTER = {"max_attempts": 5, "ack_failures": True, ...}',
            id="shop_notify.W007",
        )
    if timeout and cluster.get("queue_limit", workers**2) * timeout > retry * workers:
        yield Warning(
            "Q_CLUSTER runs waiting tasks twice: they wait in the worker's queue longer than “retry”.",
            hint=f'Q_CLUSTER = {{"queue_limit": {workers}, "retry": 600, ...}}',
            id="shop_notify.W008",
        )


def _mail() -> Iterator[CheckMessage]:
    """Django's SMTP backend has no time-out by default, and would occupy a worker for ever."""
    if not any(_is_email(alias) for alias in app_settings.NOTIFIERS):
        return
    if hasattr(settings, "MAILERS"):
        mailers: dict[str, dict[str, Any]] = settings.MAILERS
        waiting = [
            name
            for name, config in mailers.items()
            if config.get("BACKEND", "").endswith("smtp.EmailBackend") and not config.get("OPTIONS", {}).get("timeout")
        ]
        hint = 'MAILERS = {"default": {"OPTIONS": {"timeout": 10, ...}, ...}}'
    else:
        smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and not settings.EMAIL_TIMEOUT
        waiting, hint = (["EMAIL_TIMEOUT"] if smtp else []), "EMAIL_TIMEOUT = 10"
    if waiting:
        yield Warning(
            f"Mail has no time-out ({', '.join(waiting)}): a server that hangs occupies a worker.",
            hint=hint,
            id="shop_notify.W009",
        )


def _database_routers() -> Iterator[CheckMessage]:
    """The models of this app are written to and read from one database, which may differ from that of the senders."""
    home, written, read = app_routing("shop_notify")
    for label, alias in written.items():
        yield Error(
            f'The database routers write {label} to the database "{alias}" and the outbox to "{home}". '
            "They belong together: no transaction spans two databases.",
            hint=f'Let db_for_write of DATABASE_ROUTERS return "{home}" for all of shop_notify.',
            id="shop_notify.E009",
        )
    if read:
        label, alias = next(iter(read.items()))
        yield Error(
            f'The database routers read {label} from the database "{alias}" and write it to "{home}": '
            "a replica lags behind, so messages would be sent again.",
            hint=f'Let db_for_read of DATABASE_ROUTERS return "{home}" for all of shop_notify.',
            id="shop_notify.E010",
        )


def _is_email(alias: str) -> bool:
    try:
        return registry.notifier_class(alias).channel == "email"
    except UnknownNotifier:
        return False
