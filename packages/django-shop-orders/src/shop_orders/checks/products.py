"""Checks of PRODUCT_SOURCE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import DatabaseError, models, router

from shop_orders.conf import app_settings
from shop_orders.models import Order
from shop_orders.product_sources import ModelProductSource, SourceChooser, product_source

DETAILS = ("line_options", "max_quantity", "groups", "needs_delivery")
SOURCE_METHODS = ("fetch", "reserve", "release", "ship", "restock")


def check_source() -> Iterator[checks.CheckMessage]:
    """The source that PRODUCT_SOURCE names, and the model behind it."""
    if "PRODUCT_SOURCE" not in getattr(settings, app_settings.setting, {}):
        yield checks.Warning(
            "SHOP_ORDERS has no PRODUCT_SOURCE: there is nothing to sell.",
            hint="Run `python manage.py shop_orders_quickstart yourapp.YourModel` and paste what it prints.",
            id="shop_orders.W004",
        )
        return
    try:
        source: Any = product_source()
    except Exception as error:  # noqa: BLE001 - whatever its constructor raises is wrong configuration
        yield checks.Error(
            f'SHOP_ORDERS["PRODUCT_SOURCE"] cannot be constructed: {error}',
            hint="BACKEND is the dotted path of a class, OPTIONS its keywords.",
            id="shop_orders.E002",
        )
        return
    for joined in source.sources if isinstance(source, SourceChooser) else [source]:
        yield from _one_source(joined)


def _one_source(source: Any) -> Iterator[checks.CheckMessage]:
    missing = [name for name in SOURCE_METHODS if not callable(getattr(source, name, None))]
    if missing:
        yield checks.Error(
            f'SHOP_ORDERS["PRODUCT_SOURCE"] has no {", ".join(missing)}: it is not a product source.',
            hint=f"Give {type(source).__name__} these methods, as shop_orders.product_sources.ProductSource has them.",
            id="shop_orders.E016",
        )
    if isinstance(source, ModelProductSource):
        yield from _model_source(source)
    yield from _stock_database(source)


def _stock_database(source: Any) -> Iterator[checks.CheckMessage]:
    """Orders and stock change in one transaction, so they must be in one database."""
    try:
        stock_model = getattr(source, "stock_model", None)
    except FieldDoesNotExist:
        return
    home = router.db_for_write(Order)
    if stock_model is not None and (alias := router.db_for_write(stock_model)) != home:
        label = stock_model._meta.label
        yield checks.Error(
            f'The stock of {label} is in the database "{alias}" and the orders in "{home}": if an order is rolled '
            "back, its stock would remain reserved.",
            hint=f"Let DATABASE_ROUTERS return one alias for {label} and shop_orders. Or do not track stock: leave "
            '"stock" out of the OPTIONS of PRODUCT_SOURCE.',
            id="shop_orders.E023",
        )


def _model_source(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    names = {field.name for field in source.model._meta.get_fields()}
    names |= {field.attname for field in source.model._meta.concrete_fields}
    for option in ("ref", "stock"):
        name = getattr(source, option)
        if name and name not in names:
            yield _no_field(source, option, name)
    for option in (*("name", "price", "sku", "tax_class", "weight", "image"), *DETAILS):
        name = getattr(source, option)
        if not isinstance(name, str):
            continue
        if (name or option in ("name", "price")) and not hasattr(source.model, name.partition(".")[0] or " "):
            yield _no_field(source, option, name)
    yield from _model_filters(source)
    if source.price in names:
        yield from _model_price(source)
    if source.stock in names:
        yield from _model_stock(source)
    try:
        is_unique = getattr(source.model._meta.get_field(source.ref), "unique", False)
    except FieldDoesNotExist:
        return
    if not is_unique:
        yield checks.Error(
            f"{source.model._meta.label}.{source.ref} is the products' reference and is not unique.",
            hint=f'Make it unique, or name another one: "OPTIONS": {{"ref": "{source.model._meta.pk.name}"}}.',
            id="shop_orders.E004",
        )


def _model_filters(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    try:
        source.model._default_manager.filter(**source.filters)
    except (FieldError, ValidationError, ValueError, TypeError) as error:
        yield checks.Error(
            f"The filters of PRODUCT_SOURCE do not fit {source.model._meta.label}: {error}",
            hint='Write them as for a queryset: "OPTIONS": {"filters": {"is_active": True}}.',
            id="shop_orders.E017",
        )


def _model_price(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    """A default is a price that nobody entered. A callable default is not checked; NOT_PROVIDED, for no default, is
    callable too."""
    field: Any = source.model._meta.get_field(source.price)
    if field.default is not None and not callable(field.default):
        yield checks.Warning(
            f"{source.model._meta.label}.{source.price} has the default {field.default}: a product whose price nobody "
            "entered is sold for that.",
            hint="Remove the default and allow NULL (null=True, blank=True): without a price it is not on sale.",
            id="shop_orders.W011",
        )


def _model_stock(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    if not isinstance(source.model._meta.get_field(source.stock), models.IntegerField):
        yield checks.Error(
            f"{source.model._meta.label}.{source.stock} is the stock, but not a whole-number field.",
            hint='Name one that is: "OPTIONS": {"stock": "..."}, or leave it out where stock is not tracked.',
            id="shop_orders.E018",
        )
    elif apps.is_installed("django.contrib.admin"):
        yield from _editable_stock(source)


def _editable_stock(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    """A form that was opened before a sale overwrites the stock: it shows 10, 4 are sold, and saving it sets 10
    again."""
    from django.contrib.admin.sites import all_sites

    for site in all_sites:
        for model, model_admin in site._registry.items():  # noqa: SLF001 - the only list of what it shows
            shown: list[Any] = [model_admin] if issubclass(model, source.stock_model) else []
            shown += [inline for inline in model_admin.inlines if issubclass(inline.model, source.stock_model)]
            if any(_shows_editable(each, source.stock) for each in shown):
                yield checks.Warning(
                    f"{type(model_admin).__name__} lets staff edit {model._meta.label}.{source.stock}: a form that "
                    "was opened before a sale writes the old number back.",
                    hint=f'Paste into it: readonly_fields = ["{source.stock}"]. Change the stock by an action, or '
                    "keep it in a table of its own. docs/howto/orders-sell-your-own-model.md has both.",
                    id="shop_orders.W013",
                )


def _shows_editable(model_admin: Any, name: str) -> bool:
    if name in getattr(model_admin, "list_editable", ()):
        return True
    if name in model_admin.readonly_fields or name in (model_admin.exclude or ()):
        return False
    listed: Any = flatten_fieldsets(model_admin.fieldsets) if model_admin.fieldsets else model_admin.fields
    return listed is None or name in flatten(listed)


def check_row_with_database(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - the signature of checks
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[checks.CheckMessage]:
    """Read one row of the model as a product: options may name a property that raises an error."""
    try:
        source: Any = product_source()
        if not isinstance(source, ModelProductSource) or router.db_for_read(source.model) not in (databases or ()):
            return []
        row = source.model._default_manager.order_by("pk").first()
        ref = "" if row is None else str(getattr(row, source.ref))
    except Exception:  # noqa: BLE001 - the other checks say what is wrong with the setting, or migrations are missing
        return []
    try:
        source.fetch([ref])
    except DatabaseError:
        return []  # a table is missing: `migrate` runs the checks before it makes the table
    except Exception as error:  # noqa: BLE001 - a property of the site's model may raise anything
        return [
            checks.Error(
                f"{source.model._meta.label} with {source.ref} {ref!r} cannot be read: {type(error).__name__}: "
                f"{error}",
                hint="Correct the OPTIONS of PRODUCT_SOURCE, or the property or method that they name.",
                id="shop_orders.E026",
            )
        ]
    return []


def _no_field(source: ModelProductSource, option: str, name: str) -> checks.CheckMessage:
    fields = ", ".join(field.name for field in source.model._meta.fields)
    return checks.Error(
        f'PRODUCT_SOURCE has "{option}": "{name}", but {source.model._meta.label} has no {name}.',
        hint=f'Name one of: {fields}. For example "OPTIONS": {{"{option}": "..."}}.',
        id="shop_orders.E003",
    )
