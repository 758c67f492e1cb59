"""Customers and staff, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import Sum
from shop_orders import carts, checkout, idempotency, lifecycle, payments
from shop_orders.models import Cart, IncomingPayment, Order, OrderStatus, Payment, Refund
from shop_orders.payment_providers import refund_needs_decision

from simulation.providers import SERVICES, Deal, Letter, Service
from simulation.steps import step
from simulation.world import GOODS, MAX_UNITS, MAX_UNPAID, Shopper, World

PHONE = "+254712345678"
ENGRAVINGS: dict[int, dict[str, str]] = {1: {}, 2: {"Engraving": "For Anna"}, 3: {"Engraving": "<Ben>"}}
"""The options of a line, by its units: carts have several lines of one product."""


# Customers in the shop.


@step(weight=2)
def fill_cart(world: World) -> None:
    _fill_cart(world, world.rng.choice(world.shoppers))


def _fill_cart(world: World, shopper: Shopper) -> None:
    sku, quantity = world.rng.choice(list(GOODS)), world.rng.choice((1, 1, 2, 2, 3))
    function = carts.add_to_cart

    def add() -> Any:
        options = ENGRAVINGS[quantity]
        cart, token = carts.add_to_cart(sku, quantity, customer=shopper.customer, token=shopper.token, options=options)
        return cart, token

    result = world.run(f"{shopper.name} puts {quantity} × {sku} into the cart", add, documents=function)
    if result is not None:
        cart, token = result
        shopper.token = token or shopper.token
        shopper.carts.append(cart)


@step(weight=1)
def empty_cart(world: World) -> None:
    shopper = world.rng.choice(world.shoppers)
    cart = world.pick(shopper.carts)
    sku = world.rng.choice(list(GOODS))
    if cart is not None:
        world.run(f"{shopper.name} takes {sku} out of a cart", lambda: carts.remove_item(cart, sku), documents=None)


@step(weight=6)
def check_out(world: World) -> None:
    """Order a cart, perhaps one from another tab, or the same again."""
    shopper = world.rng.choice(world.shoppers)
    is_new = world.chance(0.8)
    if not shopper.carts or (is_new and Order.objects.filter(cart=shopper.carts[-1].pk).exists()):
        _fill_cart(world, shopper)
    cart = shopper.carts[-1] if shopper.carts and is_new else world.pick(shopper.carts)
    way = world.rng.choice(world.plan.ways)
    key = f"cart {cart.public_id}" if cart is not None and world.chance(0.5) else ""
    looks, pays = world.chance(0.5), world.chance(0.7)
    order = None if cart is None else _order(world, shopper, cart, way, key=key, looks=looks)
    if order is not None and pays:
        _pay(world, order, "")


@step(weight=1)
def hoard(world: World) -> None:
    """A buyer orders one cart after another and pays none."""
    shopper, happens = world.rng.choice(world.shoppers), world.happens("a buyer orders more and more", 0.8)
    way = world.rng.choice(world.plan.ways)
    for _ in range(MAX_UNPAID + 1 if happens else 0):
        _fill_cart(world, shopper)
        if shopper.carts:
            _order(world, shopper, shopper.carts[-1], way, key="", looks=False)


def _order(world: World, shopper: Shopper, cart: Cart, way: str, *, key: str, looks: bool) -> Order | None:
    def place() -> Any:
        shown = carts.view(cart, customer=cart.customer, payment_provider=way).draft.total if looks else None
        order = checkout.place_order(
            cart,
            contact=checkout.Contact(name=shopper.name, email=shopper.email, phone=PHONE),
            provider=way,
            by=shopper.customer.user if shopper.customer else None,
            expected_total=shown,
        )
        return order.number

    text = f"{shopper.name} orders a cart to pay by {way}{' with a key' if key else ''}"
    number = world.run(text, partial(_once, "place_order", key, place), documents=checkout.place_order)
    if not number:
        return None
    order = Order.objects.get(number=number)
    if order.placed_at == world.clock.now:  # else a request is repeated, perhaps with another way
        world.placed_with.setdefault(number, way)
    world.story.say(f"that is {world.order_name(number)}, {order.total} KES")
    if shopper.customer is None:
        shopper.token = ""
    _check_limit(world, shopper)
    return order


@step(weight=6)
def pay(world: World) -> None:
    order = world.pick(_orders())
    if order is not None:
        _pay(world, order, "")


@step(weight=2)
def change_way(world: World) -> None:
    order = world.pick(_orders())
    way = world.rng.choice(world.plan.ways)
    if order is not None:
        _pay(world, order, way)


def _pay(world: World, order: Order, way: str) -> None:
    key = world.rng.choice(("", "", f"pay {order.number}"))
    name = world.order_name(order.number)

    def start() -> Any:
        return str(payments.start(order.pk, provider=way, phone=PHONE).public_id)

    text = f"the customer pays {name}{f' by {way} now' if way else ''}{' with a key' if key else ''}"
    work = partial(_once, f"start_payment {order.number}", key, start, run=idempotency.run_outside)
    world.run(text, work, documents=payments.start)
    if world.chance(0.5):
        _use_page(world, order.number)


@step(weight=1)
def cancel_own(world: World) -> None:
    order = world.pick(_orders())
    if order is not None:
        world.run(
            f"the customer cancels {world.order_name(order.number)}",
            lambda: lifecycle.cancel(order.pk, reason="Changed my mind"),
            documents=lifecycle.cancel,
        )


# Customers at the provider.


@step(weight=10)
def use_page(world: World) -> None:
    """Do something at the provider: pay, refuse, pay twice, pay a page that is old."""
    _use_page(world, "")


def _use_page(world: World, number: str) -> None:
    deals = [
        (service, deal)
        for service in SERVICES.values()
        if service.sends_events
        for deal in service.deals.values()
        if not number or deal.order_number == number
    ]
    is_old = world.happens("a customer pays an old page", 0.4)
    is_doubled = world.happens("a customer pays twice", 0.4)
    refuses = world.chance(0.15)
    paid = [pair for pair in deals if pair[1].status == "captured" and pair[0].can_be_paid_again]
    paid = [pair for pair in paid if not pair[1].is_by_hand]
    if is_doubled and paid:
        service, deal = world.rng.choice(paid)
        world.story.say(f"{service.alias}: the customer pays {service.name(deal)} a second time")
        service.pay_again(deal)
        return _post(world)
    current = [pair for pair in deals if pair[1].status == "open"]
    if not current:
        return None
    service, deal = world.rng.choice(current) if is_old else current[-1]
    if refuses:
        world.story.say(f"{service.alias}: the customer refuses to pay {service.name(deal)}")
        service.end(deal, service.refusing_means)
    else:
        world.story.say(f"{service.alias}: the customer pays {service.name(deal)}")
        service.pay(deal)
    return _post(world)


@step(weight=3)
def transfer(world: World) -> None:
    """Send money to the bank, or give it to the courier."""
    services = [service for service in SERVICES.values() if not service.sends_events]
    service = world.pick(services)
    order = world.pick([order for order in _orders() if service and order.payment_provider == service.alias])
    wrong = world.happens("a customer transfers another amount", 0.4)
    share = world.rng.choice(("0.4", "0.6", "1.2"))
    again = world.happens("a customer pays twice", 0.3)
    if service is None or order is None or (service.alias == "door" and order.status not in ("shipped", "delivered")):
        return
    if not again and any(deal.order_number == order.number for deal in service.deals.values()):
        return
    amount = round(order.total * Decimal(share), 2) if wrong else order.total
    deal = service.new_deal("", order.number, amount, order.currency)
    deal.status, deal.value = "captured", amount
    place = "transfers" if service.alias == "bank" else "gives the courier"
    world.story.say(f"the customer {place} {amount} for {world.order_name(order.number)}")


@step(weight=2)
def pay_by_hand(world: World) -> None:
    """A customer sends money to the till without waiting for the phone to ring."""
    service, order = SERVICES.get("phone"), world.pick(_orders())
    happens, mistypes = (
        world.happens("a customer pays by hand", 0.8),
        world.happens("a customer types another number", 0.4),
    )
    wrong, share = world.happens("a customer transfers another amount", 0.4), world.rng.choice(("0.5", "1.5"))
    other, again = world.pick(_orders()), world.happens("a customer pays twice", 0.4)
    if service is None or order is None or other is None or not happens:
        return
    if not again and any(deal.order_number == order.number and deal.value for deal in service.deals.values()):
        return
    amount = round(order.total * Decimal(share), 2) if wrong else order.total
    typed = world.rng.choice((order.number.lower(), order.number.replace("-", ""), other.number, "mama"))
    account = typed if mistypes else order.number
    meant = {other.number: world.order_name(other.number), "mama": "“mama”"}
    words = "its number" if account == order.number else meant.get(account, "its number in another way")
    world.story.say(f"phone: a customer sends {amount} for {world.order_name(order.number)} by hand and types {words}")
    service.pay_by_hand(order.number, account, amount)
    _post(world)


@step(weight=6)
def post(world: World) -> None:
    """Events arrive, in any order."""
    for _ in range(world.rng.choice((1, 1, 2, 4))):
        letter = world.pick(world.due_mail())
        if letter is not None:
            world.deliver(letter)


def _post(world: World) -> None:
    letter = world.mail[-1] if world.mail else None
    arrives = world.chance(0.6)
    if letter is not None and arrives and letter.due_at <= world.clock.now:
        world.deliver(letter)


@step(weight=1)
def forge_receipt(world: World) -> None:
    """A stranger claims to have sent money by hand."""
    order, happens = world.pick(_orders()), world.happens("a stranger sends an event", 0.8)
    if order is None or not happens or "phone" not in SERVICES:
        return
    values = {"receipt": f"forged-{next(world.numbers)}", "amount": str(order.total), "account": order.number}
    body = {**values, "kind": "incoming", "status": "reported", "currency": "KES"}
    world.deliver(Letter("phone", body, world.clock.now, 1, next(world.numbers), is_forged=True))


@step(weight=1)
def forge(world: World) -> None:
    """A stranger claims that a push was paid."""
    service = SERVICES.get("phone")
    happens = world.happens("a stranger sends an event", 0.8)
    deal = world.pick([deal for deal in service.deals.values() if deal.status != "captured"]) if service else None
    if deal is None or not happens:
        return
    body = {
        "kind": "captured",
        "reference": deal.reference,
        "payment_id": deal.payment_id,
        "amount": str(deal.amount),
        "currency": deal.currency,
    }
    world.deliver(Letter("phone", body, world.clock.now, 1, next(world.numbers), is_forged=True))


# Staff.


@step(weight=2)
def confirm(world: World) -> None:
    _verb(world, "confirm", lifecycle.confirm)


@step(weight=3)
def process(world: World) -> None:
    _verb(world, "begin to pack", lifecycle.start_processing, *("confirmed",))


@step(weight=2)
def deliver(world: World) -> None:
    _verb(world, "note the delivery of", lifecycle.deliver, "shipped")


@step(weight=0.6)
def cancel(world: World) -> None:
    _verb(world, "cancel", lifecycle.cancel)


def _verb(world: World, text: str, verb: Callable[..., Any], *statuses: str) -> None:
    order = world.pick(_orders(*statuses))
    if order is not None:
        name = world.order_name(order.number)
        world.run(f"staff {text} {name}", lambda: verb(order.pk, by=world.staff), documents=verb)


@step(weight=4)
def ship(world: World) -> None:
    """Send all or a part. What waits to be packed is packed first."""
    order = world.pick(_orders("confirmed", "processing"))
    part = world.chance(0.4)
    if order is None:
        return
    if order.status == OrderStatus.CONFIRMED:
        lifecycle.start_processing(order.pk, by=world.staff)
    lines = [line for line in order.lines.order_by("pk") if line.open_quantity]
    quantities = {line.line: world.rng.randint(1, line.open_quantity) for line in lines[:1]} if part else None
    name = world.order_name(order.number)
    world.run(
        f"staff ship {quantities or 'all'} of {name}",
        lambda: lifecycle.ship(order.pk, quantities=quantities, by=world.staff),
        documents=lifecycle.ship,
    )


@step(weight=5)
def refund(world: World) -> None:
    """Send money back: by line with the goods, the shipping, an amount, or all; perhaps twice with one key."""
    order = world.pick([order for order in _orders() if order.paid_amount])
    if order is not None:
        _refund(world, order)
        if world.chance(0.4):
            _refund(world, order)


def _refund(world: World, order: Order) -> None:
    how = world.rng.choice(("all", "lines", "lines and shipping", "shipping", "amount", "amount"))
    share, key, again = world.rng.choice(("0.1", "0.3", "0.5", "0.9")), world.chance(0.5), world.chance(0.3)
    restocks, is_credited = world.chance(0.5), world.chance(0.7)
    wish = _wish(order, how, Decimal(share), restocks=restocks)
    reason = f"intent {next(world.numbers)}"

    def queue() -> Any:
        before, unsent = _account(order), _value_of_unsent(order)
        rows = payments.queue_refund(order.pk, **wish, credit=is_credited, reason=reason, by=world.staff)
        unsent -= _value_of_unsent(order)
        amount = sum(row.amount for row in rows)
        _check_credit(world, before, _account(order), amount, unsent=unsent, is_credited=is_credited)
        world.wanted_back[reason] = sum((row.amount for row in rows), Decimal(0))
        return [str(row.public_id) for row in rows]

    def send() -> None:
        queued = _once(f"staff_refund {order.number}", reason if key else "", queue)
        for row in Refund.objects.filter(public_id__in=queued):
            payments.send_refund(row.pk)

    words = ", ".join(
        [how, *(() if is_credited else ("without credit",)), *(("restock",) if "restock" in wish else ())]
    )
    what = wish.get("amount") or wish.get("lines") or "all"
    text = f"staff refund {words} of {world.order_name(order.number)} ({what})"
    text += " with a key" if key else ""
    world.run(text, send, documents=payments.queue_refund)
    if key and again:
        world.run(f"{text}, the same again", send, documents=payments.queue_refund)


def _wish(order: Order, how: str, share: Decimal, *, restocks: bool) -> dict[str, Any]:
    """What staff want to refund, as arguments of ``queue_refund``."""
    line = order.lines.order_by("pk").first()
    wish: dict[str, Any] = {}
    if how == "amount":
        wish["amount"] = round(order.paid_amount * share, 2)
    if how.startswith("lines"):
        wish["lines"] = {line.line: 1}
    if how.endswith("shipping"):
        wish["shipping"] = True
    if restocks and how != "amount" and line.shipped_quantity > line.restocked_quantity:
        wish["restock"] = {line.line: 1}
    return wish


def _account(order: Order) -> tuple[Decimal, Decimal, Decimal]:
    """What is credited, and due to the customer; and the total."""
    fresh = Order.objects.get(pk=order.pk)
    return fresh.credited_amount, fresh.refund_due, fresh.total


def _value_of_unsent(order: Order) -> Decimal:
    """At most what the customer paid for the goods that are left to send; all, and the shipping, once it is over."""
    if Order.objects.get(pk=order.pk).status == OrderStatus.CANCELLED:
        return -order.total
    lines = order.lines.all()
    return sum((line.open_quantity * (line.unit_price + (line.tax or 0)) for line in lines), Decimal(0))


def _check_credit(
    world: World,
    before: tuple[Decimal, ...],
    after: tuple[Decimal, ...],
    amount: Decimal,
    *,
    unsent: Decimal,
    is_credited: bool,
) -> None:
    """A refund first uses up what is due anyway; only what exceeds it is credited, if staff want that.

    Goods that will not be sent (``unsent`` is at most their price) are always credited.
    """
    (was, due, total), (now, still_due, _total) = before, after
    expected = min(max(amount - due, Decimal(0)), total - was) if is_credited else Decimal(0)
    if not expected <= now - was <= min(expected + unsent, total - was):
        world.fault("a refund credits the wrong amount", f"{amount} refunded, {due} was due: {now - was} credited")
    if still_due > max(due - amount, Decimal(0)) + unsent:
        world.fault("a refund leaves too much due", f"{amount} refunded, {due} was due, {still_due} is still due")


@step(weight=2)
def take_goods_back(world: World) -> None:
    """A parcel comes back, perhaps refused at the door, and goes on the shelf again. No money moves."""
    is_credited, most = world.chance(0.5), world.rng.choice((1, 1, 2))
    lines = [
        (order, line)
        for order in _orders()
        for line in order.lines.order_by("pk")
        if line.shipped_quantity > line.restocked_quantity
    ]
    pair = world.pick(lines)
    if pair is None:
        return
    order, line = pair
    units = min(most, line.shipped_quantity - line.restocked_quantity)
    text = f"staff put {units} × {line.product_ref} of {world.order_name(order.number)} back on the shelf"
    world.run(
        f"{text}{' and credit it' if is_credited else ''}",
        lambda: lifecycle.restock(order.pk, {line.line: units}, credit=is_credited, by=world.staff),
        documents=lifecycle.restock,
    )


@step(weight=2)
def reinstate(world: World) -> None:
    """An order that was cancelled or expired, and paid, comes back if its goods are there."""
    order = world.pick(_orders("cancelled"))
    if order is not None:
        world.run(
            f"staff reinstate {world.order_name(order.number)}",
            lambda: lifecycle.reinstate(order.pk, by=world.staff),
            documents=lifecycle.reinstate,
        )


@step(weight=3)
def read_statement(world: World) -> None:
    """Record what the bank's statement and the courier's cash say, early or late."""
    read_all(world, share=0.6)


def read_all(world: World, *, share: float = 1) -> None:
    for service in SERVICES.values():
        for deal in list(service.deals.values()):
            if not service.sends_events and deal.value and not deal.is_recorded and world.chance(share):
                record(world, service.alias, deal)


def record(world: World, alias: str, deal: Deal) -> None:
    order = Order.objects.get(number=deal.order_number)
    before = order.paid_amount
    text = f"staff record {deal.value} by {alias} for {world.order_name(order.number)}"
    world.run(
        text,
        lambda: payments.record_payment(order.pk, amount=deal.value, provider=alias, by=world.staff),
        documents=payments.record_payment,
    )
    order.refresh_from_db()
    deal.is_recorded = order.paid_amount != before


@step(weight=3)
def resolve(world: World) -> None:
    """Look up held payments at the provider and say what came; take what is authorised."""
    payment = world.pick(undecided())
    if payment is not None:
        settle_by_hand(world, payment)


def undecided() -> list[Payment]:
    """What staff have to decide: held payments, those that nobody can be asked about, and authorised ones.

    They wait as long as the provider's page says that the money is on its way.
    """
    payments = Payment.objects.exclude(status__in=("captured", "failed", "cancelled")).order_by("id")
    found = [one for one in payments if one.needs_decision or one.status == Payment.Status.AUTHORISED]
    return [one for one in found if all(deal.status != "processing" for deal in _deals_of(one))]


def found_at_provider(service: Service, payment: Payment) -> Decimal:
    """What staff see on the provider's pages: by the payment's reference, or without one by our id of the payment.

    A transaction that is recorded as another payment, by its reference or its receipt, is not counted once more.
    """
    others = payment.order.payments.filter(provider=payment.provider).exclude(pk=payment.pk)
    known = {name for names in others.values_list("provider_reference", "receipt") for name in names if name}
    found = _deals_of(payment)
    return sum((deal.value for deal in found if not known & {deal.reference, deal.receipt}), Decimal(0))


def _deals_of(payment: Payment) -> list[Deal]:
    reference, payment_id = payment.provider_reference, str(payment.public_id)
    deals = SERVICES[payment.provider].deals.values()
    return [deal for deal in deals if (deal.reference == reference if reference else deal.payment_id == payment_id)]


def settle_by_hand(world: World, payment: Payment) -> None:
    service = SERVICES[payment.provider]
    name = world.order_name(payment.order.number)
    if payment.needs_decision:
        value = found_at_provider(service, payment)
        world.run(
            f"staff find that {value} came of the payment of {name} that waits for them",
            lambda: payments.resolve(payment.pk, amount=value, by=world.staff),
            documents=payments.resolve,
        )
    else:
        world.run(
            f"staff take the deposit of {name}",
            lambda: payments.capture(payment.pk, by=world.staff),
            documents=payments.capture,
        )


@step(weight=2)
def resolve_refund(world: World) -> None:
    """Look at the provider's page what became of a refund that nobody can be asked about."""
    refund = world.pick(undecided_refunds())
    if refund is not None:
        settle_refund(world, refund)


