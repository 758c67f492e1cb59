"""What must be true when nothing happens any more. Each check says what is wrong in its own kind of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from shop_catalog import inventory
from shop_catalog.models import Product
from shop_notify.models import Notification, State
from shop_notify.notifiers.memory import MemoryNotifier
from shop_orders.models import (
    IncomingPayment,
    Order,
    OrderEvent,
    OrderStatus,
    Payment,
    PaymentStatus,
    ProviderEvent,
    Refund,
)

from simulation import clock
from simulation.providers import SERVICES, Deal, Service
from simulation.world import GOODS, World

ZERO = Decimal(0)
Found = Iterator[tuple[str, str]]


def judge(world: World) -> None:
    orders = list(
        Order.objects.order_by("id").prefetch_related(
            "lines", "charges", "credits", "payments__refunds", "payments__inbox", "events"
        )
    )
    for order in orders:
        for payment in order.payments.all():
            payment.order = order
    for check in CHECKS:
        for kind, text in check(world, orders):
            world.fault(kind, text)


def provider_books(world: World, orders: list[Order]) -> Found:
    """The shop's books equal the provider's, or the difference stands where staff see it."""
    for service in SERVICES.values():
        if not service.sends_events:
            continue
        payments = payments_of(service, orders)
        for deal in service.deals.values():
            own = [payment for payment in payments if is_of(payment, deal)]
            came = sum((payment.captured_amount for payment in own), ZERO)
            back = sum((payment.refunded_amount for payment in own), ZERO)
            # Staff who look for a payment without a reference find all that was paid under its id.
            same = [other for other in service.deals.values() if any(is_of(payment, other) for payment in own)] or [
                deal
            ]
            paid, returned = sum((one.value for one in same), ZERO), sum((one.returned for one in same), ZERO)
            if came != paid and not _is_shown(service, deal, own):
                which = "money came that nobody sees" if came < paid else "money is booked that never came"
                yield which, f"{service.name(deal)}: {paid} came, {came} is in the books"
            elif back != returned and not _is_shown(service, deal, own):
                which = "money went back that nobody sees" if back < returned else "a refund is booked that never went"
                yield which, f"{service.name(deal)}: {returned} went back, {back} is in the books"
            if (
                came
                and service.names_amounts
                and deal.settled_currency != deal.currency
                and not _was_shown(orders, deal)
            ):
                yield (
                    "another currency is booked unseen",
                    f"{service.name(deal)} was settled in {deal.settled_currency}",
                )
            if deal.returned > deal.value:
                yield "more went back than came", f"{service.name(deal)}: {deal.value} came, {deal.returned} went back"
            if deal.status == "authorised":
                yield "a deposit is held for ever", service.name(deal)
        for payment in payments:
            if payment.captured_amount and not any(is_of(payment, deal) for deal in service.deals.values()):
                yield "money is booked that never came", f"{payment} has no transaction at {service.alias}"


def is_of(payment: Payment, deal: Deal) -> bool:
    """Whether a payment is this transaction: by reference, by receipt, or by our id where it has no reference."""
    if payment.provider_reference:
        return payment.provider_reference in (deal.reference, deal.receipt)
    return bool(deal.payment_id) and str(payment.public_id) == deal.payment_id


def payments_of(service: Service, orders: list[Order]) -> list[Payment]:
    return [payment for order in orders for payment in order.payments.all() if payment.provider == service.alias]


def _is_shown(service: Service, deal: Deal, payments: list[Payment]) -> bool:
    """Whether staff see that something is not as it should be, at the payment, a refund or an event."""
    if service.alias in world_removed():
        return True
    if deal.receipt and IncomingPayment.objects.filter(receipt=deal.receipt, status="held").exists():
        return True
    events = ProviderEvent.objects.filter(provider=service.alias)
    if events.filter(provider_reference=deal.reference, outcome__in=("held", "unmatched")).exists():
        return True
    return any(
        payment.status == Payment.Status.HELD
        or payment.inbox.filter(outcome="held").exists()
        or payment.refunds.filter(status__in=("queued", "pending")).exclude(error="").exists()
        for payment in payments
    )


def _was_shown(orders: list[Order], deal: Deal) -> bool:
    """Whether staff were told that they have to look at a payment of the order, or have looked."""
    kinds = (event.kind for order in orders if order.number == deal.order_number for event in order.events.all())
    return any(kind in ("payment_held", "payment_resolved") for kind in kinds)


def world_removed() -> set[str]:
    return {alias for service in SERVICES.values() for alias in service.world.removed_for_good}


def books_by_hand(world: World, orders: list[Order]) -> Found:
    """What staff read on the bank's statement and count in the courier's cash is in the books."""
    for service in SERVICES.values():
        if service.sends_events or service.alias in world.removed_for_good:
            continue
        for order in orders:
            deals = [deal for deal in service.deals.values() if deal.order_number == order.number]
            payments = [payment for payment in order.payments.all() if payment.provider == service.alias]
            noted_came = sum((payment.captured_amount for payment in payments), ZERO)
            noted_back = sum((payment.refunded_amount for payment in payments), ZERO)
            came, back = sum((deal.value for deal in deals), ZERO), sum((deal.returned for deal in deals), ZERO)
            name = f"{world.order_name(order.number)} by {service.alias}"
            if came != noted_came:
                late = "late " if order.status == OrderStatus.CANCELLED else ""
                yield f"{late}money cannot be recorded", f"{name}: {came} came, {noted_came} is in the books"
            elif back != noted_back:
                yield "money given back by hand differs", f"{name}: {back} went back, {noted_back} is in the books"


def sums(world: World, orders: list[Order]) -> Found:
    """Totals, parts and statuses agree."""
    for order in orders:
        name = world.order_name(order.number)
        payments = list(order.payments.all())
        if order.paid_amount != sum((payment.captured_amount for payment in payments), ZERO):
            yield "paid is not the sum of payments", name
        if order.refunded_amount != sum((payment.refunded_amount for payment in payments), ZERO):
            yield "refunded is not the sum of payments", name
        for payment in payments:
            done = sum((row.amount for row in payment.refunds.all() if row.status == "succeeded"), ZERO)
            if payment.refunded_amount != done:
                yield "refunded is not the sum of refunds", f"{name}: {payment.refunded_amount}, refunds {done}"
            under_way = sum((row.amount for row in payment.refunds.all() if row.status != "failed"), ZERO)
            if under_way > payment.captured_amount:
                yield "refunds above what came", f"{name}: {under_way} of {payment.captured_amount}"
            if (payment.status == Payment.Status.CAPTURED) != bool(payment.captured_amount):
                yield "status of a payment", f"{name}: {payment.status} with {payment.captured_amount}"
        lines = sum((line.line_total for line in order.lines.all()), ZERO)
        charges = sum((charge.amount for charge in order.charges.all() if not charge.is_included), ZERO)
        tax = sum((charge.amount for charge in order.charges.all() if charge.kind == "tax"), ZERO)
        if (lines, lines + charges, tax, order.total - tax) != (
            order.subtotal,
            order.total,
            order.tax_total,
            order.net_total,
        ):
            yield "totals", f"{name}: {lines} + {charges}, tax {tax}"
        yield from _tax_lines(name, order)
        if order.payment_status != (expected := _payment_status(order, payments)):
            yield "payment status", f"{name} is {order.payment_status}, its money says {expected}"
        lines_of_goods = list(order.lines.all())
        shipped = any(line.shipped_quantity for line in lines_of_goods)
        shipped = shipped and all(not line.open_quantity for line in lines_of_goods)
        if shipped != (order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED)):
            yield "status of the goods", f"{name} is {order.status}, all shipped: {shipped}"


def _tax_lines(name: str, order: Order) -> Found:
    """Every product and charge has its net amount and its tax, and they make the order's."""
    parts = [*order.lines.all(), *(row for row in order.charges.all() if row.kind in ("shipping", "fee"))]
    net, tax = (sum((getattr(part, which) for part in parts), ZERO) for which in ("net", "tax"))
    bases = sum((row.base for row in order.tax_lines), ZERO)
    if (net, tax) != (order.net_total, order.tax_total) or (order.total and bases != net):
        yield "tax lines", f"{name}: net {net}, tax {tax}, on {bases}"


