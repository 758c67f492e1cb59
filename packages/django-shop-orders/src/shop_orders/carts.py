"""Carts: one open cart for each customer; a guest's is found by a token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders.conf import app_settings
from shop_orders.exceptions import (
    CartClosed,
    CartNotFound,
    InsufficientStock,
    InvalidQuantity,
    UnknownProduct,
)
from shop_orders.locking import in_transaction
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.money import exponent
from shop_orders.pricing import Draft, DraftLine, price
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
    url: str
    image: str
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CartView:
    """A cart with today's prices, and the draft of the order it would become. ``cart`` is None for an empty one."""

    cart: Cart | None
    lines: tuple[LineView, ...]
    draft: Draft

    @property
    def can_be_ordered(self) -> bool:
        return bool(self.lines) and not any({"gone", "short"} & set(line.changes) for line in self.lines)

    @property
    def item_count(self) -> int:
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class MergeChange:
    """What a merge did to one product: ``added``, ``quantity_changed``, ``limited`` or ``dropped``."""

    product: str
    name: str
    code: str
    quantity: int
    was: int


@dataclass(frozen=True, kw_only=True)
class MergeReport:
    cart: Cart
    changes: tuple[MergeChange, ...]


def find(*, customer: Customer | None = None, token: str = "") -> Cart | None:
    """The open cart of a customer, or the one that a guest's token opens; None before the first write.

    A customer's token is left alone: it waits for ``merge``.

    Raises:
        CartNotFound: nobody has this token, or its cart went into another one.
    """
    if customer is not None:
        mine = Cart.objects.open().filter(customer=customer).first()
        if mine is not None:
            mine.customer = customer
        return mine
    if not token:
        return None
    cart = by_token(token)
    if cart is None or cart.status == Cart.Status.MERGED:
        raise CartNotFound
    return cart if cart.is_open else None


def by_token(token: str) -> Cart | None:
    """The cart of a guest's token, whatever its status."""
    return Cart.objects.filter(token_hash=hash_token(token)).first() if token else None


