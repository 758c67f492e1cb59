"""Merges a guest's cart into the customer's, by the policy of CART_MERGE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shop_orders.carts import finding
from shop_orders.conf import app_settings
from shop_orders.exceptions import CartNotFound
from shop_orders.models import Cart, CartItem, Customer
from shop_orders.transactions import in_transaction

_Line = tuple[str, str]
"""The ref and the digest of the options, by which lines are merged."""


@dataclass(frozen=True, kw_only=True)
class MergeChange:
    """The change of one line by a merge: ``added``, ``quantity_changed``, ``limited`` or ``dropped``."""

    product: str
    name: str
    code: str
    quantity: int
    was: int
    line: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


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
    in_customer_cart, in_guest_cart = _by_line(customer_cart), _by_line(guest_cart)
    wanted = _wanted(_quantities(in_customer_cart), _quantities(in_guest_cart))
    changes = _write(customer_cart, in_customer_cart, in_guest_cart, wanted)
    if any(item.options for item in in_guest_cart.values()):
        guest_cart.items.all().delete()  # what people typed is kept once
    guest_cart.status = Cart.Status.MERGED
    guest_cart.save(update_fields=["status", "updated_at"])
    return MergeReport(cart=customer_cart, changes=tuple(changes))


def _by_line(cart: Cart) -> dict[_Line, CartItem]:
    return {(item.product_ref, item.options_digest): item for item in cart.items.all()}


def _quantities(items: Mapping[_Line, CartItem]) -> dict[_Line, int]:
    return {line: item.quantity for line, item in items.items()}


def _wanted(account: Mapping[_Line, int], guest: Mapping[_Line, int]) -> dict[_Line, int]:
    """The quantities after a merge, before MAX_QUANTITY. An empty cart never replaces one that has items."""
    policy = app_settings.CART_MERGE
    if policy == "account":
        return dict(account or guest)
    if policy == "guest":
        return dict(guest or account)
    pairs = {line: (account.get(line, 0), guest.get(line, 0)) for line in {**account, **guest}}
    return {line: max(pair) if policy == "larger" else sum(pair) for line, pair in pairs.items()}


def _write(
    customer_cart: Cart,
    in_customer_cart: Mapping[_Line, CartItem],
    in_guest_cart: Mapping[_Line, CartItem],
    wanted: Mapping[_Line, int],
) -> list[MergeChange]:
    changes = []
    room = app_settings.MAX_LINES - len(in_customer_cart)
    units: Counter[str] = Counter()  # of each product, since MAX_QUANTITY counts all its lines
    for line in {**in_customer_cart, **in_guest_cart}:
        item, other = in_customer_cart.get(line), in_guest_cart.get(line)
        was = item.quantity if item else 0
        source = item or other
        assert source is not None  # noqa: S101 - the line comes from one of them
        quantity = max(min(wanted.get(line, 0), app_settings.MAX_QUANTITY - units[source.product_ref]), 0)
        if quantity == 0 and item is not None:
            item.delete()
            room += 1
        elif quantity and item is None and room <= 0:
            quantity = 0
        elif quantity and item is None:
            room -= 1
            CartItem.objects.create(
                cart=customer_cart,
                product_ref=source.product_ref,
                options=source.options,
                options_digest=source.options_digest,
                quantity=quantity,
                name=source.name,
                price_when_added=source.price_when_added,
            )
        elif item is not None and quantity != was:
            item.quantity = quantity
            item.save(update_fields=["quantity"])
        units[source.product_ref] += quantity
        code = _change_code(was=was, quantity=quantity, wanted=wanted.get(line, 0))
        if code:
            changes.append(
                MergeChange(
                    product=source.product_ref,
                    name=source.name,
                    code=code,
                    quantity=quantity,
                    was=was,
                    line=source.line,
                    options=source.options,
                )
            )
    return changes


def _change_code(*, was: int, quantity: int, wanted: int) -> str:
    if quantity < wanted:
        return "limited"
    if quantity == 0:
        return "dropped"
    if was == 0:
        return "added"
    return "quantity_changed" if quantity != was else ""
