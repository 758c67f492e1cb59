"""Carts: one open cart for each customer; a guest's is found by a token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import FilteredRelation, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from shop_orders import cart_lines, customers
from shop_orders.conf import app_settings
from shop_orders.exceptions import (
    CartClosed,
    CartNotFound,
    InsufficientStock,
    InvalidQuantity,
    UnknownProduct,
)
from shop_orders.hot_query import HotQuery
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


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Whose cart it is and what is in it. ``cart`` is None before the first write, ``customer`` None for a guest."""

    customer: Customer | None = None
    cart: Cart | None = None
    items: tuple[CartItem, ...] = ()


def contents(*, user: Any = None, token: str = "") -> Contents:
    """The open cart of a user, who becomes a customer on first use, or of a guest's token, in one statement.

    Raises:
        CartNotFound: as in ``find``.
    """
    if user is None:
        return _open_of_token(token) if token else Contents()
    rows = _OF_USER.rows(user=user.pk)
    if not rows:
        return Contents(customer=customers.for_user(user))
    customer = Customer.from_db(router.db_for_write(Customer), _CUSTOMER, rows[0][: len(_CUSTOMER)])
    customer.user = user
    return replace(_cart_of([row[len(_CUSTOMER) :] for row in rows], customer), customer=customer)


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
    return _open_of_token(token).cart if token else None


def by_token(token: str) -> Cart | None:
    """The cart of a guest's token, whatever its status."""
    return _of_token(token).cart if token else None


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
    product = _product(cart.customer, ref)
    return _add(cart, product, quantity, there=0)


def add_to_cart(ref: str, quantity: int = 1, *, customer: Customer | None = None, token: str = "") -> tuple[Cart, str]:
    """``add_item`` into the caller's cart, opened when needed; answers it, and the token of a guest's new cart.

    A product that cannot be added opens no cart.

    Raises:
        CartNotFound, UnknownProduct, InvalidQuantity, InsufficientStock: as in ``find`` and ``add_item``.
    """
    known = Contents(customer=customer, cart=find(customer=customer, token=token))
    cart, new_token = (known.cart, "") if known.cart is not None else _new_cart(customer)
    _add(cart, _product(customer, ref), quantity, there=0)
    return cart, new_token


def add_and_view(known: Contents, ref: str, quantity: int = 1) -> tuple[CartView, str]:
    """``add_to_cart`` for who shows the cart afterwards: the products are fetched once."""
    products = product_source().fetch([ref, *(item.product_ref for item in known.items)], customer=known.customer)
    product = products.get(ref)
    if product is None:
        raise UnknownProduct(ref)
    lines = {item.product_ref: item for item in known.items}
    cart, new_token = (known.cart, "") if known.cart is not None else _new_cart(known.customer)
    lines[ref] = _add(cart, product, quantity, there=lines[ref].quantity if ref in lines else 0)
    draft = Draft(lines=[], currency=app_settings.CURRENCY, customer=known.customer)
    return _view(cart, list(lines.values()), products, draft), new_token


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
        product = _product(cart.customer, ref)
        _check_quantity(product, quantity)
        item.quantity, item.name, item.price_when_added = quantity, product.name[:500], product.unit_price
        item.save()
        return item

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
    items = _items(cart) if cart is not None else []
    products = product_source().fetch([item.product_ref for item in items], customer=customer) if items else {}
    draft = Draft(
        lines=[],
        currency=app_settings.CURRENCY,
        customer=customer,
        shipping_address=shipping_address or {},
        delivery=delivery,
        payment_provider=payment_provider,
    )
    return _view(cart, items, products, draft)


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


def _lock(cart: Cart) -> Cart:
    """Lock an open cart's row by noting that it is used; it stays locked until the transaction ends."""
    if not Cart.objects.open().filter(pk=cart.pk).update(updated_at=timezone.now()):
        raise CartClosed
    return cart


def _product(customer: Customer | None, ref: str) -> SourceProduct:
    product = product_source().fetch([ref], customer=customer).get(ref)
    if product is None:
        raise UnknownProduct(ref)
    return product


def _new_cart(customer: Customer | None) -> tuple[Cart, str]:
    """A cart that is not written yet, and the token of a guest's."""
    exponent(app_settings.CURRENCY)  # no cart before the shop knows its currency
    token = "" if customer else secrets.token_urlsafe(24)
    return Cart(customer=customer, token_hash=hash_token(token) if token else None), token


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
    if not cart_lines.add(cart, item, most=most):
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


def _view(
    cart: Cart | None, items: Sequence[CartItem], products: Mapping[str, SourceProduct], draft: Draft
) -> CartView:
    draft = replace(
        draft, lines=[_draft_line(products[item.product_ref], item) for item in items if item.product_ref in products]
    )
    lines = tuple(_line_view(item, products.get(item.product_ref)) for item in items)
    return CartView(cart=cart, lines=lines, draft=price(draft) if draft.lines else draft)


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


def _of_token(token: str) -> Contents:
    return _cart_of(_OF_TOKEN.rows(token_hash=hash_token(token)), None)


def _open_of_token(token: str) -> Contents:
    found = _of_token(token)
    if found.cart is None or found.cart.status == Cart.Status.MERGED:
        raise CartNotFound
    return found if found.cart.is_open else Contents()


def _items(cart: Cart) -> list[CartItem]:
    """The lines as they are stored now."""
    alias = router.db_for_write(CartItem)
    return [CartItem.from_db(alias, _ITEM, row) for row in _ITEMS.rows(cart=cart.pk)]


def _cart_of(rows: Sequence[Sequence[Any]], customer: Customer | None) -> Contents:
    """What rows say that hold the columns of a cart and of one of its lines each; both may be NULL."""
    if not rows or rows[0][0] is None:
        return Contents()
    alias, width = router.db_for_write(Cart), len(_CART)
    cart = Cart.from_db(alias, _CART, rows[0][:width])
    if customer is not None:
        cart.customer = customer
    lines = [CartItem.from_db(alias, _ITEM, row[width:]) for row in rows if row[width] is not None]
    return Contents(cart=cart, items=tuple(lines))


_CUSTOMER = [field.attname for field in Customer._meta.concrete_fields]
_CART = [field.attname for field in Cart._meta.concrete_fields]
_ITEM = [field.attname for field in CartItem._meta.concrete_fields]


def _build_of_user(p: Any) -> QuerySet[Any, Any]:
    mine = Customer.objects.filter(user=p("user", Customer._meta.get_field("user")))
    joined = mine.annotate(cart=FilteredRelation("carts", condition=Q(carts__status="open")))
    columns = (*_CUSTOMER, *(f"cart__{name}" for name in _CART), *(f"cart__items__{name}" for name in _ITEM))
    rows: QuerySet[Any, Any] = joined.order_by("cart__items__id").values_list(*columns)
    return rows


def _build_of_token(p: Any) -> QuerySet[Any, Any]:
    known = Cart.objects.filter(token_hash=p("token_hash", Cart._meta.get_field("token_hash")))
    rows: QuerySet[Any, Any] = known.order_by("items__id").values_list(*_CART, *(f"items__{name}" for name in _ITEM))
    return rows


def _build_items(p: Any) -> QuerySet[Any, Any]:
    items = CartItem.objects.filter(cart=p("cart", Cart._meta.get_field("id")))
    rows: QuerySet[Any, Any] = items.order_by("id").values_list(*_ITEM)
    return rows


_OF_USER = HotQuery(Customer, _build_of_user)
_OF_TOKEN = HotQuery(Cart, _build_of_token)
_ITEMS = HotQuery(CartItem, _build_items)
