"""Adds, changes and removes the items of a cart."""

from __future__ import annotations

from collections.abc import Callable

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders.carts import queries, views
from shop_orders.carts.finding import find, lock, new_cart
from shop_orders.carts.queries import Contents
from shop_orders.carts.views import CartView
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartClosed, InsufficientStock, InvalidQuantity, TooManyLines, UnknownProduct
from shop_orders.models import Cart, CartItem, Customer, texts
from shop_orders.pricing import Draft
from shop_orders.product_sources import SourceProduct, product_source
from shop_orders.transactions import in_transaction


def add_item(cart: Cart, ref: str, quantity: int = 1) -> CartItem:
    """Add units of a product to those in the cart. No unit is lost when calls run in parallel.

    Raises:
        UnknownProduct: the product is not on sale.
        InvalidQuantity: the quantity is not above zero, or the item would exceed MAX_QUANTITY.
        InsufficientStock: the cart would have more units than are available.
        TooManyLines: the cart has MAX_LINES other products.
        CartClosed: the cart was ordered meanwhile.
    """
    return _add(cart, _product(cart.customer, ref), quantity, in_cart=0)


def add_to_cart(ref: str, quantity: int = 1, *, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """Add to the caller's cart, and open one if there is none. Returns the cart and, for a guest's new cart,
    its token, otherwise "". No cart is opened if the product cannot be added.

    Raises:
        CartNotFound, UnknownProduct, InvalidQuantity, InsufficientStock: as in ``find`` and ``add_item``.
    """
    known = Contents(customer=customer, cart=find(customer=customer, token=token))
    cart, new_token = (known.cart, "") if known.cart is not None else new_cart(customer)
    _add(cart, _product(customer, ref), quantity, in_cart=0)
    return cart, new_token


def add_and_view(known: Contents, ref: str, quantity: int = 1) -> tuple[CartView, str]:
    """``add_to_cart`` for callers that show the cart afterwards: the products are fetched once."""
    _check_ref(ref)
    products = product_source().fetch([ref, *(item.product_ref for item in known.items)], customer=known.customer)
    product = products.get(ref)
    if product is None:
        raise UnknownProduct(ref)
    items = {item.product_ref: item for item in known.items}
    cart, new_token = (known.cart, "") if known.cart is not None else new_cart(known.customer)
    items[ref] = _add(cart, product, quantity, in_cart=items[ref].quantity if ref in items else 0)
    shown = list(items.values())
    lines = views.draft_lines(shown, products)
    draft = Draft(lines=lines, currency=app_settings.CURRENCY, customer=known.customer)
    return views.show(cart, shown, products, draft), new_token


@in_transaction(Cart)
def set_quantity(cart: Cart, ref: str, quantity: int) -> CartItem | None:
    """Set the units of a product that is in the cart; 0 removes it.

    Raises:
        UnknownProduct: the product is not in the cart, or not on sale any more.
        InvalidQuantity, InsufficientStock, CartClosed: as in ``add_item``.
    """
    _check_ref(ref)
    if quantity < 0:
        raise InvalidQuantity(_("A quantity cannot be negative."))
    item = lock(cart).items.filter(product_ref=ref).first()
    if item is None:
        raise UnknownProduct(ref)
    if quantity == 0:
        item.delete()
        return None
    product = _product(cart.customer, ref)
    _check_quantity(product, quantity)
    item.quantity, item.name, item.price_when_added = quantity, product.name[:500], product.unit_price
    item.save()
    return item


@in_transaction(Cart)
def remove_item(cart: Cart, ref: str) -> None:
    """Remove a product from the cart, if the product is in it."""
    if texts.is_storable(CartItem, "product_ref", ref):
        lock(cart).items.filter(product_ref=ref).delete()


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
    product = product_source().fetch([ref], customer=customer).get(ref)
    if product is None:
        raise UnknownProduct(ref)
    return product


def _add(cart: Cart, product: SourceProduct, quantity: int, *, in_cart: int) -> CartItem:
    """Add to the stored quantity. ``in_cart`` was read earlier; it serves only to refuse early."""
    if quantity < 1:
        raise InvalidQuantity(_("Add at least one."))
    _check_quantity(product, in_cart + quantity)
    most = (
        app_settings.MAX_QUANTITY if product.available is None else min(app_settings.MAX_QUANTITY, product.available)
    )
    item = CartItem(
        product_ref=product.ref, quantity=quantity, name=product.name[:500], price_when_added=product.unit_price
    )
    if not queries.add(cart, item, most=most):
        if not Cart.objects.open().filter(pk=cart.pk).exists():
            raise CartClosed
        if not CartItem.objects.filter(cart=cart.pk, product_ref=product.ref).exists() and quantity <= most:
            raise TooManyLines(app_settings.MAX_LINES)
        _check_quantity(product, most + 1)
    return item


def _check_quantity(product: SourceProduct, quantity: int) -> None:
    if quantity > app_settings.MAX_QUANTITY:
        raise InvalidQuantity(
            _("At most %(quantity)s of one product can be ordered.") % {"quantity": app_settings.MAX_QUANTITY}
        )
    if product.available is not None and quantity > product.available:
        raise InsufficientStock({product.ref: product.available})
