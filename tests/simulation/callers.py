"""Callers of the API: a customer's app and staff's, which send some requests again with the same key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.test import Client
from shop_orders.models import Order

from simulation.actors import PHONE, found_at_provider, undecided
from simulation.providers import SERVICES
from simulation.steps import step
from simulation.world import World

Call = tuple[str, dict[str, Any]]


@step(weight=3)
def call_as_customer(world: World) -> None:
    """Ann's app pays, cancels or looks at one of her orders."""
    order = world.pick(list(Order.objects.filter(customer__user__email="ann@example.org").order_by("id")))
    what, way = world.rng.choice(("pay", "pay", "cancel", "look")), world.rng.choice(("", *world.plan.ways))
    again = world.chance(0.4)
    if order is None:
        return
    calls: dict[str, Call] = {
        "pay": (f"{order.number}/payments/", {"payment_provider": way, "phone": PHONE}),
        "cancel": (f"{order.number}/cancel/", {"reason": "Changed my mind"}),
        "look": (f"{order.number}/tracking/", {}),
    }
    name = world.order_name(order.number)
    path, body = calls[what]
    text = f"Ann's app calls {what} of {name}{f' by {way}' if what == 'pay' and way else ''}"
    if what == "look":
        _call(world, text, "ann@example.org", "get", f"/api/orders/orders/{path}", None, key="")
    else:
        _post(world, text, "ann@example.org", f"/api/orders/orders/{path}", body, again=again)


@step(weight=4)
def call_as_staff(world: World) -> None:
    """Staff's app changes an order."""
    order = world.pick(list(Order.objects.order_by("id")))
    draw, again = world.rng.random(), world.chance(0.4)
    share = Decimal(world.rng.choice(("0.2", "0.6")))
    if order is None:
        return
    calls = _staff_calls(world, order, share)
    path, body = calls[int(draw * len(calls))]
    text = f"staff's app calls {' '.join(part for part in path.split('/') if part.isalpha())} of "
    _post(
        world,
        text + world.order_name(order.number),
        "staff@example.org",
        f"/api/orders/staff/{path}",
        body,
        again=again,
    )


def _staff_calls(world: World, order: Order, share: Decimal) -> list[Call]:
    base = f"orders/{order.number}"
    calls: list[Call] = [(f"{base}/{name}/", {}) for name in ("confirm", "process", "ship", "deliver", "cancel")]
    if amount := round(order.paid_amount * share, 2):
        reason = f"intent {next(world.numbers)}"
        world.wanted_back[reason] = amount
        calls += [(f"{base}/refund/", {"amount": str(amount), "reason": reason})] * 3
    for payment in (one for one in undecided() if one.order_id == order.pk):
        service = SERVICES[payment.provider]
        if not payment.needs_decision:
            calls.append((f"{base}/payments/{payment.public_id}/capture/", {}))
        else:
            value = found_at_provider(service, payment)
            calls.append((f"{base}/payments/{payment.public_id}/resolve/", {"amount": f"{value:.2f}"}))
    return calls


def _post(world: World, text: str, who: str, path: str, body: dict[str, Any], *, again: bool) -> None:
    key = f"call {next(world.numbers)}" if again else ""
    first = _call(world, text, who, "post", path, body, key=key)
    if not again:
        return
    second = _call(world, f"{text}, the same again", who, "post", path, body, key=key)
    if first is None or second is None or first.status_code != 200:
        return
    if second.status_code == 200 and first.content != second.content:
        world.fault(
            "a repeated request got another answer", f"{text}: {first.content!r:.200}, {second.content!r:.200}"
        )


def _call(world: World, text: str, who: str, method: str, path: str, body: dict[str, Any] | None, *, key: str) -> Any:
    headers = {"Authorization": f"Bearer {who}", **({"Idempotency-Key": key} if key else {})}
    client = Client(headers=headers, raise_request_exception=True)

    def call() -> Any:
        if method == "get":
            return client.get(path)
        return client.post(path, body, content_type="application/json")

    response = world.run(text + (" with a key" if key else ""), call)
    if response is None:
        return None
    world.story.say(f"the API responds {response.status_code}")
    if response.status_code >= 500 and response.status_code != 503:
        world.fault(f"the API responds {response.status_code}", f"{text}: {response.content!r:.300}")
    elif response.status_code >= 400 and not response.json().get("code"):
        world.fault("an error of the API has no code", f"{text}: {response.content!r:.300}")
    return response
