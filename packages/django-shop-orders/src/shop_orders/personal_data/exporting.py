"""What this package stores about a person, as plain data."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from shop_core.money import as_text

from shop_orders import emails
from shop_orders.models import CartReminder, Customer, Order
from shop_orders.personal_data.people import Person, customers_of


def export_personal_data(person: Person) -> dict[str, Any]:
    """Customers with their addresses, carts and orders. Texts, amounts as text, times in ISO 8601."""
    keys = [emails.email_key(email) for email in person.get("emails", ())]
    guests = CartReminder.objects.filter(cart__customer=None, email_key__in=keys).exclude(email_key="")
    return {
        "customers": [_customer(customer) for customer in customers_of(person)],
        "cart_reminders_of_guests": [_reminder(row) for row in guests],
    }


def _reminder(row: CartReminder) -> dict[str, Any]:
    return {"email": row.email, "language": row.language, "agreed_at": row.agreed_at.astimezone(UTC).isoformat()}


def _customer(customer: Customer) -> dict[str, Any]:
    orders = customer.orders.prefetch_related(
        "lines", "payments__refunds", "incoming_payments", "shipments", "events"
    ).order_by("pk")
    return {
        "id": str(customer.public_id),
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "email": customer.email,
        "phone": customer.phone,
        "language": customer.language,
        "created_at": customer.created_at.astimezone(UTC).isoformat(),
        "addresses": [{**row.as_data(), "label": row.label} for row in customer.addresses.all()],
        "cart": [
            {"product": item.product_ref, "name": item.name, "options": item.options, "quantity": item.quantity}
            for cart in customer.carts.filter(status="open")
            for item in cart.items.all()
        ],
        "cart_reminders": [_reminder(row) for row in CartReminder.objects.filter(cart__customer=customer)],
        "orders": [_order(order) for order in orders],
    }


def _order(order: Order) -> dict[str, Any]:
    currency = order.currency
    return {
        "number": order.number,
        "status": order.status,
        "payment_status": order.payment_status,
        "placed_at": order.placed_at.astimezone(UTC).isoformat(),
        "name": order.contact_name,
        "email": order.email,
        "phone": order.phone,
        "shipping_address": order.shipping_address,
        "billing_address": order.billing_address,
        "note": order.customer_note,
        "cancel_reason": order.cancel_reason,
        "currency": currency,
        "total": as_text(order.total, currency),
        "lines": [
            {
                "product": line.product_ref,
                "name": line.name,
                "options": line.options,
                "quantity": line.quantity,
                "line_total": as_text(line.line_total, currency),
            }
            for line in order.lines.all()
        ],
        "payments": [
            {
                "provider": payment.provider,
                "status": payment.status,
                "amount": as_text(payment.amount, currency),
                "receipt": payment.receipt,
                "created_at": payment.created_at.astimezone(UTC).isoformat(),
                "refunds": [
                    {"amount": as_text(refund.amount, currency), "status": refund.status, "reason": refund.reason}
                    for refund in payment.refunds.all()
                ],
            }
            for payment in order.payments.all()
        ],
        "incoming_payments": [
            {"payer_name": row.payer_name, "payer_phone": row.payer_phone, "amount": as_text(row.amount, row.currency)}
            for row in order.incoming_payments.all()
        ],
        "shipments": [
            {
                "carrier": row.carrier,
                "tracking_number": row.tracking_number,
                "shipped_at": row.shipped_at.astimezone(UTC).isoformat(),
            }
            for row in order.shipments.all()
        ],
        "events": [
            {"kind": event.kind, "message": event.message, "at": event.created_at.astimezone(UTC).isoformat()}
            for event in order.events.all()
        ],
    }
