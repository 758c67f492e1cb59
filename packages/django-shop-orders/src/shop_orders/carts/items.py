"""Adds, changes and removes the items of a cart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders.carts import choices, queries, views
from shop_orders.carts.finding import find, lock, new_cart
from shop_orders.carts.queries import Contents
from shop_orders.carts.views import CartView
from shop_orders.conf import app_settings
from shop_orders.exceptions import (
    AmbiguousLine,
    CartClosed,
    InsufficientStock,
    InvalidQuantity,
    ProductUnreadable,
    TooManyLines,
    UnknownLine,
    UnknownProduct,
)
from shop_orders.models import Cart, CartItem, Customer, texts
from shop_orders.models import options as line_options
from shop_orders.pricing import Draft
from shop_orders.product_sources import SourceProduct
from shop_orders.product_sources.facts import most_of, options_of, stock_of
from shop_orders.product_sources.reading import read, read_one
from shop_orders.transactions import in_transaction


class _Chosen(NamedTuple):
    """A product with the options that the buyer has chosen for it, cleaned."""

    product: SourceProduct
    options: dict[str, str]


def add_item(cart: Cart, ref: str, quantity: int = 1, *, options: Mapping[str, str] | None = None) -> CartItem:
    """Add units of a product to the line that has it with the same options, or add a line. No unit is lost when calls
    run in parallel.

    Raises:
        UnknownProduct: the product is not on sale.
        ProductUnreadable: the product source failed to read the product. The error was logged.
        InvalidOptions: the product does not take these options, or they are not possible.
        InvalidQuantity: the quantity is not above zero, or the cart would have more units of the product than
            MAX_QUANTITY or than its source allows.
        InsufficientStock: the cart would have more units than are available.
        TooManyLines: the cart has MAX_LINES other lines.
        CartClosed: the cart was ordered meanwhile.
    """
    return _add(cart, _chosen(_product(cart.customer, ref), options), quantity, known=())


def add_to_cart(
    ref: str,
    quantity: int = 1,
    *,
    customer: Customer | None = None,
    token: str = "",
    options: Mapping[str, str] | None = None,
) -> tuple[Cart, str]:
    """Add to the caller's cart, and open one if there is none. Returns the cart and, for a guest's new cart,
    its token, otherwise "". No cart is opened if the product cannot be added.

    Raises:
        CartNotFound: as in ``find``.
        UnknownProduct, ProductUnreadable, InvalidOptions, InvalidQuantity, InsufficientStock, TooManyLines: as in
            ``add_item``.
    """
    found = Contents(customer=customer, cart=find(customer=customer, token=token))
    cart, new_token = (found.cart, "") if found.cart is not None else new_cart(customer)
    _add(cart, _chosen(_product(customer, ref), options), quantity, known=())
    return cart, new_token


def add_and_view(
    known: Contents, ref: str, quantity: int = 1, *, options: Mapping[str, str] | None = None
) -> tuple[CartView, str]:
    """``add_to_cart`` for callers that show the cart afterwards: the products are fetched once."""
    _check_ref(ref)
    products = read([ref, *(item.product_ref for item in known.items)], customer=known.customer)
    if ref in products.unreadable:
        raise ProductUnreadable(ref)
    product = products.get(ref)
    if product is None:
        raise UnknownProduct(ref)
    chosen = _chosen(product, options)
    cart, new_token = (known.cart, "") if known.cart is not None else new_cart(known.customer)
    shared = stock_of(product)
    same_stock = [
        row for row in known.items if row.product_ref in products and stock_of(products[row.product_ref]) == shared
    ]
    added = _add(cart, chosen, quantity, known=same_stock)
    items = {(row.product_ref, row.options_digest): row for row in known.items}
    items[added.product_ref, added.options_digest] = added
    shown = list(items.values())
    lines = views.draft_lines(shown, products)
    draft = Draft(lines=lines, currency=app_settings.CURRENCY, customer=known.customer)
    return views.show(cart, shown, products, draft), new_token


@in_transaction(Cart)
def set_quantity(cart: Cart, ref: str, quantity: int) -> CartItem | None:
    """Set the units of a product of which the cart has one line; 0 removes it.

    Raises:
        UnknownProduct: the product is not in the cart, or not on sale any more.
        AmbiguousLine: several lines have the product. Call ``set_line_quantity``.
        ProductUnreadable, InvalidQuantity, InsufficientStock, CartClosed: as in ``add_item``.
    """
    _check_ref(ref)
    _refuse_negative(quantity)
    items = list(lock(cart).items.filter(product_ref=ref))
    if not items:
        raise UnknownProduct(ref)
    return _set(cart, _only(items, ref), quantity, others=())


@in_transaction(Cart)
def set_line_quantity(cart: Cart, line: str, quantity: int) -> CartItem | None:
    """Set the units of a line, by its public id; 0 removes it.

    Raises:
        UnknownLine: the cart has no such line.
        UnknownProduct: its product is not on sale any more.
        ProductUnreadable, InvalidQuantity, InsufficientStock, CartClosed: as in ``add_item``.
    """
    _refuse_negative(quantity)
    items = list(lock(cart).items.all())
    item = next((row for row in items if row.line == line), None)
    if item is None:
        raise UnknownLine(line)
    others = [row for row in items if row.product_ref == item.product_ref and row.pk != item.pk]
    return _set(cart, item, quantity, others=others)


@in_transaction(Cart)
def remove_item(cart: Cart, ref: str) -> None:
    """Remove a product from the cart, if the product is in it.

    Raises:
        AmbiguousLine: several lines have the product. Call ``remove_line``.
    """
    if not texts.is_storable(CartItem, "product_ref", ref):
        return
    items = list(lock(cart).items.filter(product_ref=ref))
    if items:
        _only(items, ref).delete()


@in_transaction(Cart)
def remove_line(cart: Cart, line: str) -> None:
    """Remove a line from the cart, by its public id, if the cart has it."""
    for item in lock(cart).items.all():
        if item.line == line:
            item.delete()


@in_transaction(Cart)
def clear(cart: Cart) -> None:
    """Remove all products from the cart."""
    lock(cart).items.all().delete()


def prune(*, batch: int = 1000, progress: Callable[[int], None] | None = None) -> int:
    """Delete open carts that were not changed for CART_MAX_AGE. Returns the number deleted.

    ``progress`` is called after each batch with the number deleted so far.
    """
    before = timezone.now() - app_settings.CART_MAX_AGE
    deleted = 0
    while keys := list(Cart.objects.stale(before).values_list("pk", flat=True)[:batch]):
        deleted += Cart.objects.stale(before).filter(pk__in=keys).delete()[1].get("shop_orders.Cart", 0)
        if progress is not None:
            progress(deleted)
    return deleted


def _check_ref(ref: str) -> None:
    if not texts.is_storable(CartItem, "product_ref", ref):
        raise UnknownProduct(ref)


def _product(customer: Customer | None, ref: str) -> SourceProduct:
    _check_ref(ref)
    product = read_one(ref, customer=customer)
    if product is None:
        raise UnknownProduct(ref)
    return product


def _chosen(product: SourceProduct, options: Mapping[str, str] | None) -> _Chosen:
    cleaned = line_options.clean(options, product.ref)
    choices.check(product, cleaned)
    return _Chosen(product, cleaned)


def _only(items: Sequence[CartItem], ref: str) -> CartItem:
    if len(items) > 1:
        lines = [{"line": row.line, "quantity": row.quantity, "options": row.options} for row in items]
        raise AmbiguousLine(ref, lines)
    return items[0]


def _set(cart: Cart, item: CartItem, quantity: int, *, others: Sequence[CartItem]) -> CartItem | None:
    """Set the units of a line of a locked cart. ``others`` are the other lines of its product."""
    if quantity == 0:
        item.delete()
        return None
    product = _product(cart.customer, item.product_ref)
    most = most_of(product, app_settings.MAX_QUANTITY)
    _check_quantity(product, quantity + sum(row.quantity for row in others), most=most)
    item.quantity, item.name, item.price_when_added = quantity, product.name[:500], product.unit_price
    item.save()
    return item


def _add(cart: Cart, chosen: _Chosen, quantity: int, *, known: Sequence[CartItem]) -> CartItem:
    """Add to the stored quantity. ``known`` are the lines that share its stock, as they were read earlier; they serve
    only to refuse early."""
    product = chosen.product
    if quantity < 1:
        raise InvalidQuantity(_("Add at least one."))
    most = most_of(product, app_settings.MAX_QUANTITY)
    _check_quantity(
        product,
        quantity + sum(row.quantity for row in known if row.product_ref == product.ref),
        most=most,
        of_stock=quantity + sum(row.quantity for row in known),
    )
    limit = most if product.available is None else min(most, product.available)
    item = CartItem(
        product_ref=product.ref,
        options=chosen.options,
        options_digest=line_options.digest(chosen.options),
        quantity=quantity,
        name=product.name[:500],
        price_when_added=product.unit_price,
    )
    if not queries.add(cart, item, most=limit, takes_options=bool(options_of(product))):
        if not Cart.objects.open().filter(pk=cart.pk).exists():
            raise CartClosed
        units = sum(CartItem.objects.filter(cart=cart.pk, product_ref=product.ref).values_list("quantity", flat=True))
        if units + quantity <= limit:
            raise TooManyLines(app_settings.MAX_LINES)
        _check_quantity(product, limit + 1, most=most)
    return item


def _refuse_negative(quantity: int) -> None:
    if quantity < 0:
        raise InvalidQuantity(_("A quantity cannot be negative."))


def _check_quantity(product: SourceProduct, quantity: int, *, most: int, of_stock: int = 0) -> None:
    """Check the units of a product, and ``of_stock``, those of all products that share its stock."""
    if quantity > most:
        raise InvalidQuantity(_("At most %(quantity)s of one product can be ordered.") % {"quantity": most})
    if product.available is not None and max(quantity, of_stock) > product.available:
        raise InsufficientStock({product.ref: product.available})