def undecided_refunds() -> list[Refund]:
    """The refunds that staff are asked to look at."""
    waiting = (
        Refund.objects.filter(status__in=("queued", "pending")).exclude(error="").select_related("payment__order")
    )
    return [one for one in waiting.order_by("id") if refund_needs_decision(one)]


def settle_refund(world: World, refund: Refund) -> None:
    """Staff enter whether it was made; one that is on its way there is looked at later.

    At a provider that was removed they make it themselves, on its pages.
    """
    service = SERVICES[refund.payment.provider]
    back, makes_it = service.find_return(refund.provider_reference, str(refund.public_id)), world.chance(0.5)
    if back is not None and back.status == "pending":
        return
    is_made = back is not None and back.status == "succeeded"
    if back is None and service.alias in world.removed and (makes_it or world.is_calm):
        is_made = _make_at_provider(world, service, refund)
    name = world.order_name(refund.payment.order.number)
    world.run(
        f"staff find that the refund of {refund.amount} of {name} was {'' if is_made else 'not '}made",
        lambda: payments.resolve_refund(refund.pk, succeeded=is_made, by=world.staff),
        documents=payments.resolve_refund,
    )
    if not is_made and service.alias in world.removed:
        _record_made_at_provider(world, refund.payment)


def _record_made_at_provider(world: World, payment: Payment) -> None:
    """Staff enter what they see on the pages of a provider that was removed, and that is not in the books."""
    payment.refresh_from_db()
    missing = sum((deal.returned for deal in _deals_of(payment)), Decimal(0)) - payment.refunded_amount
    if missing > 0 and payment.status == Payment.Status.CAPTURED:
        world.run(
            f"staff record that {missing} of {world.order_name(payment.order.number)} went back on its pages",
            lambda: payments.record_provider_refund(payment.pk, amount=missing, by=world.staff),
            documents=payments.record_provider_refund,
        )


