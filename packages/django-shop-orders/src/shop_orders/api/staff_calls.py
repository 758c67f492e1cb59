"""Helpers of the staff operations that change an order: declare one, find the order, and run an action once."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel
from shop_core.api.problems import responses

from shop_orders import customers, lifecycle, tracking
from shop_orders.api import auth, idempotency, representations
from shop_orders.api.routers import staff_router
from shop_orders.api.schemas import StaffOrderOut
from shop_orders.api.staff_schemas import ExpectedIn, ItemIn
from shop_orders.exceptions import NotFound, OrderChanged
from shop_orders.models import Order
from shop_orders.transactions import in_transaction

Result = TypeVar("Result")
View = TypeVar("View", bound=Callable[..., HttpResponse])


def order_operation(path: str, operation_id: str, summary: str) -> Callable[[View], View]:
    """Decorate a view that changes an order and returns the order as it is afterwards."""
    return staff_router.post(
        path,
        response={200: StaffOrderOut, **responses(401, 403, 404, 409)},
        auth=auth.staff,
        operation_id=operation_id,
        summary=summary,
    )


def keyed_call(request: HttpRequest, number: str, name: str, key: str) -> idempotency.Call:
    user = customers.user_of(request)
    return idempotency.Call(request, key, owner=f"user:{user.pk}", route=f"staff_{name} {number}")


def run_action(
    request: HttpRequest, number: str, name: str, key: str, action: Callable[[], object], *, expected: ExpectedIn
) -> HttpResponse:
    """Run an action once per key, if the order is as the caller has read it. Returns the order as it is afterwards."""
    return _act(keyed_call(request, number, name, key), number, as_expected(number, expected, action))


@idempotency.once()
def _act(number: str, action: Callable[[], object]) -> tuple[int, BaseModel]:
    action()
    return 200, representations.staff_order(order_numbered(number))


def as_expected(number: str, payload: ExpectedIn, action: Callable[[], Result]) -> Callable[[], Result]:
    """An action that is refused with OrderChanged if the order is not as the caller has read it.

    The order is locked meanwhile, so of two callers that have read the same only one acts.
    """
    if not payload.expected_version:
        return action

    @in_transaction(Order)
    def checked() -> Result:
        check_version(lifecycle.lock(order_numbered(number).pk), payload)
        return action()

    return checked


def check_version(order: Order, payload: ExpectedIn) -> None:
    """OrderChanged if the order is not as the caller has read it."""
    if payload.expected_version and payload.expected_version != tracking.version_of(order):
        raise OrderChanged


def order_numbered(number: str) -> Order:
    order = Order.objects.select_related("customer").numbered(number).first()
    if order is None:
        raise NotFound
    return order


def quantities_of(lines: list[ItemIn]) -> dict[str, int]:
    wanted: Counter[str] = Counter()
    for item in lines:
        wanted[item.line or item.product] += item.quantity
    return dict(wanted)
