"""Random actions on carts and orders: stock, totals and history stay consistent."""

import os
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from shop_orders import carts, checkout, crediting, lifecycle, payments
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Cart, Customer, Order, OrderEvent, OrderLine, Payment, ProviderEvent, Refund, Shipment
from shop_orders.payment_providers import PaymentEvent
from shop_orders.testing import MemoryPaymentProvider
from testproject.books.models import Book

FULL = os.environ.get("SHOP_TEST_FULL") == "1"
REFS = ("b-0", "b-1", "b-2")
RECEIVED = 40
PROVIDERS = {
    "memory": {"BACKEND": "shop_orders.testing.MemoryPaymentProvider"},
    "on_delivery": {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"},
}

PRICING = [
    {"BACKEND": "testproject.hooks.discount", "OPTIONS": {"share": "0.15"}},
    {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "1.70"}},
    {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16"}},
]

refs = st.sampled_from(REFS)
owners = st.integers(0, 1)
picks = st.integers(0, 30)


class Shop(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        MemoryPaymentProvider.reset()
        for model in (ProviderEvent, Refund, Payment, Shipment, Order, Cart, Customer, Book):
            model.objects.all().delete()
        for ref in REFS:
            Book.objects.create(isbn=ref, title=ref, sale_price=Decimal("3.30"), on_hand=RECEIVED)
        self.customers = [Customer.objects.create(email=f"c{number}@example.org") for number in range(2)]
        self.token = ""
        self.events = 0

    def attempt(self, action, *args, **kwargs):
        """Call the action. A refusal by the app is not a failure."""
        try:
            return action(*args, **kwargs)
        except ShopOrdersError:
            return None

    def pick(self, number):
        orders = list(Order.objects.order_by("pk"))
        return orders[number % len(orders)] if orders else None

    @rule(owner=owners, ref=refs, quantity=st.integers(-1, 30))
    def add(self, owner, ref, quantity):
        cart, _token = carts.find_or_open(customer=self.customers[owner])
        self.attempt(carts.add_item, cart, ref, quantity)

    @rule(owner=owners, ref=refs, quantity=st.integers(-1, 30))
    def update(self, owner, ref, quantity):
        cart = carts.find(customer=self.customers[owner])
        if cart:
            self.attempt(carts.set_quantity, cart, ref, quantity)

    @rule(owner=owners, ref=refs)
    def remove(self, owner, ref):
        cart = carts.find(customer=self.customers[owner])
        if cart:
            carts.remove_item(cart, ref)

    @rule(ref=refs, quantity=st.integers(1, 9))
    def guest_adds(self, ref, quantity):
        added = self.attempt(carts.add_to_cart, ref, quantity, token=self.token)
        if added and added[1]:
            self.token = added[1]

    @rule(owner=owners)
    def merge(self, owner):
        self.attempt(carts.merge, self.token, customer=self.customers[owner])
        self.token = ""

    @rule(ref=refs, price=st.decimals(min_value=0, max_value=99, places=2))
    def change_price(self, ref, price):
        Book.objects.filter(isbn=ref).update(sale_price=price)

    @rule(ref=refs)
    def toggle_product(self, ref):
        book = Book.objects.get(isbn=ref)
        Book.objects.filter(isbn=ref).update(is_listed=not book.is_listed)

    @rule(owner=owners, provider=st.sampled_from(["memory", "on_delivery"]))
    def order(self, owner, provider):
        cart = carts.find(customer=self.customers[owner])
        if cart:
            self.attempt(checkout.place_order, cart, provider=provider)

    @rule(number=picks)
    def start_payment(self, number):
        order = self.pick(number)
        if order:
            self.attempt(payments.start, order.pk, provider="memory")

    @rule(number=picks, kind=st.sampled_from(["captured", "failed", "authorised", "cancelled", "pending"]))
    @precondition(lambda self: Payment.objects.exists())
    def provider_reports(self, number, kind):
        known = list(Payment.objects.filter(provider="memory").order_by("pk"))
        if known:
            payment = known[number % len(known)]
            self.events += 1
            amount = payment.amount if kind == "captured" else None
            event = PaymentEvent(
                event_id=f"evt-{self.events}", kind=kind, reference=payment.provider_reference, amount=amount
            )
            payments.apply_event("memory", event)
            payments.apply_event("memory", event)

    @rule(number=picks, amount=st.none() | st.sampled_from([Decimal("0.10"), Decimal("3.30"), Decimal("9.90")]))
    def record_payment(self, number, amount):
        order = self.pick(number)
        if order:
            self.attempt(payments.record_payment, order.pk, amount=amount, provider="on_delivery")

    @rule(number=picks, action=st.sampled_from(["confirm", "start_processing", "deliver", "cancel"]))
    def move(self, number, action):
        order = self.pick(number)
        if order:
            self.attempt(getattr(lifecycle, action), order.pk)

    @rule(number=picks, ref=refs, quantity=st.integers(1, 5), everything=st.booleans())
    def ship(self, number, ref, quantity, everything):
        order = self.pick(number)
        if order:
            self.attempt(lifecycle.ship, order.pk, quantities=None if everything else {ref: quantity})

    @rule(number=picks)
    def expire(self, number):
        Order.objects.filter(status="pending").exclude(expires_at=None).update(expires_at=timezone.now())
        payments.expire_due()

    @rule(
        number=picks,
        amount=st.none() | st.decimals(min_value=0, max_value=40, places=2),
        ref=refs,
        units=st.integers(0, 3),
        back=st.integers(0, 3),
        shipping=st.booleans(),
        credit=st.booleans(),
        result=st.sampled_from(["succeeded", "pending", "failed"]),
    )
    def refund(self, number, amount, ref, units, back, shipping, credit, result):
        order = self.pick(number)
        if not order:
            return
        MemoryPaymentProvider.refund_status = result
        owed, credited, status, unsent = order.refund_due, order.credited_amount, order.status, self.unsent(order)
        made = self.attempt(
            payments.refund,
            order.pk,
            amount=amount,
            lines={ref: units} if units else None,
            shipping=shipping,
            restock={ref: back} if back else None,
            credit=credit,
        )
        order.refresh_from_db()
        above = max(sum(row.amount for row in made or ()) - owed, 0)
        taken = unsent - self.unsent(order)
        if order.status == "cancelled" != status:
            assert order.credited_amount == order.total
        elif taken:
            assert credit
            assert above <= order.credited_amount - credited <= above + order.total
            assert order.credits.last().lines == {ref: taken}
        else:
            assert order.credited_amount == credited + (above if credit else 0)

    def unsent(self, order):
        """The units that are left to send."""
        return sum(line.open_quantity for line in order.lines.all())

    @rule(number=picks, ref=refs, units=st.integers(0, 3), everything=st.booleans())
    def cancel_units(self, number, ref, units, everything):
        order = self.pick(number)
        if order:
            self.attempt(lifecycle.cancel_units, order.pk, None if everything else {ref: units})

    @rule(number=picks, result=st.sampled_from(["succeeded", "failed"]))
    def refund_ends(self, number, result):
        pending = list(Refund.objects.filter(status="pending").order_by("pk"))
        if pending:
            MemoryPaymentProvider.refund_status = result
            refund = pending[number % len(pending)]
            Refund.objects.filter(pk=refund.pk).update(next_attempt_at=timezone.now())
            payments.reconcile()

    @rule()
    def send_refunds(self):
        payments.send_due_refunds()

    @rule(number=picks)
    def reinstate(self, number):
        order = self.pick(number)
        if order:
            self.attempt(lifecycle.reinstate, order.pk)

    @rule(number=picks, ref=refs, units=st.integers(1, 3), credit=st.booleans())
    def restock(self, number, ref, units, credit):
        order = self.pick(number)
        if order:
            self.attempt(lifecycle.restock, order.pk, {ref: units}, credit=credit)

    @invariant()
    def stock_adds_up(self):
        for book in Book.objects.all():
            lines = OrderLine.objects.filter(product_ref=book.isbn).exclude(order__status="cancelled")
            fields = ("quantity", "cancelled_quantity", "restocked_quantity")
            sums = lines.aggregate(**{f"sum_{name}": Sum(name, default=0) for name in fields})
            assert book.on_hand >= 0
            held = sums["sum_quantity"] - sums["sum_cancelled_quantity"] - sums["sum_restocked_quantity"]
            assert book.on_hand + held == RECEIVED

    @invariant()
    def goods_end_with_the_order(self):
        """An order with nothing left to send has been shipped, or is cancelled if nothing was sent."""
        for order in Order.objects.prefetch_related("lines"):
            if not self.unsent(order):
                sent = any(line.shipped_quantity for line in order.lines.all())
                assert order.status in (("shipped", "delivered") if sent else ("cancelled",))

    @invariant()
    def orders_add_up(self):
        for order in Order.objects.prefetch_related("lines", "charges", "payments__refunds"):
            assert order.total == sum(line.line_total for line in order.lines.all()) + order.charges_total
            captured = sum(payment.captured_amount for payment in order.payments.all())
            refunded = sum(payment.refunded_amount for payment in order.payments.all())
            assert (order.paid_amount, order.refunded_amount) == (captured, refunded)
            assert 0 <= refunded <= captured
            sent = [r.amount for p in order.payments.all() for r in p.refunds.all() if r.status == "succeeded"]
            assert sum(sent) == refunded

    @invariant()
    def accounts_are_right(self):
        listed = set(Order.objects.refund_due())
        for order in Order.objects.prefetch_related("credits", "payments__refunds"):
            attempts = sorted(order.payments.all(), key=lambda payment: payment.pk)
            refunds = [refund for payment in attempts for refund in payment.refunds.all()]
            under_way = sum(refund.amount for refund in refunds if refund.status in ("queued", "pending"))
            due = order.total - order.credited_amount - order.paid_amount + order.refunded_amount
            assert order.credited_amount == sum(credit.amount for credit in order.credits.all())
            assert order.amount_due == max(due, 0)
            assert (order.refunds_under_way, order.refund_due) == (under_way, max(-due - under_way, 0))
            assert (order in listed) == (order.refund_due > 0)
            assert under_way <= order.paid_amount - order.refunded_amount
            taxes = [Decimal(line["amount"]) for credit in order.credits.all() for line in credit.tax_lines]
            assert 0 <= sum(taxes) <= order.tax_total
            if order.credited_amount == order.total:
                assert sum(taxes) == order.tax_total
            if order.status == "cancelled":
                assert order.credited_amount == order.total
            assert order.payment_status == crediting.payment_status(
                total=order.total,
                credited=order.credited_amount,
                captured=order.paid_amount,
                refunded=order.refunded_amount,
                attempts=[payment.status for payment in attempts],
            )
            if order.status == "pending":
                assert due + under_way > 0
                assert not due or order.payment_status == "authorised" or order in Order.objects.unpaid()

    @invariant()
    def history_is_legal(self):
        for order in Order.objects.all():
            steps = order.events.filter(kind="status_changed").order_by("id").values_list("old_status", "new_status")
            status = "pending"
            for old, new in steps:
                assert old == status
                assert new in lifecycle.allowed(old) or (old, new) == ("cancelled", "confirmed")
                status = new
            assert order.status == status

    @invariant()
    def each_customer_has_at_most_one_open_cart(self):
        for customer in self.customers:
            assert Cart.objects.filter(customer=customer, status="open").count() <= 1

    @invariant()
    def every_order_has_one_placed_event(self):
        placed = OrderEvent.objects.filter(kind="placed").count()
        assert placed == Order.objects.count()


@pytest.mark.slow
@pytest.mark.django_db
def test_invariants_hold_for_random_actions(shop_settings):
    shop_settings(PAYMENT_PROVIDERS=PROVIDERS, PRICING=PRICING, MAX_UNPAID_ORDERS=50)
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=500 if FULL else 6,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