def _make_at_provider(world: World, service: Service, refund: Refund) -> bool:
    deals = _deals_of(refund.payment)
    if sum(deal.returned for deal in deals) - refund.payment.refunded_amount >= refund.amount:
        return True  # they see there that it was made already
    for deal in deals:
        if deal.value - deal.returned - deal.on_the_way >= refund.amount:
            world.story.say(f"{service.alias}: staff send back {refund.amount} of {service.name(deal)} on its pages")
            service.give_back(deal.reference, refund.amount)
            return True
    return False


@step(weight=2)
def sort_incoming(world: World) -> None:
    """Look at money that was sent by hand and belongs to nothing yet."""
    row = world.pick(list(IncomingPayment.objects.filter(status="held").order_by("id")))
    if row is not None:
        sort_one(world, row)


def sort_one(world: World, row: IncomingPayment) -> None:
    """Staff compare it with the statement: it is meant for an order, or it never came."""
    service = SERVICES["phone"]
    deal = service.with_receipt(row.receipt)
    if deal is None or _is_booked(deal):
        world.run(
            f"staff dismiss the incoming {row.receipt}",
            lambda: payments.dismiss_incoming(row.pk, comment="Not on the statement", by=world.staff),
            documents=payments.dismiss_incoming,
        )
        return
    order = Order.objects.get(number=deal.order_number)
    world.run(
        f"staff assign the incoming {row.receipt} to {world.order_name(order.number)}",
        lambda: payments.assign_incoming(row.pk, order.pk, by=world.staff),
        documents=payments.assign_incoming,
    )


