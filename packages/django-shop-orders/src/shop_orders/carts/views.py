"""Carts with current prices and stock, and with the changes since the products were added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from shop_orders.carts import choices, queries, refusals
from shop_orders.conf import app_settings
from shop_orders.exceptions import InvalidOptions, InvalidQuantity, ProductUnreadable, ShopOrdersError
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.models import options as line_options
from shop_orders.models.lines import line_keys
from shop_orders.pricing import Contact, Draft, DraftLine, Taxed, price
from shop_orders.product_sources import SourceProduct
from shop_orders.product_sources.facts import groups_of, most_of, named_once, needs_delivery, options_of, stock_of
from shop_orders.product_sources.reading import Products, read

REFUSED = frozenset({"gone", "unreadable", "short", "too_many", "options_refused"})
"""The changes with which a cart cannot be ordered."""


@dataclass(frozen=True, kw_only=True)
class LineView:
    """A line of a cart as it is now. ``changes`` has ``gone``, ``unreadable``, ``price_changed``, ``short``,
    ``too_many`` or ``options_refused``."""

    product: str
    sku: str
    name: str
    quantity: int
    unit_price: Decimal | None
    price_when_added: Decimal
    line_total: Decimal | None
    available: int | None
    changes: tuple[str, ...]
    source_product: SourceProduct | None
    """The product as its source sells it now; None if it is gone or unreadable."""
    taxed: Taxed | None
    """Its discount, net amount and tax; None if the product is gone or unreadable, or if pricing failed."""
    line: str = ""
    """Its public id, for ``set_line_quantity`` and ``remove_line``."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The texts that the buyer typed, by their names."""
    problem: ShopOrdersError | None = None
    """Why it is ``unreadable``, has ``too_many`` units or ``options_refused``."""

    @property
    def options_text(self) -> str:
        """Its options on one line; "" if it has none."""
        return line_options.as_text(self.options)

    @property
    def stock_ref(self) -> str:
        """Identifies its stock: lines with the same one share it."""
        return stock_of(self.source_product) if self.source_product else self.product

    @property
    def url(self) -> str:
        """The URL of the product's page; "" if it has none or is gone."""
        return self.source_product.url if self.source_product else ""

    @property
    def image(self) -> str:
        """The URL of the product's image; "" if it has none or is gone."""
        return self.source_product.image if self.source_product else ""


@dataclass(frozen=True, kw_only=True)
class CartView:
    """A cart with current prices, and a draft of its order. ``cart`` is None if nothing was added yet.

    With a ``pricing_error`` the draft has no charges, so that its total is that of the products.
    """

    cart: Cart | None
    lines: tuple[LineView, ...]
    draft: Draft
    pricing_error: ShopOrdersError | None = None
    refusals: tuple[ShopOrdersError, ...] = ()
    """Why validators refuse it. Those that read what is entered at checkout have not been asked."""

    @property
    def can_be_ordered(self) -> bool:
        """Whether it has lines, all of them in stock, could be priced, and no validator that was asked refuses it."""
        is_orderable = bool(self.lines) and not self.problems
        return is_orderable and not any(REFUSED.intersection(line.changes) for line in self.lines)

    @property
    def needs_delivery(self) -> bool:
        """Whether an order of it needs a delivery address."""
        return self.draft.needs_delivery

    @property
    def problems(self) -> tuple[ShopOrdersError, ...]:
        """Why it cannot be ordered, apart from the ``changes`` of its lines."""
        return self.refusals if self.pricing_error is None else (self.pricing_error, *self.refusals)

    @property
    def item_count(self) -> int:
        """The number of units, of all lines together."""
        return sum(line.quantity for line in self.lines)

    def shortages(self) -> dict[str, int]:
        """``{product_ref: available units}`` of what is short. A stock that several products share is named once."""
        short = [line for line in self.lines if "short" in line.changes]
        return self.named_once({line.product: line.available or 0 for line in short})

    def named_once(self, shortages: Mapping[str, int]) -> dict[str, int]:
        """Shortages with only one product of each stock."""
        return named_once(shortages, {line.product: line.source_product for line in self.lines if line.source_product})

    def with_shortages(self, shortages: Mapping[str, int]) -> CartView:
        """The view after stock was sold meanwhile: ``{product_ref: available units}``."""
        if not shortages:
            return self
        left = {line.stock_ref: shortages[line.product] for line in self.lines if line.product in shortages}
        return replace(
            self,
            lines=tuple(
                replace(line, available=left[line.stock_ref], changes=tuple({*line.changes, "short"}))
                if line.stock_ref in left
                else line
                for line in self.lines
            ),
        )


