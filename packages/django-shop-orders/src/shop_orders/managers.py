"""Querysets with the filters of this app."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DecimalField, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Round
from django.utils import timezone
from shop_core.db.finding import keys_found

from shop_orders.conf import app_settings

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_orders.models import Cart, Order, OrderEvent  # noqa: F401 - the querysets' parameters

AMOUNT: DecimalField[Decimal, Decimal] = DecimalField(max_digits=14, decimal_places=4)
BALANCE = Round(F("total") - F("credited_amount") - F("paid_amount") + F("refunded_amount"), precision=4)
"""What the customer owes, exact on SQLite too: the sum of floats is rounded to the stored decimals."""

OVERPAID = Q(paid_amount__gt=F("total") - F("credited_amount") + F("refunded_amount"))


class Word(Value):
    """A constant word, such as a status, that is written into the SQL text instead of being sent as a parameter.

    This lets PostgreSQL use a partial index in a cached plan. With a parameter it would have to plan every execution.
    """

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if not str(self.value).isidentifier():
            raise ValueError(f"{self.value!r} is not a plain word.")
        return f"'{self.value}'", []


class CartQuerySet(models.QuerySet["Cart"]):
    def open(self) -> CartQuerySet:
        return self.filter(status="open")

    def stale(self, before: datetime) -> CartQuerySet:
        """Open carts that were not changed since ``before``."""
        return self.open().filter(updated_at__lt=before)


class OrderQuerySet(models.QuerySet["Order"]):
    def numbered(self, number: str) -> OrderQuerySet:
        """The order with a number that a request sent. A number with unprintable characters matches no order."""
        return self.filter(number=number) if number.isprintable() else self.none()

    def of(self, customer: Any) -> OrderQuerySet:
        return self.filter(customer=customer)

    def with_account(self) -> OrderQuerySet:
        """With the refunds that are under way, so that ``refund_due`` of a listed order takes no query.

        ``account_balance`` and ``account_under_way`` can be used in filters and for sorting. They are rounded to the
        stored decimals, since SQLite calculates with floats.
        """
        return self.annotate(account_balance=BALANCE, account_under_way=self._under_way())

    def unpaid(self) -> OrderQuerySet:
        """Pending orders of which something is due. Excludes those with an authorised payment."""
        return self.alias(due=BALANCE).filter(status="pending", due__gt=0).exclude(payment_status="authorised")

    def counted_as_unpaid(self) -> OrderQuerySet:
        """Orders that hold stock without payment, and that staff have not begun to process. Free orders count too."""
        owes = Q(due__gt=0) & ~Q(payment_status="authorised")
        # Written into the SQL text, so that cached plans can use the partial indexes.
        waiting = self.filter(status__in=(Word("pending"), Word("confirmed")))
        return waiting.alias(due=BALANCE).filter(owes | Q(total=0))

    def with_due(self, amount: Decimal, currency: str) -> OrderQuerySet:
        """Unpaid orders of which exactly this amount is due."""
        return self.unpaid().alias(owed=BALANCE).filter(owed=amount, currency=currency)

    def overdue(self, now: datetime | None = None) -> OrderQuerySet:
        """Unpaid orders whose time to pay is over. Excludes orders with a payment that is on its way, and those with a
        held payment or a held incoming payment: staff resolve these."""
        due = self.unpaid().filter(expires_at__lte=now or timezone.now())
        return due.exclude(payments__status__in=("held", "processing")).exclude(incoming_payments__status="held")

    def refund_due(self) -> OrderQuerySet:
        """Orders with money to refund that no refund under way returns: overpaid, or credited after they were paid."""
        amounts = self.alias(owed=Round(-BALANCE, precision=4), under_way=self._under_way())
        # The first condition is that of a partial index. SQLite's floats are far more exact than the stored decimals.
        return amounts.filter(OVERPAID, owed__gt=0, under_way__lt=F("owed"))

    def needs_decision(self) -> OrderQuerySet:
        """Orders about which staff have to enter what a provider's page shows: the result of a payment or refund, or
        a refund or dispute that the provider reports and that could not be recorded."""
        names = ("Payment", "Refund", "ProviderEvent")
        payments, refunds, events = (apps.get_model("shop_orders", name)._base_manager for name in names)
        is_removed = Q(status="queued") & ~Q(payment__provider__in=list(app_settings.PAYMENT_PROVIDERS))
        is_of_captured = Q(kind__in=("refunded", "refund_failed"), payment__status="captured")
        undecided = (
            payments.filter(payments.model.NEEDS_DECISION).values("order"),
            refunds.filter(Q(status="pending") | is_removed).exclude(error="").values("payment__order"),
            events.filter(Q(kind="disputed") | is_of_captured, outcome="held").values("payment__order"),
        )
        return self.filter(Q(*(Q(pk__in=orders) for orders in undecided), _connector=Q.OR))

    def _under_way(self) -> Round:
        """The sum of an order's refunds that are queued or pending."""
        is_under_way = Q(payments__refunds__status__in=("queued", "pending"))
        refunds = self.model._base_manager.filter(is_under_way, pk=OuterRef("pk")).order_by()
        sums = refunds.values("pk").annotate(sum=Sum("payments__refunds__amount")).values("sum")
        return Round(Coalesce(Subquery(sums), Value(Decimal(0)), output_field=AMOUNT), precision=4)

    def search(self, text: str) -> OrderQuerySet:
        """The newest orders whose number, e-mail address, phone, name, SKU or tracking number matches. Each of these
        is searched by a statement of its own, which runs at once; on PostgreSQL it uses an index.
        """
        text = text.strip()
        parts = dict.fromkeys(("number__icontains", "email__icontains", "contact_name__icontains"), text)
        phone = {"phone__contains": text.replace(" ", "").lstrip("0") or text}
        goods = dict.fromkeys(("lines__sku__iexact", "shipments__tracking_number__iexact"), text)
        return self.filter(pk__in=keys_found(self.model, {**parts, **phone, **goods}))