def _is_booked(deal: Deal) -> bool:
    """Whether the shop has this transaction already, as a push or by its receipt."""
    known = Payment.objects.filter(provider="phone").exclude(captured_amount=0)
    return known.filter(provider_reference__in=(deal.reference, deal.receipt)).exists() or (
        bool(deal.payment_id) and known.filter(provider_reference="", public_id=deal.payment_id).exists()
    )


@step(weight=2)
def give_back(world: World) -> None:
    """Send back by hand what the shop says is due."""
    order = world.pick(list(Order.objects.refund_due().order_by("id")))
    if order is not None:
        give_back_due(world, order)


def give_back_due(world: World, order: Order) -> None:
    amount, name = order.refund_due, world.order_name(order.number)
    reason = f"intent {next(world.numbers)}"
    world.wanted_back[reason] = amount
    world.run(
        f"staff send back the {amount} that is due of {name}",
        lambda: payments.refund(order.pk, amount=amount, reason=reason, by=world.staff),
        documents=payments.queue_refund,
    )
    for payment in order.payments.filter(provider__in=world.removed, status="captured").order_by("-id"):
        _give_back_at_removed(world, payment)


def _give_back_at_removed(world: World, payment: Payment) -> None:
    """The shop cannot refund this money, so staff send it back themselves and enter that."""
    waiting = payment.refunds.filter(status__in=("queued", "pending")).aggregate(sum=Sum("amount"))["sum"] or 0
    due = Order.objects.get(pk=payment.order_id).refund_due
    amount, service = min(due, payment.refundable_amount - waiting), SERVICES[payment.provider]
    if amount <= 0:
        return
    of_order = [deal for deal in service.deals.values() if deal.order_number == payment.order.number]
    deals = _deals_of(payment) if service.sends_events else of_order
    back = sum((deal.returned for deal in deals), Decimal(0)) - payment.refunded_amount
    rest = amount - max(min(amount, back), Decimal(0))  # they see there what went back already
    for deal in deals:
        part = min(rest, deal.value - deal.returned - deal.on_the_way)
        if part > 0:
            service.give_back(deal.reference, part)
            rest -= part
    sent, name = amount - rest, world.order_name(payment.order.number)
    if sent:
        world.run(
            f"staff send back {sent} of {name} themselves, since {service.alias} is removed, and record that",
            lambda: payments.record_provider_refund(payment.pk, amount=sent, by=world.staff),
            documents=payments.record_provider_refund,
        )


