"""What the staff operations share: finding an order, and running an action once."""

from collections import Counter
from collections.abc import Callable

from django.http import HttpRequest
from ninja import Schema

from shop_orders import customers
from shop_orders.api import idempotency, representations
from shop_orders.api.staff_schemas import ItemIn
from shop_orders.exceptions import NotFound
from shop_orders.models import Order


def keyed_call(request: HttpRequest, number: str, name: str, key: str) -> idempotency.Call:
    user = customers.user_of(request)
    return idempotency.Call(request, key, owner=f"user:{user.pk}", route=f"staff_{name} {number}")


@idempotency.once()
def run_action(number: str, action: Callable[[], object]) -> tuple[int, Schema]:
    """Run an action and return the order as it is afterwards."""
    action()
    return 200, representations.staff_order(order_numbered(number))


def order_numbered(number: str) -> Order:
    order = Order.objects.select_related("customer").numbered(number).first()
    if order is None:
        raise NotFound
    return order


def quantities_of(lines: list[ItemIn]) -> dict[str, int]:
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.product] += line.quantity
    return dict(wanted)