def _payment_status(order: Order, payments: list[Payment]) -> str:
    """The table of the reference: what went back first, then what came, then the attempts."""
    kept, asked_for = order.paid_amount - order.refunded_amount, order.total - order.credited_amount
    if order.refunded_amount and (not kept or kept < order.total):
        return PaymentStatus.PART_REFUNDED if kept else PaymentStatus.REFUNDED
    if order.refunded_amount or (order.paid_amount >= asked_for and (order.paid_amount or not order.total)):
        return PaymentStatus.PAID
    statuses = [payment.status for payment in sorted(payments, key=lambda payment: payment.pk)]
    if Payment.Status.AUTHORISED in statuses:
        return PaymentStatus.AUTHORISED
    is_open = any(payment.is_open for payment in payments)
    is_ended = bool(statuses) and not is_open and statuses[-1] in (Payment.Status.FAILED, Payment.Status.CANCELLED)
    return PaymentStatus.FAILED if is_ended and order.paid_amount < asked_for else PaymentStatus.UNPAID


def account(world: World, orders: list[Order]) -> Found:
    """due = total - credited - captured + refunded, at every order."""
    listed = set(Order.objects.refund_due().values_list("pk", flat=True))
    for order in orders:
        name = world.order_name(order.number)
        under_way = sum((row.amount for row in refunds_of(order) if row.status in ("queued", "pending")), ZERO)
        credited = order.credited_amount
        if credited != sum((credit.amount for credit in order.credits.all()), ZERO):
            yield "credited is not the sum of credits", name
        if order.status == OrderStatus.CANCELLED and credited != order.total:
            yield "a cancelled order asks for money", name
        due = order.total - credited - order.paid_amount + order.refunded_amount
        words = f"{name}: {order.total} - {credited} - {order.paid_amount} + {order.refunded_amount} = {due}"
        if order.amount_due != max(due, ZERO):
            yield "amount due", f"{words}, the shop asks for {order.amount_due}"
        if order.refund_due != max(-due - under_way, ZERO):
            yield "refund due", f"{words}, {under_way} under way, the shop says {order.refund_due}"
        if bool(order.refund_due) != (order.pk in listed):
            yield "list of refunds due", f"{name}: {order.refund_due}, listed: {order.pk in listed}"
        if due < 0 and not under_way and order.refund_due == 0:
            yield "surplus is kept", words
        have_money = {payment.provider for payment in order.payments.all() if payment.refundable_amount}
        if due < 0 and not under_way and have_money <= world.removed_for_good:
            yield "surplus at a removed provider is kept", words