class OrderEventQuerySet(models.QuerySet["OrderEvent"]):
    def public(self) -> OrderEventQuerySet:
        return self.filter(is_public=True)

    def waiting(self) -> OrderEventQuerySet:
        """Events that at least one receiver has not accepted yet."""
        return self.filter(announced_at=None).exclude(signal="")

    def due(self, now: datetime | None = None) -> OrderEventQuerySet:
        """Waiting events whose next attempt is due."""
        return self.waiting().filter(next_attempt_at__lte=now or timezone.now())


# Type checkers without the plugin of django-stubs do not understand ``from_queryset``.
if TYPE_CHECKING:

    class CartManager(CartQuerySet, models.Manager["Cart"]):  # type: ignore[misc]
        """The type of ``Cart.objects``."""

    class RelatedCarts(CartManager, RelatedManager["Cart"]):  # type: ignore[misc]
        """The type of ``customer.carts``."""

    class OrderManager(OrderQuerySet, models.Manager["Order"]):  # type: ignore[misc]
        """The type of ``Order.objects``."""

    class RelatedOrders(OrderManager, RelatedManager["Order"]):  # type: ignore[misc]
        """The type of ``customer.orders``."""

    class OrderEventManager(OrderEventQuerySet, models.Manager["OrderEvent"]):  # type: ignore[misc]
        """The type of ``OrderEvent.objects``."""

    class RelatedOrderEvents(OrderEventManager, RelatedManager["OrderEvent"]):  # type: ignore[misc]
        """The type of ``order.events``."""

else:
    CartManager = models.Manager.from_queryset(CartQuerySet)
    OrderManager = models.Manager.from_queryset(OrderQuerySet)
    OrderEventManager = models.Manager.from_queryset(OrderEventQuerySet)