def view(
    cart: Cart | None,
    *,
    customer: Customer | None = None,
    shipping_address: Mapping[str, Any] | None = None,
    delivery: str = "",
    payment_provider: str = "",
    contact: Contact | None = None,
    items: Sequence[CartItem] | None = None,
    is_complete: bool = False,
) -> CartView:
    """The cart with current prices and stock, and with the changes since the products were added.

    ``items`` are its items if they were read before. With ``is_complete``, the buyer has entered everything; its
    validators are then asked by the caller.
    """
    if items is None:
        items = queries.items_of(cart) if cart is not None else []
    products = read([item.product_ref for item in items], customer=customer) if items else Products()
    draft = Draft(
        lines=draft_lines(items, products),
        currency=app_settings.CURRENCY,
        customer=customer,
        contact=contact,
        shipping_address=shipping_address or {},
        delivery=delivery,
        payment_provider=payment_provider,
    )
    return show(cart, items, products, draft, is_complete=is_complete)


def show(
    cart: Cart | None,
    items: Sequence[CartItem],
    products: Products,
    draft: Draft,
    *,
    is_complete: bool = False,
) -> CartView:
    """``view`` for items and products that were read before. ``draft`` has the ``draft_lines``, and no charges yet."""
    pricing_error = None
    if draft.lines:
        try:
            draft = price(draft)
        except ShopOrdersError as error:
            pricing_error = error
    taxed = iter(draft.taxed_lines)
    units = _units(items, products)
    lines = tuple(
        _line_view(item, products[item.product_ref], next(taxed, None), units)
        if item.product_ref in products
        else _missing_view(item, is_gone=item.product_ref not in products.unreadable)
        for item in items
    )
    is_asked = bool(draft.lines) and pricing_error is None and not is_complete
    return CartView(
        cart=cart,
        lines=lines,
        draft=draft,
        pricing_error=pricing_error,
        refusals=refusals.of_cart(draft) if is_asked else (),
    )


def draft_lines(items: Sequence[CartItem], products: Mapping[str, SourceProduct]) -> list[DraftLine]:
    """The lines of the order's draft: the items that are on sale."""
    sold = [item for item in items if item.product_ref in products]
    keys = line_keys([item.product_ref for item in sold])
    return [
        _draft_line(products[item.product_ref], item, "" if key == item.product_ref else key)
        for item, key in zip(sold, keys, strict=True)
    ]


def _draft_line(product: SourceProduct, item: CartItem, number: str) -> DraftLine:
    return DraftLine(
        number=number,
        product_ref=product.ref,
        sku=product.sku,
        name=product.name,
        quantity=item.quantity,
        unit_price=product.unit_price,
        tax_class=product.tax_class,
        price_includes_tax=product.price_includes_tax,
        weight=product.weight,
        options=item.options,
        groups=groups_of(product),
        needs_delivery=needs_delivery(product),
    )


class _Units(NamedTuple):
    """The stock of each product, and the units of each product and of all products that share a stock."""

    stocks: Mapping[str, str]
    of_product: Mapping[str, int]
    of_stock: Mapping[str, int]
    most: int


def _units(items: Sequence[CartItem], products: Mapping[str, SourceProduct]) -> _Units:
    stocks = {ref: stock_of(product) for ref, product in products.items()}
    of_product: dict[str, int] = {}
    of_stock: dict[str, int] = {}
    for item in items:
        ref = item.product_ref
        if ref in products:
            of_product[ref] = of_product.get(ref, 0) + item.quantity
            of_stock[stocks[ref]] = of_stock.get(stocks[ref], 0) + item.quantity
    return _Units(stocks, of_product, of_stock, app_settings.MAX_QUANTITY)


def _missing_view(item: CartItem, *, is_gone: bool) -> LineView:
    """A line whose product is gone, or could not be read by the source."""
    return LineView(
        product=item.product_ref,
        sku="",
        name=item.name,
        quantity=item.quantity,
        unit_price=None,
        price_when_added=item.price_when_added,
        line_total=None,
        available=0,
        changes=("gone" if is_gone else "unreadable",),
        source_product=None,
        taxed=None,
        line=item.line,
        options=item.options,
        problem=None if is_gone else ProductUnreadable(item.product_ref, name=item.name),
    )


def _line_view(item: CartItem, product: SourceProduct, taxed: Taxed | None, units: _Units) -> LineView:
    changes = []
    if product.unit_price != item.price_when_added:
        changes.append("price_changed")
    if product.available is not None and product.available < units.of_stock[units.stocks[item.product_ref]]:
        changes.append("short")
    problem: ShopOrdersError | None = None
    most = most_of(product, units.most)
    if units.of_product[product.ref] > most:
        changes.append("too_many")
        message = _("At most %(quantity)s of “%(product)s” can be ordered. Lower the quantity.")
        values = {"quantity": most, "product": product.name}
        problem = InvalidQuantity(message % values, extra={"product": product.ref, "max_quantity": most})
    if item.options or options_of(product):
        try:
            choices.check(product, item.options)
        except InvalidOptions as error:
            changes.append("options_refused")
            problem = error
        except ProductUnreadable as error:
            changes.append("unreadable")
            problem = error
    return LineView(
        product=product.ref,
        sku=product.sku,
        name=product.name,
        quantity=item.quantity,
        unit_price=product.unit_price,
        price_when_added=item.price_when_added,
        line_total=product.unit_price * item.quantity,
        available=product.available,
        changes=tuple(changes),
        source_product=product,
        taxed=taxed,
        line=item.line,
        options=item.options,
        problem=problem,
    )
