"""Querysets with the filters of this app."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Case, DecimalField, F, Q, Value, When
from django.utils import timezone

if TYPE_CHECKING:
    from shop_orders.models import Cart, Order, OrderEvent  # noqa: F401 - the querysets' parameters


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

    def unpaid(self) -> OrderQuerySet:
        """Pending orders that have reserved stock and are not paid."""
        return self.filter(status="pending", payment_status__in=("unpaid", "failed"))

    def overdue(self, now: datetime | None = None) -> OrderQuerySet:
        """Unpaid orders whose time to pay is over. Excludes orders with a held payment, which staff resolve."""
        return self.unpaid().filter(expires_at__lte=now or timezone.now()).exclude(payments__status="held")

    def refund_due(self) -> OrderQuerySet:
        """Orders with money to refund: overpaid, or paid and cancelled."""
        kept = Case(When(status="cancelled", then=Value(0)), default=F("total"), output_field=DecimalField())
        return self.filter(paid_amount__gt=F("refunded_amount") + kept)

    def search(self, text: str) -> OrderQuerySet:
        """Search orders by number, e-mail address, phone, name, SKU or tracking number."""
        text = text.strip()
        conditions = Q(number__icontains=text) | Q(email__icontains=text) | Q(contact_name__icontains=text)
        conditions |= Q(phone__contains=text.replace(" ", "").lstrip("0") or text)
        conditions |= Q(lines__sku__iexact=text) | Q(shipments__tracking_number__iexact=text)
        return self.filter(conditions).distinct()


class OrderEventQuerySet(models.QuerySet["OrderEvent"]):
    def public(self) -> OrderEventQuerySet:
        return self.filter(is_public=True)

    def waiting(self) -> OrderEventQuerySet:
        """Events that at least one receiver has not accepted yet."""
        return self.filter(announced_at=None).exclude(signal="")

    def due(self, now: datetime | None = None) -> OrderEventQuerySet:
        """Waiting events whose next attempt is due."""
        return self.waiting().filter(next_attempt_at__lte=now or timezone.now())
