"""Announces refunds. Staff may request one over several payments; the customer gets one message about it."""

from __future__ import annotations

from shop_orders import crediting, events
from shop_orders.models import Order, Refund

Status = Refund.Status


def announce(order: Order, refund: Refund) -> None:
    """Announce the successful refunds of a request together, with their sum, once none is waiting to be sent.

    A refund that is pending at the provider, or that could not be sent, is announced separately later. Called
    whenever the status of a refund changed. The caller has locked the order.
    """
    request = Refund.objects.filter(payment__order=order, request_id=refund.request_id)
    if request.filter(status=Status.QUEUED, error="").exists():
        return
    made = list(request.filter(status=Status.SUCCEEDED, is_announced=False).order_by("id"))
    if not made:
        return
    Refund.objects.filter(pk__in=[row.pk for row in made]).update(is_announced=True)
    events.record(
        order,
        "refunded",
        signal="order_refunded",
        by=made[-1].actor,
        notify=any(row.notify for row in made),
        message=made[-1].reason,
        about=made[-1],
        extra={"refund": crediting.refund_payload(order, made)},
    )
