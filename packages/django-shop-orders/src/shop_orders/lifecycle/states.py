"""The action that puts an order into a state of the site's own."""

from __future__ import annotations

from typing import Any

from django.utils import translation

from shop_orders import events
from shop_orders.exceptions import InvalidTransition, UnknownState
from shop_orders.lifecycle import goods, statuses
from shop_orders.models import Order, OrderStatus
from shop_orders.models.states import State, configured, state_label
from shop_orders.transactions import in_transaction

REACHED_FROM = {
    OrderStatus.PROCESSING: OrderStatus.CONFIRMED,
    OrderStatus.SHIPPED: OrderStatus.PROCESSING,
    OrderStatus.DELIVERED: OrderStatus.SHIPPED,
}
"""The status from which an order gets the built-in one by the same step."""


def allowed_states(order: Order) -> list[str]:
    """The states that ``set_state`` accepts for an order now."""
    return [state.name for state in configured().values() if state.name != order.state and _may_reach(order, state)]


@in_transaction(Order)
def set_state(order_id: int, state: str, *, by: Any = None, notify: bool = True) -> Order:
    """Put an order into a state of STATES; "" takes it out of its state.

    If its status is the one before, the order first gets the status that the state stands for, as by
    ``start_processing``, ``ship`` (everything that is left) or ``deliver``. The customer is told about the state only.

    Raises:
        UnknownState: it is not in STATES.
        InvalidTransition: the order is in this state, or its status does not allow it.
    """
    order = statuses.lock(order_id)
    found = configured().get(state)
    if state and found is None:
        raise UnknownState(state)
    if state == order.state or (found and not _may_reach(order, found)):
        raise InvalidTransition(old=order.state or order.status, new=state or order.status)
    old = order.state
    if found and order.status != found.kind:
        order = _with_status(order, OrderStatus(found.kind), by=by)
    order.state = state
    order.save(update_fields=["state", "updated_at"])
    _record(order, old, found, by=by, notify=notify)
    return order


def _may_reach(order: Order, state: State) -> bool:
    return order.status in (state.kind, REACHED_FROM.get(OrderStatus(state.kind)))


def _with_status(order: Order, kind: OrderStatus, *, by: Any) -> Order:
    if kind == OrderStatus.SHIPPED:
        goods.ship(order.pk, by=by, notify=False)
        return statuses.lock(order.pk)
    statuses.check(order, kind)
    statuses.set_status(order, kind, by=by, notify=False)
    return order


def _record(order: Order, old: str, state: State | None, *, by: Any, notify: bool) -> None:
    """The event, with the label in the customer's language. Taking an order out of its state sends no message."""
    with translation.override(order.language or translation.get_language()):
        label = state_label(order.state)
    events.record(
        order,
        "state_changed",
        signal="order_state_changed",
        by=by,
        old_status=order.status,
        new_status=order.status,
        message=label,
        notify=notify and state is not None,
        extra={
            "old_state": old,
            "new_state": order.state,
            "state_label": label,
            "event": state.event if state else "",
        },
    )
