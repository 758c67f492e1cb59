"""What is in a cart: add, change and remove items."""

from __future__ import annotations

from collections.abc import Callable

from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders.carts import queries, views
from shop_orders.carts.finding import Contents, find, lock, new_cart
from shop_orders.carts.views import CartView
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartClosed, InsufficientStock, InvalidQuantity, UnknownProduct
from shop_orders.locking import in_transaction
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.pricing import Draft
from shop_orders.product_sources import SourceProduct, product_source


def add_item(cart: Cart, ref: str, quantity: int = 1) -> CartItem:
    """Add units of a product to what is there. Parallel calls add up.

    Raises:
        UnknownProduct: it is not on sale.
        InvalidQuantity: not above zero, or the line would exceed MAX_QUANTITY.
        InsufficientStock: there is less.
        CartClosed: the cart was ordered meanwhile.
    """
    product = _product(cart.customer, ref)
    return _add(cart, product, quantity, there=0)


def add_to_cart(ref: str, quantity: int = 1, *, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """``add_item`` into the caller's cart, opened when needed; answers it, and the token of a guest's new cart.

    A product that cannot be added opens no cart.

    Raises:
        CartNotFound, UnknownProduct, InvalidQuantity, InsufficientStock: as in ``find`` and ``add_item``.
    """
    known = Contents(customer=customer, cart=find(customer=customer, token=token))
    cart, new_token = (known.cart, "") if known.cart is not None else new_cart(customer)
    _add(cart, _product(customer, ref), quantity, there=0)
    return cart, new_token


def add_and_view(known: Contents, ref: str, quantity: int = 1) -> tuple[CartView, str]:
    """``add_to_cart`` for who shows the cart afterwards: the products are fetched once."""
    products = product_source().fetch([ref, *(item.product_ref for item in known.items)], customer=known.customer)
    product = products.get(ref)
    if product is None:
        raise UnknownProduct(ref)
    lines = {item.product_ref: item for item in known.items}
    cart, new_token = (known.cart, "") if known.cart is not None else new_cart(known.customer)
    lines[ref] = _add(cart, product, quantity, there=lines[ref].quantity if ref in lines else 0)
    draft = Draft(lines=[], currency=app_settings.CURRENCY, customer=known.customer)
    return views.show(cart, list(lines.values()), products, draft), new_token


def set_quantity(cart: Cart, ref: str, quantity: int) -> CartItem | None:
    """Set the units of a product that is in the cart; 0 removes it.

    Raises:
        UnknownProduct: it is not in the cart, or not on sale any more.
        InvalidQuantity, InsufficientStock, CartClosed: as in ``add_item``.
    """
    if quantity < 0:
        raise InvalidQuantity(_("A quantity cannot be negative."))

    def work() -> CartItem | None:
        locked = lock(cart)
        item = locked.items.filter(product_ref=ref).first()
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

    return in_transaction(work)


def remove_item(cart: Cart, ref: str) -> None:
    """Take a product out. One that is not there changes nothing."""

    def work() -> None:
        locked = lock(cart)
        locked.items.filter(product_ref=ref).delete()

    in_transaction(work)


def clear(cart: Cart) -> None:
    """Take everything out."""

    def work() -> None:
        locked = lock(cart)
        locked.items.all().delete()

    in_transaction(work)


def prune(*, batch: int = 1000, progress: Callable[[int], None] | None = None) -> int:
    """Delete open carts that nobody touched for CART_MAX_AGE; returns how many went.

    ``progress`` is told after each batch how many have gone so far.
    """
    before = timezone.now() - app_settings.CART_MAX_AGE
    gone = 0
    while keys := list(Cart.objects.stale(before).values_list("pk", flat=True)[:batch]):
        gone += Cart.objects.stale(before).filter(pk__in=keys).delete()[1].get("shop_orders.Cart", 0)
        if progress is not None:
            progress(gone)
    return gone


def _product(customer: Customer | None, ref: str) -> SourceProduct:
    product = product_source().fetch([ref], customer=customer).get(ref)
    if product is None:
        raise UnknownProduct(ref)
    return product


def _add(cart: Cart, product: SourceProduct, quantity: int, *, there: int) -> CartItem:
    """Add to the line as it is stored. ``there`` is what was seen of it, and only serves to refuse early."""
    if quantity < 1:
        raise InvalidQuantity(_("Add at least one."))
    _check_quantity(product, there + quantity)
    most = (
        app_settings.MAX_QUANTITY if product.available is None else min(app_settings.MAX_QUANTITY, product.available)
    )
    item = CartItem(
        product_ref=product.ref, quantity=quantity, name=product.name[:500], price_when_added=product.unit_price
    )
    if not queries.add(cart, item, most=most):
        if not Cart.objects.open().filter(pk=cart.pk).exists():
            raise CartClosed
        _check_quantity(product, most + 1)
    return item


def _check_quantity(product: SourceProduct, quantity: int) -> None:
    if quantity > app_settings.MAX_QUANTITY:
        raise InvalidQuantity(
            _("At most %(quantity)s of one product can be ordered.") % {"quantity": app_settings.MAX_QUANTITY}
        )
    if product.available is not None and quantity > product.available:
        raise InsufficientStock({product.ref: product.available})