@step(weight=2)
def refund_elsewhere(world: World) -> None:
    """Staff send money back in the provider's own dashboard."""
    happens = world.happens("a refund is made at the provider", 0.7)
    found = [
        (service, deal)
        for service in SERVICES.values()
        if service.sends_events and service.names_amounts
        for deal in service.deals.values()
        if deal.value - deal.returned - deal.on_the_way > 0
    ]
    pair = world.pick(found)
    share = Decimal(world.rng.choice(("0.25", "1")))
    if not happens or pair is None:
        return
    service, deal = pair
    amount = round((deal.value - deal.returned - deal.on_the_way) * share, 2)
    if amount > 0:
        world.story.say(f"{service.alias}: staff send back {amount} of {service.name(deal)} in the dashboard")
        service.give_back(deal.reference, amount)
        _post(world)


@step(weight=1, may_nest=False)
def outage(world: World) -> None:
    """A provider goes away, or comes back."""
    service = SERVICES[world.rng.choice(world.plan.ways)]
    happens = world.happens("a provider is away", 0.7)
    if service.sends_events and (happens or service.is_away):
        service.is_away = not service.is_away
        world.story.say(f"{service.alias} {'goes away' if service.is_away else 'is back'}")


@step(weight=1, may_nest=False)
def change_settings(world: World) -> None:
    """A provider is taken out of the settings, or put back."""
    alias, removed = world.rng.choice(world.plan.ways), world.pick(sorted(world.removed - world.removed_for_good))
    for_good = world.happens("a provider is removed for good", 0.3)
    happens = world.happens("a provider is removed", 0.6) or for_good
    if removed is not None:
        world.put_back(removed)
        world.story.say(f"{removed} is put back into the settings")
    elif happens and len(world.plan.ways) - len(world.removed) > 1 and alias not in world.removed:
        world.remove(alias, for_good=for_good)
        world.story.say(f"{alias} is removed from the settings{' for good' if for_good else ''}")


