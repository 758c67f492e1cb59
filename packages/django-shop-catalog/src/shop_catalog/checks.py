"""System checks of the catalogue's settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags
from django.core.checks import Warning as CheckWarning
from django.core.checks import register as register_check
from django.db import connections, router
from django.utils.module_loading import import_string
from shop_core import limits
from shop_core.db.compiled import is_newer_than_tested
from shop_core.db.transactions import app_routing, connection_of

from shop_catalog import reviews
from shop_catalog.browsing.queries import compiles_statements
from shop_catalog.conf import app_settings
from shop_catalog.facets.queries import crowded_names
from shop_catalog.facets.values import MAX_LENGTH, MAX_NAMES, MAX_VALUES, counted_names
from shop_catalog.models import Category, FacetValue, Product
from shop_catalog.search import SearchBackend
from shop_catalog.slugs import RESERVED


def register() -> None:
    register_check(check_settings, "shop_catalog")
    register_check(check_database, "shop_catalog")
    register_check(check_prepared_statements, "performance")
    register_check(check_facet_values, Tags.database)
    register_check(check_jit, Tags.database)
    register_check(check_slugs, Tags.database)


def check_settings(*, app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    return [
        *_check_currency(),
        *_check_unknown(),
        *_check_throttles(),
        *_check_facets(),
        *_check_callables(),
        *_check_widths(),
        *_check_search(),
        *_check_apps(),
        *_check_django(),
        *_check_database_routers(),
    ]


def check_database(*, app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Warn about SQLite without IMMEDIATE transactions, which refuses most concurrent writers."""
    messages: list[CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        is_sqlite = database.get("ENGINE", "").endswith("sqlite3")
        if is_sqlite and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE":
            messages.append(
                CheckWarning(
                    f'SQLite database "{alias}" runs without IMMEDIATE transactions: concurrent writers will fail.',
                    hint=(
                        f'DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20, '
                        '"init_command": "PRAGMA journal_mode=WAL"}'
                    ),
                    id="shop_catalog.W002",
                )
            )
    return messages


def check_prepared_statements(*, app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Point out the cost of statements that PostgreSQL does not prepare."""
    alias = router.db_for_read(Product)
    database = settings.DATABASES.get(alias, {})
    if not database.get("ENGINE", "").endswith("postgresql") or database.get("OPTIONS", {}).get("server_side_binding"):
        return []
    return [
        Info(
            f'The statements of the database "{alias}" are not prepared: lists and product pages take up to twice the '
            "CPU, average prices up to five times.",
            hint=f'DATABASES["{alias}"]["OPTIONS"] |= {{"server_side_binding": True, "prepare_threshold": 5}}. '
            "Behind a pooler in transaction mode, which cannot keep prepared statements, silence this message.",
            id="shop_catalog.I001",
        )
    ]


def check_facet_values(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Warn about attributes with values that are not counted individually. It reads the database."""
    if router.db_for_write(FacetValue) not in (databases or ()):
        return []
    if FacetValue._meta.db_table not in connection_of(FacetValue).introspection.table_names():
        return []
    return [
        CheckWarning(
            f'Some values of the attribute "{name}" are counted together as "other": there are more than '
            f"{MAX_VALUES}, or they are longer than {MAX_LENGTH} characters.",
            hint=f'Remove "{name}" from SHOP_CATALOG["FACETS"] if nearly every product has a value of its own.',
            id="shop_catalog.W005",
        )
        for name in sorted(crowded_names() & set(counted_names()))
    ]


def check_jit(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Warn if PostgreSQL compiles statements, which takes longer than running them. It reads the database."""
    alias = router.db_for_read(Product)
    if alias not in (databases or ()) or not compiles_statements(alias):
        return []
    connection = connections[alias]
    return [
        CheckWarning(
            f'PostgreSQL compiles the statements of the database "{alias}" that it expects to be expensive (JIT): '
            "in a large shop, filtered lists can take twice as long or longer.",
            hint=f"ALTER DATABASE {connection.ops.quote_name(str(connection.settings_dict['NAME']))} SET jit = off; "
            "It applies to new connections.",
            id="shop_catalog.W006",
        )
    ]


def check_slugs(
    *,
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Name products and categories with a slug that is a part of the API's paths. It reads the database."""
    if router.db_for_write(Product) not in (databases or ()):
        return []
    messages: list[CheckMessage] = []
    tables = connection_of(Product).introspection.table_names()
    for model in (Product, Category):
        names = RESERVED[model._meta.model_name or ""] if model._meta.db_table in tables else frozenset()
        found = model._default_manager.filter(slug__in=names).order_by("slug").values_list("slug", flat=True)
        messages += [
            CheckWarning(
                f'The {model._meta.model_name} "{slug}" cannot be read through the API: its slug is a part of a path.',
                hint=f'Change its slug in the admin, for example to "{slug}-2".',
                id="shop_catalog.W007",
            )
            for slug in found
        ]
    return messages


def _check_facets() -> Iterator[CheckMessage]:
    names = app_settings.FACETS
    is_list = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not is_list or not len(set(names)) == len(names) <= MAX_NAMES:
        yield Error(
            f'SHOP_CATALOG["FACETS"] is not a list of at most {MAX_NAMES} different names of attributes.',
            hint='SHOP_CATALOG["FACETS"] = ["colour", "size"]',
            id="shop_catalog.E008",
        )


def _check_currency() -> Iterator[CheckMessage]:
    values = getattr(settings, "SHOP_CATALOG", {})
    currency = values.get("CURRENCY")
    if currency is None:
        yield Error(
            'SHOP_CATALOG["CURRENCY"] is not set.',
            hint='SHOP_CATALOG = {"CURRENCY": "KES"}',
            id="shop_catalog.E001",
        )
    elif not re.fullmatch("[A-Z]{3}", str(currency)):
        yield Error(
            f'SHOP_CATALOG["CURRENCY"] is {currency!r}, which is not an ISO 4217 code.',
            hint='SHOP_CATALOG = {"CURRENCY": "KES"}',
            id="shop_catalog.E002",
        )


def _check_unknown() -> Iterator[CheckMessage]:
    for name in app_settings.unknown():
        yield CheckWarning(
            f'SHOP_CATALOG["{name}"] is not a setting of the catalogue.',
            hint="Remove it or correct its spelling.",
            id="shop_catalog.W001",
        )


def _check_throttles() -> Iterator[CheckMessage]:
    if not limits.are_rates(app_settings.THROTTLES, reviews.THROTTLED):
        yield Error(
            'SHOP_CATALOG["THROTTLES"] is not a dict of rates such as 20/h (s, m, h or d) for reviews.',
            hint='SHOP_CATALOG["THROTTLES"] = {"reviews": "20/h"}',
            id="shop_catalog.E007",
        )


def _check_callables() -> Iterator[CheckMessage]:
    for name in ("API_AUTH", "STAFF_API_AUTH", "IMAGE_FETCHER", "VERIFIED_PURCHASE"):
        value = getattr(app_settings, name)
        for path in [value] if isinstance(value, str) else value:
            problem = _import_problem(path)
            if path and problem:
                yield Error(
                    f'SHOP_CATALOG["{name}"]: {problem}',
                    hint=f'SHOP_CATALOG["{name}"] = "mysite.module.callable"',
                    id="shop_catalog.E003",
                )


def _check_widths() -> Iterator[CheckMessage]:
    widths = app_settings.RENDITION_WIDTHS
    is_right = isinstance(widths, dict) and {"thumb", "card", "large"} <= widths.keys() and len(widths) <= 10
    if not (is_right and all(type(width) is int and 16 <= width <= 4000 for width in widths.values())):
        yield Error(
            'SHOP_CATALOG["RENDITION_WIDTHS"] is not a dict of at most 10 widths from 16 to 4000 pixels, among them '
            "thumb, card and large.",
            hint='SHOP_CATALOG["RENDITION_WIDTHS"] = {"thumb": 240, "card": 480, "large": 1200}',
            id="shop_catalog.E009",
        )


def _check_search() -> Iterator[CheckMessage]:
    setting = app_settings.SEARCH
    if not setting:
        return
    hint = 'SHOP_CATALOG["SEARCH"] = {"BACKEND": "mysite.search.MySearch", "OPTIONS": {}}'
    path = setting.get("BACKEND", "")
    problem = _import_problem(path) if path else "BACKEND is missing."
    if problem:
        yield Error(f'SHOP_CATALOG["SEARCH"]: {problem}', hint=hint, id="shop_catalog.E004")
    elif not (isinstance(import_string(path), type) and issubclass(import_string(path), SearchBackend)):
        yield Error(
            f'SHOP_CATALOG["SEARCH"]: {path} is not a subclass of SearchBackend.', hint=hint, id="shop_catalog.E004"
        )


def _check_apps() -> Iterator[CheckMessage]:
    for app in ("mptt", "ninja"):
        if app not in settings.INSTALLED_APPS:
            yield CheckWarning(
                f'"{app}" is not in INSTALLED_APPS; its admin files or API pages are missing.',
                hint=f'INSTALLED_APPS = [..., "{app}"]',
                id="shop_catalog.W003",
            )


def _check_django() -> Iterator[CheckMessage]:
    if is_newer_than_tested():
        yield CheckWarning(
            "This Django is newer than the newest that django-shop-catalogue was tested with; its reads are slower.",
            hint="Upgrade django-shop-core to a version that was tested with this Django.",
            id="shop_catalog.W004",
        )


def _check_database_routers() -> Iterator[CheckMessage]:
    """The models of this app, and those of its foreign keys, are written to and read from one database."""
    home, written, read = app_routing("shop_catalog")
    for label, alias in written.items():
        yield Error(
            f'The database routers write {label} to the database "{alias}" and the products to "{home}". '
            "They belong together: neither a transaction nor a foreign key spans two databases.",
            hint=f'Let db_for_write of DATABASE_ROUTERS return "{home}" for {label} too, or "{alias}" for all of '
            "shop_catalog.",
            id="shop_catalog.E005",
        )
    if read:
        label, alias = next(iter(read.items()))
        yield Error(
            f'The database routers read {label} from the database "{alias}" and write it to "{home}": '
            "a replica lags behind, so stock would be checked against old data.",
            hint=f'Let db_for_read of DATABASE_ROUTERS return "{home}" for all of shop_catalog.',
            id="shop_catalog.E006",
        )


def _import_problem(path: str) -> str:
    try:
        import_string(path)
    except ImportError as error:
        return str(error)
    return ""
