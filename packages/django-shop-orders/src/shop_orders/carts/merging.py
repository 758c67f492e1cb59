"""Merges a guest's cart into the customer's, by the policy of CART_MERGE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shop_orders.carts import finding
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartNotFound
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.transactions import in_transaction


@dataclass(frozen=True, kw_only=True)
class MergeChange:
    """The change of one product by a merge: ``added``, ``quantity_changed``, ``limited`` or ``dropped``."""

    product: str
    name: str
    code: str
    quantity: int
    was: int


@dataclass(frozen=True, kw_only=True)
class MergeReport:
    """The customer's cart after a merge, and the changes, for a page to show."""

    cart: Cart
    changes: tuple[MergeChange, ...]


def merge(token: str, *, customer: Customer) -> MergeReport:
    """Merge the cart of a guest's token into the customer's, by the policy of CART_MERGE.

    The token cannot be used again.

    Raises:
        CartNotFound: the token is unknown, or its cart was merged or ordered already.
    """
    target, _token = finding.find_or_open(customer=customer)
    return _merge(target, finding.hash_token(token))


@in_transaction(Cart)
def _merge(customer_cart: Cart, token_hash: str) -> MergeReport:
    guest_cart = Cart.objects.select_for_update().filter(token_hash=token_hash, customer=None).first()
    if guest_cart is None or not guest_cart.is_open:
        raise CartNotFound
    finding.lock(customer_cart)
    in_customer_cart = {item.product_ref: item for item in customer_cart.items.all()}
    in_guest_cart = {item.product_ref: item for item in guest_cart.items.all()}
    wanted = _wanted(_quantities(in_customer_cart), _quantities(in_guest_cart))
    changes = _write(customer_cart, in_customer_cart, in_guest_cart, wanted)
    guest_cart.status = Cart.Status.MERGED
    guest_cart.save(update_fields=["status", "updated_at"])
    return MergeReport(cart=customer_cart, changes=tuple(changes))


def _quantities(items: Mapping[str, CartItem]) -> dict[str, int]:
    return {ref: item.quantity for ref, item in items.items()}


def _wanted(account: Mapping[str, int], guest: Mapping[str, int]) -> dict[str, int]:
    """The quantities after a merge, before MAX_QUANTITY. An empty cart never replaces one that has items."""
    policy = app_settings.CART_MERGE
    if policy == "account":
        return dict(account or guest)
    if policy == "guest":
        return dict(guest or account)
    pairs = {ref: (account.get(ref, 0), guest.get(ref, 0)) for ref in {**account, **guest}}
    return {ref: max(pair) if policy == "larger" else sum(pair) for ref, pair in pairs.items()}


def _write(
    customer_cart: Cart,
    in_customer_cart: Mapping[str, CartItem],
    in_guest_cart: Mapping[str, CartItem],
    wanted: Mapping[str, int],
) -> list[MergeChange]:
    changes = []
    room = app_settings.MAX_LINES - len(in_customer_cart)
    for ref in {**in_customer_cart, **in_guest_cart}:
        item, other = in_customer_cart.get(ref), in_guest_cart.get(ref)
        was = item.quantity if item else 0
        quantity = min(wanted.get(ref, 0), app_settings.MAX_QUANTITY)
        source = item or other
        assert source is not None  # noqa: S101 - ref comes from one of them
        if quantity == 0 and item is not None:
            item.delete()
            room += 1
        elif quantity and item is None and room <= 0:
            quantity = 0
        elif quantity and item is None:
            room -= 1
            CartItem.objects.create(
                cart=customer_cart,
                product_ref=ref,
                quantity=quantity,
                name=source.name,
                price_when_added=source.price_when_added,
            )
        elif item is not None and quantity != was:
            item.quantity = quantity
            item.save(update_fields=["quantity"])
        code = _change_code(was=was, quantity=quantity, wanted=wanted.get(ref, 0))
        if code:
            changes.append(MergeChange(product=ref, name=source.name, code=code, quantity=quantity, was=was))
    return changes


def _change_code(*, was: int, quantity: int, wanted: int) -> str:
    if quantity < wanted:
        return "limited"
    if quantity == 0:
        return "dropped"
    if was == 0:
        return "added"
    return "quantity_changed" if quantity != was else ""