def find_or_open(*, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """The cart to write into, and the new token of a guest whose cart was just opened ("" otherwise).

    Raises:
        CartNotFound: as in ``find``.
    """
    cart = find(customer=customer, token=token)
    if cart is not None:
        return cart, ""
    exponent(app_settings.CURRENCY)  # no cart before the shop knows its currency
    if customer is None:
        new_token = secrets.token_urlsafe(24)
        return Cart.objects.create(token_hash=hash_token(new_token)), new_token
    try:
        with transaction.atomic():
            return Cart.objects.create(customer=customer), ""
    except IntegrityError:
        return Cart.objects.open().get(customer=customer), ""


def hash_token(token: str) -> str:
    """What is stored of a token. It has 192 random bits, so a plain digest will do."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def add_item(cart: Cart, ref: str, quantity: int = 1) -> CartItem:
    """Add units of a product to what is there. Parallel calls add up.

    Raises:
        UnknownProduct: it is not on sale.
        InvalidQuantity: not above zero, or the line would exceed MAX_QUANTITY.
        InsufficientStock: there is less.
        CartClosed: the cart was ordered meanwhile.
    """
    if quantity < 1:
        raise InvalidQuantity(_("Add at least one."))

    def work() -> CartItem:
        locked = _lock(cart)
        product = _product(locked, ref)
        item = locked.items.filter(product_ref=ref).first()
        return _write(locked, item, product, (item.quantity if item else 0) + quantity)

    return in_transaction(work)


def add_to_cart(ref: str, quantity: int = 1, *, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """``add_item`` into the caller's cart, opened when needed; answers it, and the token of a guest's new cart.

    A product that cannot be added opens no cart.

    Raises:
        CartNotFound, UnknownProduct, InvalidQuantity, InsufficientStock: as in ``find`` and ``add_item``.
    """

    def work() -> tuple[Cart, str]:
        cart, new_token = find_or_open(customer=customer, token=token)
        add_item(cart, ref, quantity)
        return cart, new_token

    return in_transaction(work)


def set_quantity(cart: Cart, ref: str, quantity: int) -> CartItem | None:
    """Set the units of a product that is in the cart; 0 removes it.

    Raises:
        UnknownProduct: it is not in the cart, or not on sale any more.
        InvalidQuantity, InsufficientStock, CartClosed: as in ``add_item``.
    """
    if quantity < 0:
        raise InvalidQuantity(_("A quantity cannot be negative."))

    def work() -> CartItem | None:
        locked = _lock(cart)
        item = locked.items.filter(product_ref=ref).first()
        if item is None:
            raise UnknownProduct(ref)
        if quantity == 0:
            item.delete()
            return None
        return _write(locked, item, _product(locked, ref), quantity)

    return in_transaction(work)


def remove_item(cart: Cart, ref: str) -> None:
    """Take a product out. One that is not there changes nothing."""

    def work() -> None:
        locked = _lock(cart)
        locked.items.filter(product_ref=ref).delete()

    in_transaction(work)


def clear(cart: Cart) -> None:
    """Take everything out."""

    def work() -> None:
        locked = _lock(cart)
        locked.items.all().delete()

    in_transaction(work)


def view(
    cart: Cart | None,
    *,
    customer: Customer | None = None,
    shipping_address: Mapping[str, Any] | None = None,
    delivery: str = "",
    payment_provider: str = "",
) -> CartView:
    """The cart with today's prices and stock, and what changed since the products were added."""
    items = list(cart.items.all()) if cart is not None else []
    products = product_source().fetch([item.product_ref for item in items], customer=customer) if items else {}
    draft = Draft(
        lines=[_draft_line(products[item.product_ref], item) for item in items if item.product_ref in products],
        currency=app_settings.CURRENCY,
        customer=customer,
        shipping_address=shipping_address or {},
        delivery=delivery,
        payment_provider=payment_provider,
    )
    lines = tuple(_line_view(item, products.get(item.product_ref)) for item in items)
    return CartView(cart=cart, lines=lines, draft=price(draft) if draft.lines else draft)


def merge(token: str, *, customer: Customer) -> MergeReport:
    """Bring the cart of a guest's token into the customer's, by the policy of CART_MERGE. The token ends here.

    Raises:
        CartNotFound: nobody has this token, or it was merged or ordered already.
    """
    target, _token = find_or_open(customer=customer)

    def work() -> MergeReport:
        guest = Cart.objects.select_for_update().filter(token_hash=hash_token(token), customer=None).first()
        if guest is None or not guest.is_open:
            raise CartNotFound
        account = _lock(target)
        mine = {item.product_ref: item for item in account.items.all()}
        theirs = {item.product_ref: item for item in guest.items.all()}
        wanted = _merged({r: i.quantity for r, i in mine.items()}, {r: i.quantity for r, i in theirs.items()})
        changes = _apply_merge(account, mine, theirs, wanted)
        guest.status = Cart.Status.MERGED
        guest.save(update_fields=["status", "updated_at"])
        return MergeReport(cart=account, changes=tuple(changes))

    return in_transaction(work)


def prune(*, batch: int = 1000) -> int:
    """Delete open carts that nobody touched for CART_MAX_AGE; returns how many went."""
    before = timezone.now() - app_settings.CART_MAX_AGE
    gone = 0
    while keys := list(Cart.objects.stale(before).values_list("pk", flat=True)[:batch]):
        gone += Cart.objects.stale(before).filter(pk__in=keys).delete()[1].get("shop_orders.Cart", 0)
    return gone


def _lock(cart: Cart) -> Cart:
    """Lock an open cart's row by noting that it is used; it stays locked until the transaction ends."""
    if not Cart.objects.open().filter(pk=cart.pk).update(updated_at=timezone.now()):
        raise CartClosed
    return cart


def _product(cart: Cart, ref: str) -> SourceProduct:
    product = product_source().fetch([ref], customer=cart.customer).get(ref)
    if product is None:
        raise UnknownProduct(ref)
    return product


def _write(cart: Cart, item: CartItem | None, product: SourceProduct, quantity: int) -> CartItem:
    if quantity > app_settings.MAX_QUANTITY:
        raise InvalidQuantity(
            _("At most %(quantity)s of one product can be ordered.") % {"quantity": app_settings.MAX_QUANTITY}
        )
    if product.available is not None and quantity > product.available:
        raise InsufficientStock({product.ref: product.available})
    item = item or CartItem(cart=cart, product_ref=product.ref)
    item.quantity, item.name, item.price_when_added = quantity, product.name[:500], product.unit_price
    item.save()
    return item


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


def _line_view(item: CartItem, product: SourceProduct | None) -> LineView:
    if product is None:
        return LineView(
            product=item.product_ref,
            sku="",
            name=item.name,
            quantity=item.quantity,
            unit_price=None,
            price_when_added=item.price_when_added,
            line_total=None,
            available=0,
            url="",
            image="",
            changes=("gone",),
        )
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
        url=product.url,
        image=product.image,
        changes=tuple(changes),
    )


def _merged(account: Mapping[str, int], guest: Mapping[str, int]) -> dict[str, int]:
    """The quantities after a merge, before MAX_QUANTITY. An empty cart never wins."""
    policy = app_settings.CART_MERGE
    if policy == "account":
        return dict(account or guest)
    if policy == "guest":
        return dict(guest or account)
    pairs = {ref: (account.get(ref, 0), guest.get(ref, 0)) for ref in {**account, **guest}}
    return {ref: max(pair) if policy == "larger" else sum(pair) for ref, pair in pairs.items()}


def _apply_merge(
    account: Cart, mine: Mapping[str, CartItem], theirs: Mapping[str, CartItem], wanted: Mapping[str, int]
) -> list[MergeChange]:
    changes = []
    for ref in {**mine, **theirs}:
        item, other = mine.get(ref), theirs.get(ref)
        was = item.quantity if item else 0
        quantity = min(wanted.get(ref, 0), app_settings.MAX_QUANTITY)
        source = item or other
        assert source is not None  # noqa: S101 - ref comes from one of them
        if quantity == 0 and item is not None:
            item.delete()
        elif quantity and item is None:
            CartItem.objects.create(
                cart=account,
                product_ref=ref,
                quantity=quantity,
                name=source.name,
                price_when_added=source.price_when_added,
            )
        elif item is not None and quantity != was:
            item.quantity = quantity
            item.save(update_fields=["quantity"])
        code = _merge_code(was=was, quantity=quantity, wanted=wanted.get(ref, 0))
        if code:
            changes.append(MergeChange(product=ref, name=source.name, code=code, quantity=quantity, was=was))
    return changes


def _merge_code(*, was: int, quantity: int, wanted: int) -> str:
    if quantity < wanted:
        return "limited"
    if quantity == 0:
        return "dropped"
    if was == 0:
        return "added"
    return "quantity_changed" if quantity != was else ""
