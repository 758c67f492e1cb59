"""Money that customers sent by hand, for staff."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query
from pydantic import BaseModel, Field
from shop_core.api.problems import responses
from shop_core.api.types import In, ShortText, Time
from shop_core.money import as_text

from shop_orders import payments
from shop_orders.api import auth
from shop_orders.api.orders import Limit
from shop_orders.api.routers import staff_router
from shop_orders.exceptions import NotFound
from shop_orders.models import IncomingPayment, Order
from shop_orders.payments import candidates


class CandidateOut(BaseModel):
    """An order that the money could be meant for, and which details match."""

    order: str
    amount_due: str
    matches_number: bool
    matches_amount: bool
    matches_phone: bool


class IncomingPaymentOut(BaseModel):
    """``order`` is the order that the account names, or for which it was recorded. Without the permission view_order
    ``account``, ``payer_name``, ``payer_phone`` and ``comment`` are empty."""

    id: str
    provider: str
    receipt: str
    amount: str
    currency: str
    account: str
    payer_name: str
    payer_phone: str
    paid_at: Time | None
    received_at: Time
    is_confirmed: bool
    status: str
    reason: str
    comment: str
    order: str


class IncomingPaymentDetailOut(IncomingPaymentOut):
    candidates: list[CandidateOut]


class IncomingPaymentPage(BaseModel):
    """``next`` is the value of ``after`` for the next page; null on the last page."""

    items: list[IncomingPaymentOut]
    next: str | None


class AssignIn(In):
    order: ShortText
    notify: bool = True


class DismissIn(In):
    comment: Annotated[ShortText, Field(min_length=1, max_length=500)]


@staff_router.get(
    "/incoming-payments/",
    response={200: IncomingPaymentPage, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_list_incoming_payments",
    summary="Money that customers sent by hand, newest first",
)
def list_incoming(
    request: HttpRequest,
    limit: Limit,
    after: Annotated[ShortText, Query("")],
    status: Annotated[Literal["", "held", "recorded", "duplicate", "dismissed"], Query("")],
) -> IncomingPaymentPage:
    auth.check_permission(request, "shop_orders.view_order")
    rows = IncomingPayment.objects.select_related("order").order_by("-id")
    if status:
        rows = rows.filter(status=status)
    if after:
        rows = rows.filter(pk__lt=_incoming(after).pk)
    found = list(rows[: limit + 1])
    items = [IncomingPaymentOut(**_fields(row, with_payer=True)) for row in found[:limit]]
    return IncomingPaymentPage(items=items, next=items[-1].id if len(found) > limit else None)


@staff_router.get(
    "/incoming-payments/{incoming_id}/",
    response={200: IncomingPaymentDetailOut, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_get_incoming_payment",
    summary="Money that a customer sent by hand, with the orders that it could be meant for",
)
def get_incoming(request: HttpRequest, incoming_id: str) -> IncomingPaymentDetailOut:
    auth.check_permission(request, "shop_orders.view_order")
    row = _incoming(incoming_id)
    found = [
        CandidateOut(
            order=candidate.order.number,
            amount_due=as_text(candidate.order.amount_due, candidate.order.currency),
            matches_number=candidate.matches_number,
            matches_amount=candidate.matches_amount,
            matches_phone=candidate.matches_phone,
        )
        for candidate in candidates.of(row)
    ]
    return IncomingPaymentDetailOut(**_fields(row, with_payer=True), candidates=found)


@staff_router.post(
    "/incoming-payments/{incoming_id}/assign/",
    response={200: IncomingPaymentOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_assign_incoming_payment",
    summary="Record held money as a payment of an order",
)
def assign(request: HttpRequest, incoming_id: str, payload: AssignIn) -> IncomingPaymentOut:
    user = auth.check_permission(request, "shop_orders.refund_order")
    order = Order.objects.numbered(payload.order).first()
    if order is None:
        raise NotFound
    payments.assign_incoming(_incoming(incoming_id).pk, order.pk, by=user, notify=payload.notify)
    return _represent(incoming_id, user)


@staff_router.post(
    "/incoming-payments/{incoming_id}/dismiss/",
    response={200: IncomingPaymentOut, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_dismiss_incoming_payment",
    summary="Close held money that is not for an order",
)
def dismiss(request: HttpRequest, incoming_id: str, payload: DismissIn) -> IncomingPaymentOut:
    user = auth.check_permission(request, "shop_orders.refund_order")
    payments.dismiss_incoming(_incoming(incoming_id).pk, comment=payload.comment, by=user)
    return _represent(incoming_id, user)


def _incoming(incoming_id: str) -> IncomingPayment:
    try:
        return IncomingPayment.objects.select_related("order").get(public_id=UUID(incoming_id))
    except (ValueError, IncomingPayment.DoesNotExist):
        raise NotFound


def _represent(incoming_id: str, user: Any) -> IncomingPaymentOut:
    may_see = user.has_perm("shop_orders.view_order")
    return IncomingPaymentOut(**_fields(_incoming(incoming_id), with_payer=may_see))


def _fields(row: IncomingPayment, *, with_payer: bool) -> dict[str, Any]:
    return {
        "id": str(row.public_id),
        "provider": row.provider,
        "receipt": row.receipt,
        "amount": as_text(row.amount, row.currency),
        "currency": row.currency,
        "account": row.account if with_payer else "",
        "payer_name": row.payer_name if with_payer else "",
        "payer_phone": row.payer_phone if with_payer else "",
        "paid_at": row.paid_at,
        "received_at": row.received_at,
        "is_confirmed": row.is_confirmed,
        "status": row.status,
        "reason": row.reason,
        "comment": row.comment if with_payer else "",
        "order": row.order.number if row.order else "",
    }
