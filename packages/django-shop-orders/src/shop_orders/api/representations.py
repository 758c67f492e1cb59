"""Response bodies made from models and views."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from pydantic import BaseModel
from shop_core.money import as_text

from shop_orders import carts, lifecycle, payments, tracking
from shop_orders.api import schemas
from shop_orders.models import Credit, Order, OrderEvent, Payment, ProviderEvent, Refund, Shipment
from shop_orders.models.states import state_label
from shop_orders.payment_providers import awaits_online_payment, refund_needs_decision
from shop_orders.payments import disputes
from shop_orders.pricing.amounts import rate_text


def as_json(value: BaseModel, *, status: int = 200) -> HttpResponse:
    """The response of a frequent operation, serialised by the schema itself. ninja would validate it once more."""
    return HttpResponse(value.model_dump_json(), content_type="application/json", status=status)


def cart(view: carts.CartView) -> schemas.CartOut:
    draft = view.draft
    currency = draft.currency
    return schemas.CartOut(
        currency=currency,
        item_count=view.item_count,
        lines=[
            schemas.CartLineOut(
                line=line.line,
                product=line.product,
                sku=line.sku,
                name=line.name,
                options=dict(line.options),
                quantity=line.quantity,
                unit_price=None if line.unit_price is None else as_text(line.unit_price, currency),
                price_when_added=as_text(line.price_when_added, currency),
                line_total=None if line.line_total is None else as_text(line.line_total, currency),
                available=line.available,
                url=line.url,
                image=line.image,
                changes=list(line.changes),
                problem=str(line.problem or ""),
                **taxed(line.taxed, currency),
            )
            for line in view.lines
        ],
        charges=[
            schemas.ChargeOut(
                kind=charge.kind,
                label=charge.label,
                amount=as_text(charge.amount, currency),
                is_included=charge.is_included,
                **taxed(parts, currency),
            )
            for charge, parts in zip(draft.charges, draft.taxed_charges, strict=True)
        ],
        tax_lines=[tax_line(charge, charge.rate, currency) for charge in draft.tax_lines],
        subtotal=as_text(draft.subtotal, currency),
        net_total=as_text(draft.net_total, currency),
        tax_total=as_text(draft.tax_total, currency),
        total=as_text(draft.total, currency),
        can_be_ordered=view.can_be_ordered,
        needs_delivery=view.needs_delivery,
        problem=str(view.pricing_error or ""),
        problems=[schemas.CartProblemOut(code=error.code, detail=str(error)) for error in view.problems],
    )


def provider_choice(choice: payments.ProviderChoice, currency: str) -> schemas.PaymentProviderOut:
    needs, found = choice.needs, choice.obstacle
    return schemas.PaymentProviderOut(
        alias=choice.alias,
        label=str(choice.label),
        is_possible=found is None,
        problem=found.message if found else "",
        problem_need=found.need if found else "",
        needs=schemas.NeedsOut(
            email=needs.email,
            phone=needs.phone,
            whole_units=needs.whole_units,
            currencies=list(needs.currencies),
            minimum=None if needs.minimum is None else as_text(needs.minimum, currency),
        ),
    )


def merge(report: carts.MergeReport, view: carts.CartView) -> schemas.MergeOut:
    changes = [
        schemas.MergeChangeOut(
            line=change.line,
            product=change.product,
            name=change.name,
            options=dict(change.options),
            code=change.code,
            quantity=change.quantity,
            was=change.was,
        )
        for change in report.changes
    ]
    return schemas.MergeOut(cart=cart(view), changes=changes)


def taxed(parts: Any, currency: str) -> dict[str, Any]:
    """The fields of TaxedOut. ``parts`` is a Taxed, an OrderLine or a Charge; None if nothing is known."""
    if parts is None:
        return {"discount": None, "tax_rate": None, "net": None, "tax": None}
    return {
        "discount": as_text(parts.discount, currency),
        "tax_rate": None if parts.tax_rate is None else rate_text(parts.tax_rate),
        "net": None if parts.net is None else as_text(parts.net, currency),
        "tax": None if parts.tax is None else as_text(parts.tax, currency),
    }


def tax_line(row: Any, rate: Decimal | None, currency: str) -> schemas.TaxLineOut:
    """``row`` is a charge of the kind tax, of a draft or an order."""
    return schemas.TaxLineOut(
        label=row.label,
        rate=None if rate is None else rate_text(rate),
        base=None if row.base is None else as_text(row.base, currency),
        amount=as_text(row.amount, currency),
        is_included=row.is_included,
    )


def _refund(row: Refund, currency: str) -> schemas.RefundOut:
    return schemas.RefundOut(
        amount=as_text(row.amount, currency), currency=currency, status=row.status, created_at=row.created_at
    )


def order_fields(order: Order) -> dict[str, Any]:
    """The fields of OrderOut."""
    currency = order.currency
    lines, charges = list(order.lines.all()), list(order.charges.all())
    shipped = any(line.shipped_quantity for line in lines)
    return {
        "number": order.number,
        "status": order.status,
        "state": order.state,
        "state_label": state_label(order.state),
        "payment_status": order.payment_status,
        "placed_at": order.placed_at,
        "expires_at": order.expires_at,
        "currency": currency,
        "subtotal": as_text(order.subtotal, currency),
        "net_total": as_text(order.net_total, currency),
        "tax_total": as_text(order.tax_total, currency),
        "total": as_text(order.total, currency),
        "credited_amount": as_text(order.credited_amount, currency),
        "paid_amount": as_text(order.paid_amount, currency),
        "refunded_amount": as_text(order.refunded_amount, currency),
        "balance": as_text(order.balance, currency),
        "amount_due": as_text(order.amount_due, currency),
        "refunds_under_way": as_text(order.refunds_under_way, currency),
        "refund_due": as_text(order.refund_due, currency),
        "contact": {"name": order.contact_name, "email": order.email, "phone": order.phone},
        "shipping_address": order.shipping_address,
        "billing_address": order.billing_address,
        "delivery": order.delivery,
        "payment_provider": order.payment_provider,
        "note": order.customer_note,
        "lines": [
            schemas.OrderLineOut(
                line=line.line,
                product=line.product_ref,
                sku=line.sku,
                name=line.name,
                options=line.options,
                quantity=line.quantity,
                unit_price=as_text(line.unit_price, currency),
                line_total=as_text(line.line_total, currency),
                shipped_quantity=line.shipped_quantity,
                cancelled_quantity=line.cancelled_quantity,
                **taxed(line, currency),
            )
            for line in lines
        ],
        "charges": [
            schemas.ChargeOut(
                kind=charge.kind,
                label=charge.label,
                amount=as_text(charge.amount, currency),
                is_included=charge.is_included,
                **taxed(charge, currency),
            )
            for charge in charges
        ],
        "tax_lines": [tax_line(charge, charge.tax_rate, currency) for charge in charges if charge.kind == "tax"],
        "refunds": [_refund(row, currency) for row in tracking.refunds_of(order) if row.kind == Refund.Kind.REFUND],
        "can_be_cancelled": not shipped and "cancelled" in lifecycle.allowed(order.status),
        "cancel_reason": order.cancel_reason,
    }


def order(row: Order) -> schemas.OrderOut:
    return schemas.OrderOut(**order_fields(row))


def summary(row: Any) -> schemas.OrderSummaryOut:
    """``row`` is an Order annotated with ``item_count``."""
    return schemas.OrderSummaryOut(
        number=row.number,
        status=row.status,
        state=row.state,
        payment_status=row.payment_status,
        payment_provider=row.payment_provider,
        placed_at=row.placed_at,
        currency=row.currency,
        total=as_text(row.total, row.currency),
        balance=as_text(row.balance, row.currency),
        amount_due=as_text(row.amount_due, row.currency),
        item_count=row.item_count,
    )


def event(row: OrderEvent) -> schemas.EventOut:
    return schemas.EventOut(
        at=row.created_at, kind=row.kind, old_status=row.old_status, new_status=row.new_status, message=row.message
    )


def shipment(row: Shipment) -> schemas.ShipmentOut:
    return schemas.ShipmentOut(
        number=row.number,
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        tracking_url=row.tracking_url,
        shipped_at=row.shipped_at,
        lines=[
            schemas.ShipmentLineOut(
                line=line.order_line.line,
                product=line.order_line.product_ref,
                name=line.order_line.name,
                options=line.order_line.options,
                quantity=line.quantity,
            )
            for line in row.lines.all()
        ],
    )


def payment(row: Payment) -> schemas.PaymentOut:
    return schemas.PaymentOut(
        id=str(row.public_id),
        provider=row.provider,
        status=row.status,
        amount=as_text(row.amount, row.currency),
        currency=row.currency,
        redirect_url=row.redirect_url,
        instructions=row.instructions,
        error="" if row.needs_decision else row.error,  # that one is for staff
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def staff_order(row: Order) -> schemas.StaffOrderOut:
    return schemas.StaffOrderOut(
        **{**order_fields(row), "refunds": [_staff_refund(sent) for sent in tracking.refunds_of(row)]},
        customer=str(row.customer.public_id),
        version=tracking.version_of(row),
        allowed_statuses=sorted(lifecycle.allowed(row.status)),
        allowed_states=lifecycle.allowed_states(row),
        awaits_online_payment=awaits_online_payment(row),
        can_be_reinstated=lifecycle.can_be_reinstated(row),
        events=[_staff_event(entry) for entry in row.events.select_related("actor").order_by("id")],
        payments=_staff_payments(row),
        credits=[_credit(given, row.currency) for given in row.credits.select_related("actor").order_by("id")],
        shipments=[shipment(parcel) for parcel in row.shipments.prefetch_related("lines__order_line")],
    )


def _staff_payments(row: Order) -> list[schemas.StaffPaymentOut]:
    held = list(disputes.held(row))
    return [_staff_payment(attempt, [one for one in held if one.payment == attempt]) for attempt in row.payments.all()]


def _staff_payment(row: Payment, held: list[ProviderEvent]) -> schemas.StaffPaymentOut:
    amounts = {"captured_amount": row.captured_amount, "refunded_amount": row.refunded_amount}
    more = {name: as_text(amount, row.currency) for name, amount in amounts.items()}
    more |= {"provider_reference": row.provider_reference, "error": row.error}
    return schemas.StaffPaymentOut(
        **{**payment(row).model_dump(), **more},
        needs_decision=row.needs_decision,
        held_disputes=[schemas.HeldDisputeOut(reference=one.refund_reference, detail=one.detail) for one in held],
    )


def _staff_event(row: OrderEvent) -> schemas.StaffEventOut:
    return schemas.StaffEventOut(
        **event(row).model_dump(),
        is_public=row.is_public,
        actor=str(row.actor or ""),
        is_waiting=row.is_waiting,
        attempts=row.attempts,
        last_error=row.last_error,
    )


def _staff_refund(row: Refund) -> schemas.StaffRefundOut:
    return schemas.StaffRefundOut(
        **_refund(row, row.payment.currency).model_dump(),
        id=str(row.public_id),
        kind=row.kind,
        provider=row.payment.provider,
        reason=row.reason,
        error=row.error,
        needs_decision=refund_needs_decision(row),
    )


def _credit(row: Credit, currency: str) -> schemas.CreditOut:
    return schemas.CreditOut(
        amount=as_text(row.amount, currency),
        currency=currency,
        kind=row.kind,
        lines=row.lines,
        tax_lines=[schemas.TaxLineOut.model_validate(line) for line in row.tax_lines],
        reason=row.reason,
        actor=str(row.actor or ""),
        created_at=row.created_at,
    )