@step(weight=1)
def change_price(world: World) -> None:
    """Prices change while carts are open."""
    from shop_catalog.models import Product

    sku, factor = world.rng.choice(list(GOODS)), Decimal(world.rng.choice(("0.8", "1.25")))
    price = round(Decimal(GOODS[sku][0]) * factor, 2)
    Product.objects.filter(sku=sku).update(price=price)
    world.story.say(f"{sku} costs {price} now")


def _orders(*statuses: str) -> list[Order]:
    orders = Order.objects.order_by("id")
    return list(orders.filter(status__in=statuses) if statuses else orders)


def _check_limit(world: World, shopper: Shopper) -> None:
    """Nobody holds more unpaid orders or units than the settings allow, also of those confirmed at placement."""
    held = Order.objects.filter(
        email=shopper.email, status__in=("pending", "confirmed"), payment_status__in=("unpaid", "failed")
    )
    quantities = list(held.annotate(units=Sum("lines__quantity")).values_list("units", flat=True))
    units = sum(quantities)
    if len(quantities) > MAX_UNPAID:
        world.fault("too many unpaid orders", f"{shopper.name} holds {len(quantities)}, {MAX_UNPAID} are allowed")
    if units > MAX_UNITS:
        world.fault("too many unpaid units", f"{shopper.name} holds {units}, {MAX_UNITS} are allowed")


def _once(route: str, key: str, work: Callable[[], Any], *, run: Any = idempotency.run) -> Any:
    """What the API does with an Idempotency-Key."""
    if not key:
        return work()
    request = idempotency.KeyedRequest(owner="simulation", route=route, key=key, digest="same")
    return run(request, lambda: (200, work())).body
