"""A source over any model of the site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connections, models, router
from django.db.models import Case, F, Q, Value, When
from shop_core.db.rows import chunks
from shop_core.money import MAX_AMOUNT, quantise

from shop_orders.conf import app_settings

ROWS_AT_A_TIME = 200
"""SQLite refuses conditions with more than a thousand parts."""


@dataclass(frozen=True, slots=True)
class ModelProduct:
    ref: str
    sku: str
    name: str
    unit_price: Decimal
    currency: str
    tax_class: str
    price_includes_tax: bool
    available: int | None
    weight: Decimal | None
    url: str
    image: str
    line_options: tuple[str, ...] = ()
    max_quantity: int | None = None
    groups: tuple[str, ...] = ()
    needs_delivery: bool = True


class _Row(NamedTuple):
    """A locked row. ``stock`` is None if stock is not tracked."""

    key: Any
    stock: int | None

    @property
    def is_tracked(self) -> bool:
        return self.stock is not None

    def is_short_of(self, quantity: int) -> bool:
        return self.stock is not None and self.stock < quantity


class ModelProductSource:
    """Sells the rows of a model. The options name its fields.

    ``ref``, ``name`` and ``price`` are required. ``stock`` is a whole-number field, lowered when an order is placed,
    raised when it is cancelled; without it, or if it is NULL, stock is not tracked. ``ref`` and ``stock`` are
    columns, the others may be properties or methods as well. A row without a price is not on sale, and ``filters``
    restrict the rows: ``{"is_active": True}``. ``line_options``, ``max_quantity``, ``groups`` and ``needs_delivery``
    name what ``DetailedProduct`` has; the texts of the first and the third are a list, or one text with commas.
    ``line_options`` may also be a list of the names of options that all products take.
    """

    def __init__(
        self,
        *,
        model: str,
        ref: str,
        name: str,
        price: str,
        stock: str = "",
        sku: str = "",
        tax_class: str = "",
        weight: str = "",
        url: str = "get_absolute_url",
        image: str = "",
        line_options: str | Sequence[str] = "",
        max_quantity: str = "",
        groups: str = "",
        needs_delivery: str = "",
        price_includes_tax: bool = False,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        self.model: type[models.Model] = apps.get_model(model)
        self.ref = _column_of_key(self.model, ref)
        self.name = name
        self.price = price
        self.stock = stock
        self.sku = sku or self.ref
        self.tax_class = tax_class
        self.weight = weight
        self.url = url
        self.image = image
        self.line_options = line_options
        self.max_quantity = max_quantity
        self.groups = groups
        self.needs_delivery = needs_delivery
        self.price_includes_tax = price_includes_tax
        self.filters = dict(filters or {})

    def fetch(self, refs: Iterable[str], *, customer: object | None = None) -> Mapping[str, ModelProduct]:  # noqa: ARG002
        rows = self._rows(refs).filter(**self.filters)
        if relations := self._relations():
            rows = rows.select_related(*relations)
        return {product.ref: product for row in rows if (product := self._product(row)) is not None}

    def _relations(self) -> list[str]:
        """The foreign keys that options follow: ``page__picture`` of ``page.picture.file``."""
        options = [self.name, self.price, self.sku, self.tax_class, self.weight, self.url, self.image]
        options += [self.max_quantity, self.groups, self.needs_delivery]
        if isinstance(self.line_options, str):
            options.append(self.line_options)
        return sorted({relation for option in options if (relation := _relation(self.model, option))})

    def reserve(self, quantities: Mapping[str, int], *, reference: str) -> Mapping[str, int]:  # noqa: ARG002
        locked = self._lock(quantities)
        short = {
            ref: max(locked[ref].stock or 0, 0) if ref in locked else 0
            for ref, quantity in quantities.items()
            if ref not in locked or locked[ref].is_short_of(quantity)
        }
        if not short:
            self._add({locked[ref].key: -quantity for ref, quantity in quantities.items() if locked[ref].is_tracked})
        return short

    def release(self, quantities: Mapping[str, int], *, reference: str) -> None:  # noqa: ARG002
        self._give_back(quantities)

    def ship(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Does nothing, because the stock was lowered when the order was placed."""

    def restock(self, quantities: Mapping[str, int], *, reference: str) -> None:  # noqa: ARG002
        self._give_back(quantities)

    def _give_back(self, quantities: Mapping[str, int]) -> None:
        locked = self._lock(quantities)
        found = {ref: quantity for ref, quantity in quantities.items() if ref in locked and locked[ref].is_tracked}
        self._add({locked[ref].key: quantity for ref, quantity in found.items()})

    def _rows(self, refs: Iterable[str]) -> models.QuerySet[Any]:
        field = self.model._meta.get_field(self.ref)
        keys = [key for key in (_key(field, ref) for ref in refs) if key is not None]
        return self.model._default_manager.filter(**{f"{self.ref}__in": keys})

    def _lock(self, quantities: Mapping[str, int]) -> dict[str, _Row]:
        """Lock the rows and return the stock by ref. Locking in the order of their keys avoids deadlocks."""
        if not self.stock:
            return {str(ref): _Row(None, None) for ref in self._rows(quantities).values_list(self.ref, flat=True)}
        using = router.db_for_write(self.model)
        rows = self._rows(quantities).using(using).order_by("pk")
        if connections[using].features.has_select_for_update:
            rows = rows.select_for_update()
        key = self.stock_model._meta.pk.name
        return {str(ref): _Row(key, stock) for ref, key, stock in rows.values_list(self.ref, key, self.stock)}

    def _add(self, changes: Mapping[Any, int]) -> None:
        """One UPDATE for many rows; a row that would fall below zero is not changed and makes the whole call fail."""
        for part in chunks(list(changes.items()), ROWS_AT_A_TIME):
            self._update(dict(part))

    def _update(self, changes: Mapping[Any, int]) -> None:
        allowed = Q()
        for key, change in changes.items():
            allowed |= Q(pk=key) & (Q(**{f"{self.stock}__gte": -change}) if change < 0 else Q())
        step = Case(
            *(When(pk=key, then=Value(change)) for key, change in changes.items()), output_field=models.IntegerField()
        )
        rows = self.stock_model._base_manager.using(router.db_for_write(self.model)).filter(allowed)
        if rows.update(**{self.stock: F(self.stock) + step}) != len(changes):
            raise RuntimeError("The stock changed although its rows were locked.")

    @property
    def stock_model(self) -> Any:
        """The model whose own table has the stock column, None where stock is not tracked. With multi-table
        inheritance, an UPDATE changes only one table."""
        return self.model._meta.get_field(self.stock).model if self.stock else None

    def _product(self, row: Any) -> ModelProduct | None:
        """The row as a product, None while it has no price."""
        currency = app_settings.CURRENCY
        price = _price(_value(row, self.price), currency)
        if price is None:
            return None
        weight = _value(row, self.weight)
        return ModelProduct(
            ref=str(getattr(row, self.ref)),
            sku=str(_value(row, self.sku) or ""),
            name=str(_value(row, self.name)),
            unit_price=quantise(price, currency),
            currency=currency,
            tax_class=str(_value(row, self.tax_class) or ""),
            price_includes_tax=self.price_includes_tax,
            available=_available(getattr(row, self.stock)) if self.stock else None,
            weight=None if weight is None else Decimal(str(weight)),
            url=str(_value(row, self.url) or ""),
            image=_image_url(_value(row, self.image)),
            **self._details(row),
        )

    def _details(self, row: Any) -> dict[str, Any]:
        """What the options name beyond ``SourceProduct``."""
        found: dict[str, Any] = {}
        if self.line_options:
            is_named = isinstance(self.line_options, str)
            found["line_options"] = _names(_value(row, str(self.line_options)) if is_named else self.line_options)
        if self.max_quantity and (most := _value(row, self.max_quantity)) is not None:
            found["max_quantity"] = int(most)
        if self.groups:
            found["groups"] = _names(_value(row, self.groups))
        if self.needs_delivery:
            found["needs_delivery"] = bool(_value(row, self.needs_delivery))
        return found