def credit_taxes(world: World, orders: list[Order]) -> Found:
    """A credit is its bases and taxes; all credits have at most those of the order, and all when all is credited."""
    for order in orders:
        name = world.order_name(order.number)
        most = {row.position: (row.base or ZERO, row.amount) for row in order.tax_lines}
        found = dict.fromkeys(most, (ZERO, ZERO))
        for credit in order.credits.all():
            parts = [(row["position"], Decimal(row["base"] or 0), Decimal(row["amount"])) for row in credit.tax_lines]
            if sum((base + tax for _position, base, tax in parts), ZERO) != credit.amount:
                yield "tax of a credit", f"{name}: {credit.amount} {credit.kind}, {credit.tax_lines}"
            for position, base, tax in parts:
                found[position] = (found[position][0] + base, found[position][1] + tax)
        if order.credited_amount == order.total and found != most:
            yield "credited without its tax", f"{name}: {found}, the order has {most}"
        for position, (base, tax) in found.items():
            if not (ZERO <= base <= most[position][0] and ZERO <= tax <= most[position][1]):
                yield "more tax is credited than there is", f"{name}: {base}, {tax}, the order has {most[position]}"


def refunds_wanted(world: World, orders: list[Order]) -> Found:
    """Nothing goes back twice: each wish of staff once, and by itself only what is too much."""
    for reason, wanted in world.wanted_back.items():
        asked = sum((row.amount for order in orders for row in refunds_of(order) if row.reason == reason), ZERO)
        if asked > wanted:
            yield "refunded twice", f"{reason}: {wanted} was wanted, {asked} was sent back"
    for order in orders:
        made = {row.pk for row in refunds_of(order) if row.status != "failed"}
        own = [row for row in refunds_of(order) if row.actor_id is None and row.reason.startswith("Paid after")]
        sent = sum((row.amount for row in own if row.pk in made), ZERO)
        given = [row for row in order.credits.all() if row.amount > 0 and row.refund_id not in made]
        asked_for = max(order.total - sum((row.amount for row in given), ZERO), ZERO)
        owed = ZERO if order.status == OrderStatus.CANCELLED else asked_for
        if sent > max(order.paid_amount - owed, ZERO):
            yield "gave back too much by itself", f"{world.order_name(order.number)}: {sent}"


