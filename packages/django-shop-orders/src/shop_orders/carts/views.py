"""Carts with current prices and stock, and with the changes since the products were added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from shop_orders.carts import queries, refusals
from shop_orders.conf import app_settings
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.pricing import Contact, Draft, DraftLine, Taxed, price
from shop_orders.product_sources import SourceProduct, product_source


@dataclass(frozen=True, kw_only=True)
class LineView:
    """A line of a cart as it is now. ``changes`` has ``gone``, ``price_changed`` or ``short``."""

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
    """The product as its source sells it now; None when it is gone."""
    taxed: Taxed | None
    """Its discount, net amount and tax; None when it is gone, or when pricing failed."""

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
        return is_orderable and not any({"gone", "short"} & set(line.changes) for line in self.lines)

    @property
    def problems(self) -> tuple[ShopOrdersError, ...]:
        """Why it cannot be ordered, apart from the ``changes`` of its lines."""
        return self.refusals if self.pricing_error is None else (self.pricing_error, *self.refusals)

    @property
    def item_count(self) -> int:
        """The number of units, of all lines together."""
        return sum(line.quantity for line in self.lines)

    def with_shortages(self, shortages: Mapping[str, int]) -> CartView:
        """The view after stock was sold meanwhile: ``{product_ref: available units}``."""
        return replace(
            self,
            lines=tuple(
                replace(line, available=shortages[line.product], changes=tuple({*line.changes, "short"}))
                if line.product in shortages
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
    products = product_source().fetch([item.product_ref for item in items], customer=customer) if items else {}
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
    products: Mapping[str, SourceProduct],
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
    lines = tuple(
        _line_view(item, products[item.product_ref], next(taxed, None))
        if item.product_ref in products
        else _gone_view(item)
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
    return [_draft_line(products[item.product_ref], item) for item in items if item.product_ref in products]


def _draft_line(product: SourceProduct, item: CartItem) -> DraftLine:
    return DraftLine(
        product_ref=product.ref,
        sku=product.sku,
        name=product.name,
        quantity=item.quantity,
        unit_price=product.unit_price,
        tax_class=product.tax_class,
        price_includes_tax=product.price_includes_tax,
        weight=product.weight,
    )


def _gone_view(item: CartItem) -> LineView:
    return LineView(
        product=item.product_ref,
        sku="",
        name=item.name,
        quantity=item.quantity,
        unit_price=None,
        price_when_added=item.price_when_added,
        line_total=None,
        available=0,
        changes=("gone",),
        source_product=None,
        taxed=None,
    )


def _line_view(item: CartItem, product: SourceProduct, taxed: Taxed | None) -> LineView:
    changes = []
    if product.unit_price != item.price_when_added:
        changes.append("price_changed")
    if product.available is not None and product.available < item.quantity:
        changes.append("short")
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
    )