def _column_of_key(model: type[models.Model], ref: str) -> str:
    """``page_id`` for ``page``: the key itself, not the row that it leads to. Other names are returned unchanged."""
    return next((str(field.attname) for field in model._meta.concrete_fields if field.name == ref), ref)


def _relation(model: Any, option: str) -> str:
    """The foreign keys at the beginning of an option, as for ``select_related``; "" if there is none."""
    names: list[str] = []
    for name in option.split("."):
        field = next((field for field in model._meta.concrete_fields if field.name == name), None)
        if field is None or not field.is_relation:
            break
        names.append(name)
        model = field.related_model
    return "__".join(names)


def _key(field: Any, ref: str) -> Any:
    """The ref converted to the type of the column; None if no row can have it."""
    while field.is_relation:
        field = field.target_field
    try:
        key = field.to_python(ref)
        if isinstance(field, models.IntegerField):
            field.run_validators(key)
    except ValidationError:
        return None
    return key if str(key) == ref and "\x00" not in ref else None


def _price(value: Any, currency: str) -> Decimal | None:
    """The value as a price; None for no value, and for one that is negative, too large or not finite.

    It may have a currency, as the ``Money`` of django-money: an amount in another one is not a price of this shop.
    """
    if value is None or str(getattr(value, "currency", currency)) != currency:
        return None
    value = getattr(value, "amount", value)
    price = Decimal(str(value))
    return price if price.is_finite() and 0 <= price <= MAX_AMOUNT else None


def _available(stock: int | None) -> int | None:
    return None if stock is None else max(stock, 0)


def _value(row: Any, name: str) -> Any:
    """The value of a column, property or method; ``picture.file`` is that of a row that a foreign key leads to."""
    for part in name.split(".") if name else [""]:
        value = getattr(row, part, None) if part else None
        row = value() if callable(value) else value
    return row


def _names(value: Any) -> tuple[str, ...]:
    """Texts, of a list or of a text with commas."""
    texts = value.split(",") if isinstance(value, str) else value or ()
    return tuple(text for text in (str(part).strip() for part in texts) if text)


def _image_url(value: Any) -> str:
    """The URL of a file, of a row with a ``file``, or a text."""
    if isinstance(value, models.Model) and not hasattr(value, "url"):
        value = getattr(value, "file", None)
    return str(getattr(value, "url", value)) if value else ""