def orders_end(world: World, orders: list[Order]) -> Found:
    """Every order has ended, or waits for somebody with a reason."""
    for order in orders:
        name, statuses = world.order_name(order.number), {payment.status for payment in order.payments.all()}
        if order.status == OrderStatus.PENDING and Payment.Status.HELD not in statuses:
            if order.payment_provider in world.removed_for_good:
                yield "pending for ever: its provider is gone", name
                continue
            money = "paid" if order.paid_amount else "unpaid"
            yield (
                f"pending for ever ({money}, {order.payment_status})",
                f"{name} by {order.payment_provider}, expires at {order.expires_at}, payments {sorted(statuses)}",
            )
        is_open = {status for status in statuses if status in Payment.OPEN}
        asked = [payment for payment in order.payments.all() if payment.status in is_open]
        for payment in asked:
            if payment.provider in world.removed_for_good or not SERVICES[payment.provider].sends_events:
                continue
            yield f"a payment never ends ({payment.status})", f"{name}: {payment.provider_reference or 'no reference'}"


def deadlines(world: World, orders: list[Order]) -> Found:
    """Each way to pay gives its time once, however often the customer changes to and fro."""
    days = {"card": 30 / 1440, "debit": 30 / 1440, "gone": 30 / 1440, "phone": 15 / 1440, "deposit": 1 / 24, "bank": 7}
    for order in orders:
        if order.expires_at is None:
            continue
        placed = world.placed_with.get(order.number)
        first = world.plan.ways if placed is None else (placed,)  # not known if the process died after it was placed
        payments = (payment.provider for payment in order.payments.all())
        used = {order.payment_provider, *first, *payments} & days.keys()
        given = (order.expires_at - order.placed_at).total_seconds() / 86400
        longest = max((days[alias] for alias in used), default=7)
        if given > longest + 0.001:
            yield (
                "a deadline was renewed",
                f"{world.order_name(order.number)}: {given:.2f} days to pay by {sorted(used)}",
            )


def stock(world: World, orders: list[Order]) -> Found:
    """Stock is its ledger and the goods; only orders that are alive hold any."""
    for difference in inventory.differences():
        yield "stock is not its ledger", str(difference)
    for product in Product.objects.filter(sku__in=GOODS).order_by("sku"):
        lines = [(order, line) for order in orders for line in order.lines.all() if line.product_ref == product.sku]
        held = sum(line.open_quantity for order, line in lines if order.status != OrderStatus.CANCELLED)
        expected = GOODS[product.sku][1] - sum(line.shipped_quantity - line.restocked_quantity for _, line in lines)
        if product.stock_quantity != expected:
            yield (
                "stock is not the goods",
                f"{product.sku}: {product.stock_quantity} on hand, {expected} by the orders",
            )
        if product.reserved_quantity != held:
            yield "stock is held for nobody", f"{product.sku}: {product.reserved_quantity} held, {held} by orders"


def jobs_done(world: World, orders: list[Order]) -> Found:
    """No job was starved: nothing that it could do is left."""
    gone = world.removed_for_good
    waiting = [(order, row) for order in orders for row in refunds_of(order) if row.status in ("queued", "pending")]
    for order, refund in waiting:
        why = refund.error or "nobody says why"
        yield f"a refund never ends ({refund.status})", f"{world.order_name(order.number)}: {refund}, {why}"
    for event in ProviderEvent.objects.filter(outcome__in=("received", "waiting")).order_by("id"):
        if event.provider not in gone:
            yield (
                f"an event of a provider is never decided ({event.kind})",
                f"{event.provider_reference}: {event.outcome}",
            )


def events_announced(world: World, orders: list[Order]) -> Found:
    """Each event is announced, and once more only if a receiver failed or the process died."""
    for event in signals_of(orders):
        times, name = world.heard[str(event.event_id)], f"{event.signal} of {world.order_name(event.order.number)}"
        if event.announced_at is None or str(event.event_id) not in world.taken:
            yield "an event is never announced", name
        elif times > 1 + world.may_repeat[str(event.event_id)]:
            yield "an event is announced again", f"{name}: {times} times"


def messages_sent(world: World, orders: list[Order]) -> Found:
    """Each announced event is one message, sent, and once more only if its sender died."""
    rows = Counter(Notification.objects.values_list("event_id", flat=True))
    for event in signals_of(orders):
        expected = int(event.payload.get("notify") is not False)
        if rows[str(event.event_id)] != expected:
            yield "an event has not one message", f"{event.signal}: {rows[str(event.event_id)]}, expected {expected}"
    sent = Counter(message.id for message in MemoryNotifier.outbox.get("letter", ()))
    for notification in Notification.objects.only("public_id", "state", "event"):
        if notification.state != State.SENT:
            yield f"a message is not sent ({notification.state})", notification.event
        times = sent[str(notification.public_id)]
        if not 1 <= times <= 1 + world.deaths:
            yield "a message is sent again", f"{notification.event}: {times} times"


def nothing_false_told(world: World, orders: list[Order]) -> Found:
    """The payment of a cancelled order does not fail."""
    for order in orders:
        sent = signals_of([order]) if order.status == OrderStatus.CANCELLED else []
        cancelled = next((event.pk for event in sent if event.new_status == OrderStatus.CANCELLED), 0)
        for event in sent:
            is_failure = event.signal == "payment_status_changed" and event.new_status == "failed"
            if is_failure and event.pk > cancelled and event.payload.get("notify", True):
                yield "a cancelled order's payment “fails”", world.order_name(order.number)


def refunds_of(order: Order) -> list[Refund]:
    return [refund for payment in order.payments.all() for refund in payment.refunds.all()]


def signals_of(orders: list[Order]) -> list[OrderEvent]:
    """The events that are announced, but for the placement of orders from before this life."""
    sent = (event for order in orders for event in order.events.all() if event.signal)
    return sorted((event for event in sent if event.created_at > clock.START), key=lambda row: row.pk)


CHECKS = (
    provider_books,
    books_by_hand,
    sums,
    account,
    credit_taxes,
    refunds_wanted,
    orders_end,
    deadlines,
    stock,
    jobs_done,
    events_announced,
    messages_sent,
    nothing_false_told,
)
